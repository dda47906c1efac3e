/*
 * cli/inside.h: what the files of this room share.
 */
#pragma once
#include "cli/cli.h"

/* The verb of that name; null if there is none. */
const struct verb *verb_find(const struct verb *verbs, const char *name);

/* ERR_USAGE that names the verbs that there are. */
int verb_refuse(const struct verb *verbs, const char *name, struct err *);

/* ERR_USAGE if anything was typed behind a verb that takes nothing. */
int args_end(char *const *args, struct err *) must_check;

/*
 * The configuration that file, environment and options make: --config FILE
 * and any key of the configuration, as --key VALUE or --key=VALUE.
 */
int options_load(char *const *args, struct config **out, struct err *)
	may_wait must_check;

/* To standard output, all of it. */
int print_out(const struct buf *, struct err *) may_wait must_check;
