/*
 * From argv to a verb, and from its error to one sentence and an exit status.
 */
#include "cli/cli.h"

#include <stdio.h>

#include "cli/inside.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_LOCKED = 3 };

static int exit_status(enum err_kind kind)
{
	static const struct {
		enum err_kind kind;
		int status;
	} table[] = {
		{ ERR_USAGE, EXIT_USAGE },
		{ ERR_LOCKED, EXIT_LOCKED },
	};

	for (size_t i = 0; i < array_size(table); i++)
		if (table[i].kind == kind)
			return table[i].status;
	return EXIT_FAILED;
}

const struct verb *verb_find(const struct verb *verbs, const char *name)
{
	for (const struct verb *verb = verbs; verb->name; verb++)
		if (strcmp(verb->name, name) == 0)
			return verb;
	return NULL;
}

int verb_refuse(const struct verb *verbs, const char *name, struct err *e)
{
	auto_buf struct buf names = { 0 };

	for (const struct verb *verb = verbs; verb->name; verb++)
		buf_addf(&names, "%s%s", names.len ? ", " : "", verb->name);
	return err_set(e, ERR_USAGE,
		       "there is no verb \"%.60s\"; there are: %s", name,
		       names.at);
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
	if (fwrite(text->at, 1, text->len, stdout) == text->len &&
	    fflush(stdout) == 0)
		return 0;
	return err_sys(e, "standard output");
}

static bool is_help(const char *arg)
{
	return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0;
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
	struct call call = { .verbs = verbs, .args = argv + 2 };
	const char *name = argv[1];
	if (is_help(name))
		name = "help";
	else if (strcmp(name, "--version") == 0)
		name = "version";
	const struct verb *verb = verb_find(verbs, name);
	if (!verb)
		return verb_refuse(verbs, name, e);
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
