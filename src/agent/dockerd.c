/*
 * What happens around daemon.json: the file is one thing, what dockerd has in
 * force another.
 */
#include <string.h>

#include "agent/docker.h"
#include "agent/inside.h"
#include "base/mem.h"
#include "oci/hash.h"

/* ------------------------------------------------------------------- settle */

static const struct entry *
entry_of(struct agent *agent, const struct wish *wish, struct host_file *now)
{
	struct err ignored;

	if (host_read(&agent->host, wish->path, now, &ignored) < 0 ||
	    !now->exists ||
	    !wish->kind->has(buf_span(&now->text), buf_span(&wish->element)))
		return NULL;
	return journal_find(agent->journal, now->path.s);
}

static void refuse(struct agent *agent, const struct entry *entry,
		   const struct err *why, struct agent_report *report)
{
	struct err e;

	agent->docker_refused = true;
	report->failures++;
	report_line(report, "docker", "failed",
		    "%s; what was written is taken back", why->message);
	if (entry_undo(agent, entry, &e) < 0)
		report_line(report, "docker", "failed", "%s", e.message);
}

/* 1: it had it already. */
static int force(struct agent *agent, const struct wish *wish, struct err *e)
{
	const struct docker_question question = {
		.element = buf_span(&wish->element),
	};
	struct docker_info info;

	if (docker_ask(&agent->host, &question, &info, e) < 0)
		return -1;
	if (info.has_ours)
		return 1;
	return docker_reload(&agent->host, &question, DOCKER_HAS, e);
}

void docker_settle(struct agent *agent, struct wish *wish,
		   struct agent_report *report)
{
	auto_host_file struct host_file now = { 0 };
	const struct entry *entry = entry_of(agent, wish, &now);
	struct err e;

	if (!entry)
		return;
	int forced = force(agent, wish, &e);
	if (forced == 0) {
		report_line(report, "docker", "reloaded", "its configuration");
	} else if (forced < 0 && e.kind == ERR_CONFLICT) {
		wish->is_off = true;
		wish->is_true = false;
		refuse(agent, entry, &e, report);
	} else if (forced < 0) {
		report->pending++;
		report_line(report, "docker", "pending",
			    "it is told to read %s when it answers: %s",
			    wish->path, e.message);
	}
}

/* ------------------------------------------------------------------ release */

/*
 * Adds the text with nothing in the place of ours, and to `emptied` the keys
 * in which that is. A key that the operator has set does the same for us.
 */
static void clear_make(struct span elements, struct span base,
		       struct buf *emptied, struct buf *out)
{
	buf_add(out, base.at ? base : SPAN("{}\n"));
	while (elements.len > 0) {
		struct span pair = span_cut(&elements, ' ');
		struct span key = span_cut(&pair, '=');
		auto_buf struct buf one = { 0 }, next = { 0 };
		struct err ignored;

		buf_addf(&one, "%.*s=", SPAN_ARG(key));
		if (kind_element_has(buf_span(emptied), buf_span(&one)) ||
		    kind_daemon.put(buf_span(out), buf_span(&one), &next,
				    &ignored) < 0)
			continue;
		buf_addf(emptied, "%s%s", emptied->len ? " " : "", one.at);
		buf_clear(out);
		buf_add(out, buf_span(&next));
	}
}

/* What is there but for ours, as agent/apply.c would find it. */
static bool base_find(const struct entry *entry, const struct host_file *now,
		      struct buf *out)
{
	if (!now->exists)
		return false;
	if (entry_is_ours(entry, buf_span(&now->text))) {
		buf_add(out, buf_span(&entry->original));
		return entry->existed;
	}
	entry_take(entry, &kind_daemon, buf_span(&now->text), out);
	return true;
}

/* The journal's next entry of a file that is about to be cleared. */
static struct entry *clear_entry(const struct entry *before,
				 const struct host_file *now, struct span base,
				 const struct buf *emptied)
{
	struct entry *entry =
		entry_make(before->path, before->kind, before->engine);
	auto_buf struct buf older = { 0 };

	entry->since = before->since;
	entry->existed = base.at;
	entry->apart = now->apart;
	entry->mode = now->mode;
	entry->uid = now->uid;
	entry->gid = now->gid;
	buf_add(&entry->original, base.at ? base : SPAN(""));
	entry_words(before, buf_span(emptied), &older);
	for (size_t i = 0; i < array_size(entry->elements); i++)
		free(entry->elements[i]);
	entry->elements[0] = mem_text(buf_span(&older).at);
	entry->elements[1] = mem_text(buf_span(emptied).at);
	return entry;
}

static int clear_keep(struct agent *agent, const struct entry *before,
		      const struct host_file *now, struct span base,
		      const struct buf *emptied, const struct buf *clear,
		      struct err *e)
{
	struct entry *entry = clear_entry(before, now, base, emptied);

	entry->ours[0] = entry->ours[1] =
		hash_of(DIGEST_SHA256, buf_span(clear));
	if (now->exists)
		entry->ours[0] = hash_of(DIGEST_SHA256, buf_span(&now->text));
	return journal_keep(agent->journal, &entry, e);
}

/* The file holds nothing of ours but the keys. */
static int clear_write(struct agent *agent, const struct entry **entry,
		       struct err *e)
{
	auto_host_file struct host_file now = { 0 };
	auto_buf struct buf base = { 0 }, clear = { 0 }, emptied = { 0 };
	auto_buf struct buf words = { 0 };
	auto_free char *path = mem_text((*entry)->path);

	if (host_read(&agent->host, path, &now, e) < 0 ||
	    entry_check(*entry, &now, e) < 0)
		return -1;
	struct span text = buf_span(&now.text);
	bool existed = base_find(*entry, &now, &base);
	struct span kept = existed ? buf_span(&base) : SPAN_NONE;
	entry_words(*entry, SPAN(""), &words);
	clear_make(buf_span(&words), kept, &emptied, &clear);
	if (now.exists && span_eq(text, buf_span(&clear)))
		return 0;
	if (clear_keep(agent, *entry, &now, kept, &emptied, &clear, e) < 0)
		return -1;
	*entry = journal_find(agent->journal, path);
	return host_replace(&agent->host, &now, buf_span(&clear), e);
}

enum docker_grip docker_release(struct agent *agent, const struct entry **entry,
				struct err *e)
{
	auto_buf struct buf words = { 0 };
	struct docker_info info;

	entry_words(*entry, SPAN(""), &words);
	const struct docker_question question = {
		.element = buf_span(&words),
	};
	/* One that does not run will read what is put back. */
	if (docker_ask(&agent->host, &question, &info, e) < 0)
		return e->kind == ERR_NOT_FOUND ? DOCKER_FREE : DOCKER_BUSY;
	if (!info.has_ours)
		return DOCKER_FREE;
	if (clear_write(agent, entry, e) < 0)
		return DOCKER_BUSY;
	if (docker_reload(&agent->host, &question, DOCKER_HAS_NOT, e) == 0)
		return DOCKER_FREE;
	return e->kind == ERR_CONFLICT ? DOCKER_HOLDS : DOCKER_BUSY;
}

int docker_released(struct agent *agent, const struct entry *entry,
		    struct err *e)
{
	auto_buf struct buf words = { 0 };
	struct docker_info info;

	entry_words(entry, SPAN(""), &words);
	const struct docker_question question = {
		.element = buf_span(&words),
	};
	if (docker_ask(&agent->host, &question, &info, e) < 0)
		return e->kind == ERR_NOT_FOUND ? 0 : -1;
	if (info.has_ours)
		return err_set(e, ERR_BUSY,
			       "dockerd has read it before it was put back");
	return 0;
}
