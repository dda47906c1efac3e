/*
 * What each verb does with its words, and what it says about itself.
 */
#include "base/version.h"
#include "cli/inside.h"
#include "cli/user.h"

/* -------------------------------------------------------------------- serve */

int cli_serve(const struct call *call, struct err *e)
{
	auto_of(config) struct config *config = NULL;

	if (options_load(call->args, &config, e) < 0 ||
	    user_settle(config, e) < 0)
		return -1;
	return serve_run(steal_ptr(&config), call->args, e);
}

void cli_serve_help(const struct call *call, struct buf *out)
{
	(void)call;
	buf_addf(out,
		 "usage: private-registry serve [--config FILE] "
		 "[--KEY VALUE]...\n"
		 "\n"
		 "A registry to push to and a mirror to pull through, on one "
		 "port. Without any\n"
		 "option: port 5000, everything in ./data, Docker Hub mirrored."
		 "\n"
		 "\n"
		 "Examples\n"
		 "  private-registry serve\n"
		 "  private-registry serve --data /srv/images --upstream "
		 "ghcr.io,quay.io\n"
		 "  private-registry serve --listen :5000 --listen "
		 ":5001=docker.io\n"
		 "\n"
		 "Options\n"
		 "  --config FILE           YAML, with any of the keys below\n"
		 "  --help                  this text\n"
		 "\n"
		 "Every option below is also a key of the file, as in "
		 "mirror: {patience: 2s}, and\n"
		 "a variable, as in PRIVATE_REGISTRY_MIRROR_PATIENCE=2s. "
		 "Options outweigh\n"
		 "variables, and variables the file. # counts a list's "
		 "elements, from 0.\n"
		 "\n");
	config_print_keys(out);
	buf_addf(out,
		 "\n"
		 "Exit status\n"
		 "  0 stopped as asked, 1 it failed, 2 the command line or the "
		 "configuration is\n"
		 "  wrong, 3 another process uses the data directory\n");
}

/* --------------------------------------------------------------------- help */

static void print_overview(const struct verb *verbs, struct buf *out)
{
	buf_addf(out, "usage: private-registry VERB [OPTION]...\n"
		      "\n"
		      "A Docker and OCI registry of your own, and a mirror of "
		      "the others.\n"
		      "\n"
		      "Verbs\n");
	verb_print(verbs, out);
	buf_addf(
		out,
		"\n"
		"Begin with\n"
		"  private-registry serve             port 5000, everything in "
		"./data\n"
		"  private-registry serve --help      what can be decided\n");
}

int cli_help(const struct call *call, struct err *e)
{
	auto_buf struct buf out = { 0 };
	struct call about = *call;
	const struct verb *verb;

	if (!*call->args) {
		print_overview(call->verbs, &out);
		return print_out(&out, e);
	}
	if (verb_choose(call->verbs, &about.args, &verb, e) < 0 ||
	    args_end(about.args, e) < 0)
		return -1;
	if (verb->verbs)
		about.verbs = verb->verbs;
	verb->help(&about, &out);
	return print_out(&out, e);
}

void cli_help_help(const struct call *call, struct buf *out)
{
	print_overview(call->verbs, out);
}

/* ------------------------------------------------------------------ version */

int cli_version(const struct call *call, struct err *e)
{
	auto_buf struct buf out = { 0 };

	if (args_end(call->args, e) < 0)
		return -1;
	buf_addf(&out, "%s\n", program_text);
	return print_out(&out, e);
}

void cli_version_help(const struct call *call, struct buf *out)
{
	(void)call;
	buf_addf(out, "usage: private-registry version\n"
		      "\n"
		      "Tells which version this is.\n");
}
