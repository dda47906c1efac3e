/*
 * private-registry keep: what rules do not keep goes now, or is told of. The
 * rules are those of whoever asks, so that they can be tried before they hold:
 * the process that serves is sent them, in the form of options.
 */
#include "cli/keep.h"

#include "base/mem.h"
#include "cli/errand.h"
#include "cli/inside.h"
#include "cli/say.h"

#define WORDS_MOST 4096

/* ------------------------------------------------------------------ rules */

/* They are as long as a pattern may be. */
static struct keep_rule rule_of(const struct config_keep *from, size_t number)
{
	struct keep_rule rule = {
		.number = number,
		.last = from->last,
		.pushed_within = from->pushed_within_ms,
		.pulled_within = from->pulled_within_ms,
		.untagged_after = from->untagged_after_ms,
		.orphans = from->orphans == ORPHANS_REMOVED,
	};

	span_copy(span_of(from->repositories), rule.repositories,
		  sizeof(rule.repositories));
	if (from->tags)
		span_copy(span_of(from->tags), rule.tags, sizeof(rule.tags));
	return rule;
}

struct keep_rule *keep_rules_of(const struct config *config)
{
	struct keep_rule *rules = mem_array(config->keep_count, sizeof(*rules));

	for (size_t i = 0; i < config->keep_count; i++)
		rules[i] = rule_of(&config->keep[i], i);
	return rules;
}

/* ----------------------------------------------------------------- saying */

static void tell(const struct store_gone *gone, void *arg)
{
	const struct saying *saying = arg;
	auto_buf struct buf line = { 0 };

	buf_addf(&line, "%s", gone->repository->name.s);
	if (gone->tag)
		buf_addf(&line, ":%s", gone->tag->s);
	buf_addf(&line, "@%s: %s", digest_text(gone->digest).s, gone->why);
	saying->line(saying->arg, line.at);
}

static void say_kept(const struct store_kept *kept, bool dry,
		     const struct saying *saying)
{
	auto_buf struct buf line = { 0 };

	if (kept->tags + kept->manifests == 0)
		buf_addf(&line, "Nothing to remove.");
	else
		buf_addf(&line, "%s %llu tag%s, %llu manifest%s.",
			 dry ? "Would remove" : "Removed",
			 (unsigned long long)kept->tags,
			 kept->tags == 1 ? "" : "s",
			 (unsigned long long)kept->manifests,
			 kept->manifests == 1 ? "" : "s");
	saying->line(saying->arg, line.at);
}

/* ---------------------------------------------------------------- keeping */

static int keep_run(struct store *store, const struct config *config, bool dry,
		    const struct saying *saying, struct err *e)
{
	auto_free struct keep_rule *rules = keep_rules_of(config);
	struct saying copy = *saying;
	struct store_keep how = {
		.rules = rules,
		.count = config->keep_count,
		.dry = dry,
		.tell = tell,
		.arg = &copy,
	};
	struct store_kept kept;
	int failed = store_keep(store, &how, &kept, e);

	say_kept(&kept, dry, saying);
	return failed;
}

/* "keep", "dry" or "now", and the rules as options. */
int keep_answer(const char *request, const struct saying *saying, void *arg,
		struct err *e)
{
	auto_of(config) struct config *config = NULL;
	auto_free char *text = mem_text(request);
	auto_free const char **words = mem_array(WORDS_MOST, sizeof(*words));
	size_t count = 0;
	char *rest = text;

	while (rest && count < WORDS_MOST)
		words[count++] = strsep(&rest, " ");
	if (rest || count < 2)
		return err_set(e, ERR_USAGE, "this request is too long");
	if (config_load(&(struct config_source){ .flags = words + 2,
						 .flag_count = count - 2 },
			&config, e) < 0)
		return -1;
	return keep_run(arg, config, strcmp(words[1], "dry") == 0, saying, e);
}

struct keep_alone {
	const struct config *config;
	bool dry;
};

static int keep_alone(struct store *store, const struct saying *saying,
		      void *arg, struct err *e)
{
	const struct keep_alone *alone = arg;

	return keep_run(store, alone->config, alone->dry, saying, e);
}

static int keep_do(const struct config *config, bool dry,
		   const struct saying *saying, struct err *e)
{
	auto_buf struct buf request = { 0 };
	struct keep_alone alone = { config, dry };

	buf_addf(&request, "keep %s", dry ? "dry" : "now");
	config_print_list(config, "keep[].repositories", &request);
	struct errand errand = { request.at, keep_alone, &alone };
	return errand_run(&errand, config->data, saying, e);
}

/* ---------------------------------------------------------------- the verb */

int cli_keep(const struct call *call, struct err *e)
{
	auto_of(config) struct config *config = NULL;
	auto_with(screen_close) struct screen screen;
	auto_free char **rest = NULL;
	int64_t dry = 0;
	const struct own_option own[] = {
		{ "--dry-run", .out = &dry },
		{ 0 },
	};

	screen_open(&screen);
	if (own_options_take(call->args, own, &rest, e) < 0 ||
	    options_load_as_owner(rest, &config, e) < 0)
		return -1;
	if (config->keep_count == 0)
		return err_set(e, ERR_USAGE,
			       "there are no keep rules; write --config FILE "
			       "with some");
	return keep_do(config, dry, &screen.saying, e);
}

void cli_keep_help(const struct call *call, struct buf *out)
{
	(void)call;
	buf_addf(
		out,
		"usage: private-registry keep [--dry-run] [--config FILE] "
		"[--KEY VALUE]...\n"
		"\n"
		"Removes at once what the keep rules of the configuration do "
		"not keep: tags, and\n"
		"manifests without one. The registry does so by itself, too. "
		"If one serves the\n"
		"data directory, it is asked to do it by these rules, which "
		"may be others than\n"
		"its own.\n"
		"\n"
		"Examples\n"
		"  private-registry keep --dry-run --config new.yaml\n"
		"  private-registry keep --dry-run --keep.0.repositories "
		"'ci/**' --keep.0.last 10\n"
		"\n"
		"Options\n"
		"  --dry-run               only tell what would go, and why\n" COMMON_OPTIONS
		"\n"
		"Exit status\n"
		"  0 it is done, 1 it failed, 2 the command line or the "
		"configuration is wrong,\n"
		"  3 a process uses the data directory and does not listen\n");
}
