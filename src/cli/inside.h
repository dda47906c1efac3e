/*
 * cli/inside.h: what the files of this room share.
 */
#pragma once
#include "cli/cli.h"

/*
 * The verb that the words at `args` name, within its group if it has one; the
 * words go, but for those behind it. ERR_USAGE with the verbs that there are.
 */
int verb_choose(const struct verb *verbs, char *const **args,
		const struct verb **out, struct err *) must_check;

/* "serve, help, version" */
void verb_list(const struct verb *verbs, struct buf *out);

/* Each with its summary, a line each. */
void verb_print(const struct verb *verbs, struct buf *out);

/* ERR_USAGE if anything was typed behind a verb that takes nothing. */
int args_end(char *const *args, struct err *) must_check;

/* An option that only one verb has, as --name VALUE or --name=VALUE. */
struct own_option {
	const char *name; /* "--grace"; null: the end of the table */
	/* As config_duration. Null: it takes no value, and sets 1. */
	int (*read)(const char *name, struct span, int64_t *out, struct err *);
	int64_t *out;
	const char **text; /* in place of both: the value as it was typed */
};

/*
 * Takes a verb's own options out of `args`. The list of the others is the
 * caller's, also if this fails; its words are those of `args`.
 */
int own_options_take(char *const *args, const struct own_option *own,
		     char ***rest_out, struct err *) must_check;

/* What the help of a verb that takes a configuration says of it. */
#define COMMON_OPTIONS                                                   \
	"  --config FILE           YAML, as of serve; so are all other " \
	"options,\n"                                                     \
	"                          see private-registry serve --help\n"  \
	"  --help                  this text\n"

/*
 * The configuration that file, environment and options make: --config FILE
 * and any key of the configuration, as --key VALUE or --key=VALUE.
 */
int options_load(char *const *args, struct config **out, struct err *)
	may_wait must_check;

/*
 * The same for a verb that opens the data directory itself: where `user` says
 * so, root has become the owner of what is there.
 */
int options_load_as_owner(char *const *args, struct config **out, struct err *)
	may_wait must_check;

/* The same configuration, as config_show writes it. */
int options_show(char *const *args, struct buf *out, struct err *)
	may_wait must_check;

/* To standard output, all of it. */
int print_out(const struct buf *, struct err *) may_wait must_check;
