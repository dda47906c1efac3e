/*
 * cli/user.h: whom a process becomes that root has started.
 *
 * The owner of the data directory, so that no file in it is root's that its
 * owner has to read later. An empty one of root's is given to the user that
 * the configuration names; if that may not be done, or if it has content, root
 * stays its owner, and root. Without `user` in the configuration, and for
 * anybody but root, nothing is done at all.
 */
#pragma once
#include "config/config.h"

/* The data directory need not be there; then nothing is done. ERR_USAGE. */
int user_become(const struct config *, struct err *) may_wait must_check;

/* The same for a verb that makes the data directory if it is not there. */
int user_settle(const struct config *, struct err *) may_wait must_check;
