/*
 * private-registry config: what is written, before it is served.
 */
#include <stdio.h>

#include "cli/inside.h"

/* -------------------------------------------------------------------- check */

static int check(const struct call *call, struct err *e)
{
	auto_buf struct buf problems = { 0 };
	auto_buf struct buf fine = { 0 };
	const char *file = call->args[0];

	if (!file)
		return err_set(e, ERR_USAGE,
			       "a file is missing; write private-registry "
			       "config check FILE");
	if (args_end(call->args + 1, e) < 0)
		return -1;
	size_t count = config_check(file, &problems);
	if (count > 0) {
		fputs(problems.at, stderr);
		return err_set(e, ERR_USAGE, "%.200s has %zu problem%s", file,
			       count, count == 1 ? "" : "s");
	}
	buf_addf(&fine, "%s has no problem\n", file);
	return print_out(&fine, e);
}

static void check_help(const struct call *call, struct buf *out)
{
	(void)call;
	buf_addf(out,
		 "usage: private-registry config check FILE\n"
		 "\n"
		 "Reads the file alone and tells everything that is wrong with "
		 "it, a line each,\n"
		 "on standard error.\n"
		 "\n"
		 "Exit status\n"
		 "  0 nothing is wrong, 2 something is\n");
}

/* --------------------------------------------------------------------- show */

static int show(const struct call *call, struct err *e)
{
	auto_buf struct buf out = { 0 };

	if (options_show(call->args, &out, e) < 0)
		return -1;
	return print_out(&out, e);
}

static void show_help(const struct call *call, struct buf *out)
{
	(void)call;
	buf_addf(out,
		 "usage: private-registry config show [--config FILE] "
		 "[--KEY VALUE]...\n"
		 "\n"
		 "Takes what \"serve\" takes, and the same variables, and "
		 "prints what would\n"
		 "hold, as a file of configuration. Behind each value stands "
		 "where it was\n"
		 "written: in a line of the file, in a variable, as an option, "
		 "or nowhere\n"
		 "(default). Passwords are in files of their own, which are "
		 "not shown.\n");
}

/* --------------------------------------------------------------------- docs */

static int docs(const struct call *call, struct err *e)
{
	auto_buf struct buf out = { 0 };

	if (args_end(call->args, e) < 0)
		return -1;
	config_print_page(&out);
	return print_out(&out, e);
}

static void docs_help(const struct call *call, struct buf *out)
{
	(void)call;
	buf_addf(out, "usage: private-registry config docs\n"
		      "\n"
		      "Prints every key in Markdown, as docs/configuration.md "
		      "has it.\n");
}

/* ---------------------------------------------------------------- the group */

const struct verb cli_config_verbs[] = {
	{ "check", "tell everything that is wrong with a file", check,
	  .help = check_help },
	{ "show", "tell what holds, and where it was written", show,
	  .help = show_help },
	{ "docs", "print every key in Markdown", docs, .help = docs_help },
	{ 0 },
};

int cli_config(const struct call *call, struct err *e)
{
	auto_buf struct buf names = { 0 };

	verb_list(call->verbs, &names);
	return err_set(e, ERR_USAGE,
		       "a verb is missing behind \"config\"; there are: %s",
		       names.at);
}

void cli_config_help(const struct call *call, struct buf *out)
{
	buf_addf(out, "usage: private-registry config VERB [OPTION]...\n"
		      "\n"
		      "How the registry is configured, before it serves.\n"
		      "\n"
		      "Verbs\n");
	verb_print(call->verbs, out);
}
