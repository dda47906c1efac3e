/*
 * cli/verify.h: reading everything back at once, and telling about it.
 */
#pragma once
#include "cli/control.h"
#include "store/store.h"

/* A control_answer of the process that serves; `arg` is its store. */
int verify_answer(const char *request, const struct saying *, void *arg,
		  struct err *) may_wait must_check;
