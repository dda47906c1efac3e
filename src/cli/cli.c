/*
 * From argv to a verb, and from its error to one sentence and an exit status.
 */
#include "cli/cli.h"

#include <stdio.h>

#include "base/near.h"
#include "cli/inside.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_LOCKED = 3, EXIT_CONFLICT = 3 };

static int exit_status(enum err_kind kind)
{
	static const struct {
		enum err_kind kind;
		int status;
	} table[] = {
		{ ERR_USAGE, EXIT_USAGE },
		{ ERR_LOCKED, EXIT_LOCKED },
		{ ERR_CONFLICT, EXIT_CONFLICT },
	};

	for (size_t i = 0; i < array_size(table); i++)
		if (table[i].kind == kind)
			return table[i].status;
	return EXIT_FAILED;
}

void verb_list(const struct verb *verbs, struct buf *out)
{
	for (const struct verb *verb = verbs; verb->name; verb++)
		buf_addf(out, "%s%s", verb == verbs ? "" : ", ", verb->name);
}

void verb_print(const struct verb *verbs, struct buf *out)
{
	for (; verbs->name; verbs++)
		buf_addf(out, "  %-10s %s\n", verbs->name, verbs->summary);
}

static const struct verb *verb_find(const struct verb *verbs, const char *name)
{
	for (const struct verb *verb = verbs; verb->name; verb++)
		if (strcmp(verb->name, name) == 0)
			return verb;
	return NULL;
}

static int verb_refuse(const struct verb *verbs, const char *name,
		       struct err *e)
{
	const char *nearest = NULL;
	size_t least = NEAR_NONE;
	auto_buf struct buf names = { 0 };

	for (const struct verb *verb = verbs; verb->name; verb++)
		if (near_improves(span_of(verb->name), span_of(name), &least))
			nearest = verb->name;
	if (nearest)
		return err_set(e, ERR_USAGE,
			       "there is no verb \"%.60s\"; did you mean "
			       "\"%s\"?",
			       name, nearest);
	verb_list(verbs, &names);
	return err_set(e, ERR_USAGE,
		       "there is no verb \"%.60s\"; there are: %s", name,
		       names.at);
}

static bool is_help(const char *arg)
{
	return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0;
}

int verb_choose(const struct verb *verbs, char *const **args,
		const struct verb **out, struct err *e)
{
	const struct verb *verb = verb_find(verbs, **args);

	if (!verb)
		return verb_refuse(verbs, **args, e);
	const char *next = *++*args;
	*out = verb;
	if (!verb->verbs || !next || is_help(next))
		return 0;
	return verb_choose(verb->verbs, args, out, e);
}

int args_end(char *const *args, struct err *e)
{
	if (!args[0])
		return 0;
	return err_set(e, ERR_USAGE,
		       "\"%.60s\" is a word too many; leave it out", args[0]);
}

int print_out(const struct buf *text, struct err *e)
{
	if ((text->len == 0 || fwrite(text->at, text->len, 1, stdout) == 1) &&
	    fflush(stdout) == 0)
		return 0;
	return err_sys(e, "standard output");
}

/* Asked anywhere behind the verb, help is all that is given. */
static bool wants_help(char *const *args)
{
	for (; *args; args++)
		if (is_help(*args))
			return true;
	return false;
}

static int run(const struct verb *verb, const struct call *call, struct err *e)
{
	auto_buf struct buf help = { 0 };

	if (!wants_help(call->args))
		return verb->run(call, e);
	verb->help(call, &help);
	return print_out(&help, e);
}

static int dispatch(const struct verb *verbs, char *const *argv, struct err *e)
{
	if (!argv[0] || !argv[1])
		return err_set(e, ERR_USAGE,
			       "a verb is missing; try \"private-registry "
			       "serve\", or \"private-registry --help\"");
	char *const *args = argv + 1;
	const struct verb *verb = NULL;
	if (is_help(*args))
		verb = verb_find(verbs, "help");
	else if (strcmp(*args, "--version") == 0)
		verb = verb_find(verbs, "version");
	if (verb)
		args++;
	else if (verb_choose(verbs, &args, &verb, e) < 0)
		return -1;
	struct call call = {
		.verbs = verb->verbs ? verb->verbs : verbs,
		.args = args,
	};
	return run(verb, &call, e);
}

int cli_main(const struct verb *verbs, char *const *argv)
{
	struct err e;

	if (dispatch(verbs, argv, &e) == 0)
		return 0;
	fprintf(stderr, "private-registry: %s\n", e.message);
	return exit_status(e.kind);
}
