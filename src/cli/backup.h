/*
 * cli/backup.h: keeping a copy of everything that was pushed.
 */
#pragma once
#include "cli/control.h"
#include "store/store.h"

/* A control_answer of the process that serves; `arg` is its store. */
int backup_answer(const char *request, const struct saying *, void *arg,
		  struct err *) may_wait must_check;
