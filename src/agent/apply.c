/*
 * A wish becomes true in this order: the journal has what is there; directories
 * are made, each of which the journal has as well; the file is replaced. So
 * whenever it stops, the journal knows all that was changed, and perhaps of
 * something that was not.
 */
#include "agent/inside.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "oci/hash.h"

/* A wish on its way. */
struct change {
	struct agent *agent;
	const struct wish *wish;
	const struct entry *entry; /* null: the file is not ours so far */
	struct host_file now;
	struct buf base; /* without what is ours */
	bool base_exists;
	struct buf next;
};

static void change_free(struct change *change)
{
	host_file_free(&change->now);
	buf_free(&change->base);
	buf_free(&change->next);
}

static struct span text_now(const struct change *change)
{
	return change->now.exists ? buf_span(&change->now.text) : SPAN_NONE;
}

static bool is_as_we_left_it(const struct change *change)
{
	return change->entry && change->now.exists &&
	       entry_is_ours(change->entry, buf_span(&change->now.text));
}

/* What was there before us, with what the operator has changed since. */
static void base_find(struct change *change)
{
	change->base_exists = change->now.exists;
	if (is_as_we_left_it(change)) {
		change->base_exists = change->entry->existed;
		buf_add(&change->base, buf_span(&change->entry->original));
	} else if (change->now.exists && change->entry) {
		entry_take(change->entry, change->wish->kind,
			   buf_span(&change->now.text), &change->base);
	} else if (change->now.exists) {
		buf_add(&change->base, buf_span(&change->now.text));
	}
}

static int next_make(struct change *change, struct err *e)
{
	const struct wish *wish = change->wish;

	if (!change->entry && change->now.exists &&
	    wish->kind->is_marked(buf_span(&change->now.text)))
		return err_set(e, ERR_CONFLICT,
			       "it has something of ours of which nothing is "
			       "known; remove that");
	base_find(change);
	return wish->kind->put(change->base_exists ? buf_span(&change->base) :
						     SPAN_NONE,
			       buf_span(&wish->element), &change->next, e);
}

static bool is_true_already(const struct change *change)
{
	return change->entry && change->now.exists &&
	       change->wish->kind->has(buf_span(&change->now.text),
				       buf_span(&change->wish->element));
}

/* ------------------------------------------------------------- the journal */

static void elements_keep(const struct change *change, struct entry *entry)
{
	const struct entry *before = change->entry;
	const struct buf *element = &change->wish->element;

	if (!change->wish->kind->remembers)
		return;
	for (size_t i = 0; i < array_size(entry->elements); i++)
		free(entry->elements[i]);
	entry->elements[0] =
		mem_text(before ? before->elements[1] : element->at);
	entry->elements[1] = mem_text(element->at);
}

static int file_keep(const struct change *change, struct err *e)
{
	const struct entry *before = change->entry;
	const struct host_file *now = &change->now;
	struct entry *entry = entry_make(now->path.s, change->wish->kind->name);
	bool kept = is_as_we_left_it(change);

	entry->since = before ? before->since : clock_wall_s();
	entry->existed = change->base_exists;
	entry->mode = kept ? before->mode : now->mode;
	entry->uid = kept ? before->uid : now->uid;
	entry->gid = kept ? before->gid : now->gid;
	buf_add(&entry->original, buf_span(&change->base));
	entry->ours[0] = entry->ours[1] =
		hash_of(DIGEST_SHA256, buf_span(&change->next));
	if (kept)
		entry->ours[0] = hash_of(DIGEST_SHA256, buf_span(&now->text));
	elements_keep(change, entry);
	return journal_keep(change->agent->journal, &entry, e);
}

/* With those that it lies in, as far as they are missing. */
static int directory_make(struct agent *agent, const char *path, struct err *e)
{
	struct host_path parent = host_parent(path);

	if (host_has(&agent->host, path))
		return 0;
	if (directory_make(agent, parent.s, e) < 0)
		return -1;
	if (!journal_find(agent->journal, path)) {
		struct entry *entry = entry_make(path, ENTRY_DIRECTORY);

		entry->since = clock_wall_s();
		if (journal_keep(agent->journal, &entry, e) < 0)
			return -1;
	}
	return host_make_dir(&agent->host, path, e);
}

/* ------------------------------------------------------------- the wish */

static int change_make(const struct change *change, struct err *e)
{
	struct agent *agent = change->agent;
	const char *path = change->now.path.s;

	if (file_keep(change, e) < 0 ||
	    directory_make(agent, host_parent(path).s, e) < 0)
		return -1;
	return host_replace(&agent->host, &change->now, buf_span(&change->next),
			    e);
}

static int change_run(struct change *change, struct agent_report *report,
		      struct err *e)
{
	struct agent *agent = change->agent;
	const struct wish *wish = change->wish;

	if (host_read(&agent->host, wish->path, &change->now, e) < 0)
		return -1;
	change->entry = journal_find(agent->journal, change->now.path.s);
	/* An undo that was killed may have begun to write. */
	if (change->entry && agent->use == AGENT_CHANGE &&
	    host_tidy(&agent->host, change->now.path.s, e) < 0)
		return -1;
	if (is_true_already(change)) {
		report_keeps(report, wish->engine, wish->path,
			     change->entry->since);
		return 0;
	}
	if (next_make(change, e) < 0)
		return -1;
	report->changes++;
	if (agent->use == AGENT_TELL) {
		report_diff(report, change->now.path.s, text_now(change),
			    buf_span(&change->next));
		report_line(report, wish->engine, "would write", "%s",
			    wish->path);
		return 0;
	}
	if (change_make(change, e) < 0)
		return -1;
	report_line(report, wish->engine, "wrote", "%s", wish->path);
	return 0;
}

void wish_apply(struct agent *agent, const struct wish *wish,
		struct agent_report *report)
{
	auto_with(change_free) struct change change = {
		.agent = agent,
		.wish = wish,
	};
	struct err e;

	if (change_run(&change, report, &e) == 0)
		return;
	bool conflict = e.kind == ERR_CONFLICT;
	report->conflicts += conflict;
	report->failures += !conflict;
	report_line(report, wish->engine, conflict ? "conflict" : "failed",
		    "%s: %s", wish->path, e.message);
}

int agent_apply(struct agent *agent, const struct agent_target *given,
		struct agent_report *report, struct err *e)
{
	auto_with(plan_free) struct plan plan = { .report = report };
	struct target target;

	if (target_parse(given, &target, e) < 0)
		return -1;
	if (plan_make(&agent->host, &target, &plan, e) < 0) {
		report->failures++;
		report_line(report, "agent", "failed", "%s", e->message);
		return 0;
	}
	for (size_t i = 0; i < plan.count; i++) {
		const struct wish *wish = &plan.at[i];

		if (wish->kind == &kind_daemon && agent->docker_refused)
			continue;
		wish_apply(agent, wish, report);
		if (wish->kind == &kind_daemon && agent->use == AGENT_CHANGE)
			docker_settle(agent, wish, report);
	}
	undo_others(agent, &plan, report);
	return 0;
}
