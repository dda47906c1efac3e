/*
 * cli/status.h: what the registry that serves is at, and what it would do.
 * Neither asks an upstream, or changes anything.
 */
#pragma once
#include "cli/control.h"
#include "cli/house.h"

/* Answers of the process that serves; `arg` is its house. */
int status_answer(const char *request, const struct saying *, void *arg,
		  struct err *) may_wait must_check;
int explain_answer(const char *request, const struct saying *, void *arg,
		   struct err *) may_wait must_check;

/* "answered 3 s ago; 76 of 100 requests left in 6 h" */
void upstream_tell(const struct mirror_upstream_state *, struct buf *);

/* Has the process that serves this configuration answer, and prints that. */
int status_ask(char *const *args, const char *request, struct err *)
	may_wait must_check;
