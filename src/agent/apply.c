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

enum { OLDER_MOST = 4000 }; /* the journal has room for that */

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

/* An operator may have put the same authority there. */
static bool is_the_operators(const struct change *change)
{
	struct span element = buf_span(&change->wish->element);

	return !change->entry && change->now.exists &&
	       change->wish->kind == &kind_file &&
	       span_eq(buf_span(&change->now.text),
		       span_from(element, strlen(KIND_FILE_HEAD)));
}

/* ------------------------------------------------------------- the journal */

/*
 * All that was ours there before: a change that failed has left it in the file,
 * or in what an engine has in force.
 */
static void older_gather(const struct entry *before, struct span wished,
			 struct buf *out)
{
	entry_words(before, wished, out);
	if (out->len <= OLDER_MOST)
		return;
	buf_clear(out);
	buf_addf(out, "%s", before->elements[1]);
}

static void elements_keep(const struct change *change, struct entry *entry)
{
	const struct buf *element = &change->wish->element;
	auto_buf struct buf older = { 0 };

	if (!change->wish->kind->remembers)
		return;
	if (change->entry)
		older_gather(change->entry, buf_span(element), &older);
	for (size_t i = 0; i < array_size(entry->elements); i++)
		free(entry->elements[i]);
	entry->elements[0] = mem_text(buf_span(&older).at);
	entry->elements[1] = mem_text(element->at);
}

static int file_keep(const struct change *change, struct err *e)
{
	const struct entry *before = change->entry;
	const struct host_file *now = &change->now;
	struct entry *entry = entry_make(now->path.s, change->wish->kind->name,
					 change->wish->engine);
	bool kept = is_as_we_left_it(change);

	entry->since = before ? before->since : clock_wall_s();
	entry->existed = change->base_exists;
	entry->apart = now->apart;
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
static int directory_make(struct agent *agent, const struct wish *wish,
			  const char *path, struct err *e)
{
	struct host_path parent = host_parent(path);

	if (host_has(&agent->host, path))
		return 0;
	if (directory_make(agent, wish, parent.s, e) < 0)
		return -1;
	if (!journal_find(agent->journal, path)) {
		struct entry *entry =
			entry_make(path, ENTRY_DIRECTORY, wish->engine);

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
	    directory_make(agent, change->wish, host_parent(path).s, e) < 0)
		return -1;
	return host_replace(&agent->host, &change->now, buf_span(&change->next),
			    e);
}

/* Nothing is to be done; 1: something is. */
static int change_look(struct change *change, struct agent_report *report,
		       struct err *e)
{
	struct agent *agent = change->agent;
	const struct wish *wish = change->wish;

	if (host_read(&agent->host, wish->path, &change->now, e) < 0)
		return -1;
	change->entry = journal_find(agent->journal, change->now.path.s);
	if (change->entry && entry_reach(change->entry, &change->now, e) < 0)
		return -1;
	/* An undo that was killed may have begun to write. */
	if (change->entry && agent->use == AGENT_CHANGE &&
	    host_tidy(&agent->host, change->now.path.s, e) < 0)
		return -1;
	if (is_true_already(change)) {
		report_keeps(report, wish->engine, wish->path,
			     change->entry->since);
		return 0;
	}
	if (is_the_operators(change)) {
		report_line(report, wish->engine, "note",
			    "%s is there already, and the operator's",
			    wish->path);
		return 0;
	}
	if (change->now.exists && change->now.names > 1)
		return err_set(e, ERR_CONFLICT,
			       "it has another name (a hard link)");
	return 1;
}

static int change_run(struct change *change, struct agent_report *report,
		      struct err *e)
{
	struct agent *agent = change->agent;
	const struct wish *wish = change->wish;

	int found = change_look(change, report, e);
	if (found <= 0)
		return found;
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

static int wish_try(struct agent *agent, const struct wish *wish,
		    struct agent_report *report, struct err *e)
{
	auto_with(change_free) struct change change = {
		.agent = agent,
		.wish = wish,
	};

	return change_run(&change, report, e);
}

/* Somebody has edited it, and there is nothing new to say in it. */
static bool is_edited_only(const struct wish *wish, const struct entry *entry)
{
	struct digest digest = hash_of(DIGEST_SHA256, buf_span(&wish->element));

	return wish->kind->whole && digest_eq(&digest, &entry->ours[1]);
}

/*
 * Where the operator has his say, ours goes: it may name a registry that is no
 * more. 1: there is none; 0: it went, and the wish is worth another try.
 */
static int ours_yield(struct agent *agent, const struct wish *wish,
		      struct agent_report *report, struct err *e)
{
	auto_host_file struct host_file now = { 0 };
	struct err ignored;

	if (agent->use == AGENT_TELL ||
	    host_read(&agent->host, wish->path, &now, &ignored) < 0)
		return 1;
	const struct entry *entry = journal_find(agent->journal, now.path.s);
	if (!entry || is_edited_only(wish, entry))
		return 1;
	if (entry_undo(agent, entry, e) < 0)
		return -1;
	report->changes++;
	report_line(report, wish->engine, "undid", "%s", wish->path);
	return 0;
}

static void wish_apply(struct agent *agent, struct wish *wish,
		       struct agent_report *report)
{
	struct err e;

	int failed = wish_try(agent, wish, report, &e);
	if (failed && e.kind == ERR_CONFLICT &&
	    ours_yield(agent, wish, report, &e) == 0)
		failed = wish_try(agent, wish, report, &e);
	wish->is_true = !failed;
	if (!failed)
		return;
	err_wrap(&e, "%s", wish->path);
	report_trouble(report, wish->engine, &e);
}

/* Nothing that names an authority is there without it. */
static bool lacks_authority(struct agent *agent, const struct wish *wish)
{
	auto_host_file struct host_file file = { 0 };
	struct err ignored;

	return is_authority(wish->path) && !wish->is_true &&
	       (host_read(&agent->host, wish->path, &file, &ignored) < 0 ||
		!file.exists);
}

static bool is_refused(const struct agent *agent, const struct wish *wish,
		       struct agent_report *report)
{
	if (wish->kind != &kind_daemon || !agent->docker_refused)
		return false;
	report->failures++;
	report_line(report, wish->engine, "failed",
		    "%s: dockerd refused it before; start the agent again",
		    wish->path);
	return true;
}

static void plan_apply(struct agent *agent, struct plan *plan,
		       struct agent_report *report)
{
	const char *lacking = ""; /* the engine that has no authority */

	for (size_t i = 0; i < plan->count; i++) {
		struct wish *wish = &plan->at[i];

		wish->is_off = strcmp(wish->engine, lacking) == 0 ||
			       is_refused(agent, wish, report);
		if (wish->is_off)
			continue;
		wish_apply(agent, wish, report);
		if (wish->kind == &kind_daemon && agent->use == AGENT_CHANGE)
			docker_settle(agent, wish, report);
		if (!lacks_authority(agent, wish))
			continue;
		lacking = wish->engine;
		report_line(report, wish->engine, "note",
			    "nothing is pointed without its authority");
	}
}

int agent_apply(struct agent *agent, const struct agent_target *given,
		struct agent_report *report, struct err *e)
{
	auto_with(plan_free) struct plan plan = {
		.permits = agent->permits,
		.report = report,
	};
	struct target target;

	if (target_parse(given, &target, e) < 0)
		return -1;
	plan_make(&agent->host, &target, &plan);
	plan_apply(agent, &plan, report);
	undo_others(agent, &plan, report);
	services_settle(agent, report);
	return 0;
}
