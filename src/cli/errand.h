/*
 * cli/errand.h: what a verb has to do in a data directory, where another
 * process may be serving: that one does it, or this one if there is none.
 */
#pragma once
#include "cli/control.h"
#include "store/store.h"

struct errand {
	const char *request; /* to the process that serves */
	/* The same without one. */
	int (*alone)(struct store *, const struct saying *, void *arg,
		     struct err *);
	void *arg;
};

/*
 * The data directory has to be there. ERR_LOCKED: a process has it and does
 * not listen.
 */
int errand_run(const struct errand *, const char *data, const struct saying *,
	       struct err *) may_wait must_check;
