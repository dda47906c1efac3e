/*
 * cli/gc.h: collecting at once, and telling about it.
 */
#pragma once
#include "cli/control.h"
#include "store/store.h"

/* What is to be swept, and how long its epochs are. */
struct gc_place {
	struct store *store;
	int64_t grace_ms;
};

/* A control_answer of the process that serves; `arg` is a gc_place. */
int gc_answer(const char *request, const struct saying *, void *arg,
	      struct err *) may_wait must_check;
