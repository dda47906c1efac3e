/*
 * What happens around daemon.json: the file is one thing, what dockerd has in
 * force another.
 */
#include <string.h>

#include "agent/docker.h"
#include "agent/inside.h"
#include "base/mem.h"
#include "oci/hash.h"

/* The mirror in an element: the first pair is. Null if there is none. */
static char *mirror_of(struct span element)
{
	struct span pair = span_cut(&element, ' ');
	struct span key = span_cut(&pair, '=');

	if (!span_is(key, "registry-mirrors") || pair.len == 0)
		return NULL;
	char *text = mem_alloc(pair.len + 1);
	memcpy(text, pair.at, pair.len);
	return text;
}

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
		    "%s; what was written is taken "
		    "back",
		    why->message);
	if (entry_undo(agent, entry, &e) < 0)
		report_line(report, "docker", "failed", "%s", e.message);
}

void docker_settle(struct agent *agent, const struct wish *wish,
		   struct agent_report *report)
{
	auto_host_file struct host_file now = { 0 };
	auto_free char *mirror = mirror_of(buf_span(&wish->element));
	const struct entry *entry = entry_of(agent, wish, &now);
	struct docker_info info;
	struct err e;

	if (!entry || !mirror)
		return;
	if (docker_ask(&agent->host, mirror, &info, &e) < 0) {
		report_line(report, "docker", "pending", "%s", e.message);
		return;
	}
	if (info.has_this_mirror)
		return;
	if (docker_reload(&agent->host, mirror, DOCKER_HAS, &e) < 0) {
		refuse(agent, entry, &e, report);
		return;
	}
	report_line(report, "docker", "reloaded", "its configuration");
}

/* ------------------------------------------------------------------ release */

/* The keys of an element, each with nothing in it. */
static void emptied(struct span element, struct buf *out)
{
	while (element.at && element.len) {
		struct span pair = span_cut(&element, ' ');
		struct span key = span_cut(&pair, '=');

		buf_addf(out, "%s%.*s=", out->len ? " " : "", SPAN_ARG(key));
	}
}

/* What is there but for ours, as agent/apply.c would find it. */
static bool base_find(const struct entry *entry, const struct host_file *now,
		      struct buf *out)
{
	if (entry_is_ours(entry, buf_span(&now->text))) {
		buf_add(out, buf_span(&entry->original));
		return entry->existed;
	}
	entry_take(entry, &kind_daemon, buf_span(&now->text), out);
	return true;
}

static int clear_keep(struct agent *agent, const struct entry *before,
		      const struct host_file *now, bool existed,
		      const struct buf *base, const struct buf *clear,
		      struct err *e)
{
	struct entry *entry = entry_make(before->path, before->kind);

	entry->since = before->since;
	entry->existed = existed;
	entry->mode = now->mode;
	entry->uid = now->uid;
	entry->gid = now->gid;
	buf_add(&entry->original, buf_span(base));
	entry->ours[0] = hash_of(DIGEST_SHA256, buf_span(&now->text));
	entry->ours[1] = hash_of(DIGEST_SHA256, buf_span(clear));
	for (size_t i = 0; i < array_size(entry->elements); i++) {
		free(entry->elements[i]);
		entry->elements[i] = mem_text(before->elements[i]);
	}
	return journal_keep(agent->journal, &entry, e);
}

/* The file with nothing in the place of ours; 1: somebody has his say there. */
static int clear_write(struct agent *agent, const struct entry **entry,
		       struct err *e)
{
	auto_host_file struct host_file now = { 0 };
	auto_buf struct buf base = { 0 }, clear = { 0 }, element = { 0 };
	auto_free char *path = mem_text((*entry)->path);
	struct err why;

	if (host_read(&agent->host, path, &now, e) < 0)
		return -1;
	if (!now.exists)
		return 1;
	bool existed = base_find(*entry, &now, &base);
	emptied(span_of((*entry)->elements[1]), &element);
	if (kind_daemon.put(existed ? buf_span(&base) : SPAN_NONE,
			    buf_span(&element), &clear, &why) < 0)
		return 1;
	if (clear_keep(agent, *entry, &now, existed, &base, &clear, e) < 0)
		return -1;
	*entry = journal_find(agent->journal, path);
	return host_replace(&agent->host, &now, buf_span(&clear), e);
}

int docker_release(struct agent *agent, const struct entry **entry,
		   struct err *e)
{
	auto_free char *mirror = mirror_of(span_of((*entry)->elements[1]));
	struct docker_info info;

	/* One that does not run will read what is put back. */
	if (!mirror || docker_ask(&agent->host, mirror, &info, e) < 0 ||
	    !info.has_this_mirror)
		return 0;
	int cleared = clear_write(agent, entry, e);
	if (cleared != 0)
		return cleared < 0 ? -1 : 0;
	return docker_reload(&agent->host, mirror, DOCKER_HAS_NOT, e);
}
