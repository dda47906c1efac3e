/*
 * Each entry of the journal is taken back, and dropped once that is durable.
 *
 * What is as we left it becomes what it was. What was edited meanwhile loses
 * only what is ours. Mode and owner stay those of the file: we never changed
 * them, so whoever did wants them.
 */
#include "agent/inside.h"

#include <string.h>

/* It was never ours, or somebody has taken it back already. */
static bool is_original(const struct entry *entry, const struct host_file *now)
{
	if (!now->exists)
		return true;
	return entry->existed &&
	       span_eq(buf_span(&entry->original), buf_span(&now->text));
}

static int restore(struct agent *agent, const struct entry *entry,
		   const struct host_file *now, struct err *e)
{
	if (!entry->existed)
		return host_remove(&agent->host, now->path.s, e);
	return host_replace(&agent->host, now, buf_span(&entry->original), e);
}

/* A file that was to be ours alone, and is edited: nobody's work is lost. */
static int edited_leave(struct agent *agent, const struct kind *kind,
			const struct host_file *now, struct err *e)
{
	if (!kind->is_marked(buf_span(&now->text)))
		return 0;
	return host_set_aside(&agent->host, now->path.s, e);
}

static int edited_clean(struct agent *agent, const struct entry *entry,
			const struct kind *kind, const struct host_file *now,
			struct err *e)
{
	auto_buf struct buf rest = { 0 };

	entry_take(entry, kind, buf_span(&now->text), &rest);
	if (rest.len == now->text.len)
		return 0;
	if (rest.len == 0 && !entry->existed)
		return host_remove(&agent->host, now->path.s, e);
	return host_replace(&agent->host, now, buf_span(&rest), e);
}

void entry_take(const struct entry *entry, const struct kind *kind,
		struct span text, struct buf *out)
{
	auto_buf struct buf half = { 0 };

	kind->take(text, span_of(entry->elements[0]), &half);
	kind->take(buf_span(&half), span_of(entry->elements[1]), out);
}

static int file_undo(struct agent *agent, const struct entry *entry,
		     struct err *e)
{
	const struct kind *kind = kind_find(entry->kind);
	auto_host_file struct host_file now = { 0 };

	if (host_tidy(&agent->host, entry->path, e) < 0)
		return -1;
	/* What became a link to nothing, or a directory, is not ours. */
	if (host_read(&agent->host, entry->path, &now, e) < 0)
		return e->kind == ERR_CONFLICT ? 0 : -1;
	if (is_original(entry, &now))
		return 0;
	if (entry_is_ours(entry, buf_span(&now.text)))
		return restore(agent, entry, &now, e);
	if (!kind)
		return err_set(e, ERR_UNSUPPORTED,
			       "the journal's kind \"%.40s\" is of a newer "
			       "program",
			       entry->kind);
	if (kind->whole)
		return edited_leave(agent, kind, &now, e);
	return edited_clean(agent, entry, kind, &now, e);
}

static bool is_directory(const struct entry *entry)
{
	return strcmp(entry->kind, ENTRY_DIRECTORY) == 0;
}

/* Does something else of ours lie in it? */
static bool is_needed(const struct journal *journal, const char *path)
{
	size_t len = strlen(path);

	for (size_t i = 0; i < journal_count(journal); i++) {
		const char *other = journal_at(journal, i)->path;

		if (strncmp(other, path, len) == 0 && other[len] == '/')
			return true;
	}
	return false;
}

int entry_undo(struct agent *agent, const struct entry *entry, struct err *e)
{
	if (kind_find(entry->kind) == &kind_daemon &&
	    docker_release(agent, &entry, e) < 0)
		return -1;
	int failed = is_directory(entry) ?
			     host_remove_dir(&agent->host, entry->path, e) :
			     file_undo(agent, entry, e);

	return failed ? -1 : journal_drop(agent->journal, entry, e);
}

static void entry_report(struct agent *agent, const struct entry *entry,
			 struct agent_report *report)
{
	auto_buf struct buf path = { 0 };
	struct err e;

	buf_addf(&path, "%s", entry->path);
	report->changes++;
	if (agent->use == AGENT_TELL) {
		report_line(report, "agent", "would undo", "%s", path.at);
		return;
	}
	if (entry_undo(agent, entry, &e) == 0) {
		report_line(report, "agent", "undid", "%s", path.at);
		return;
	}
	report->failures++;
	report_line(report, "agent", "failed", "%s: %s", path.at, e.message);
}

/* The path of a wish may lead over links; what we wrote is at their end. */
static bool is_wish_for(struct agent *agent, const struct wish *wish,
			const struct entry *entry)
{
	auto_host_file struct host_file file = { 0 };
	struct err ignored;

	if (strcmp(wish->path, entry->path) == 0)
		return true;
	return host_read(&agent->host, wish->path, &file, &ignored) == 0 &&
	       strcmp(file.path.s, entry->path) == 0;
}

static bool is_wished(struct agent *agent, const struct plan *plan,
		      const struct entry *entry)
{
	if (plan && plan->kept && span_starts(span_of(entry->path), plan->kept))
		return true;
	for (size_t i = 0; plan && i < plan->count; i++)
		if (is_wish_for(agent, &plan->at[i], entry))
			return true;
	return false;
}

static bool is_authority(const struct entry *entry)
{
	return !is_directory(entry) && span_ends(span_of(entry->path), ".crt");
}

static bool is_other_file(const struct entry *entry)
{
	return !is_directory(entry) && !is_authority(entry);
}

void undo_others(struct agent *agent, const struct plan *plan,
		 struct agent_report *report)
{
	/* A file that names an authority goes before it. */
	static bool (*const turns[])(const struct entry *) = {
		is_other_file,
		is_authority,
		is_directory,
	};
	struct journal *journal = agent->journal;

	for (size_t turn = 0; turn < array_size(turns); turn++) {
		for (size_t i = 0; i < journal_count(journal);) {
			const struct entry *entry = journal_at(journal, i);
			size_t before = journal_count(journal);

			if (turns[turn](entry) &&
			    !is_needed(journal, entry->path) &&
			    !is_wished(agent, plan, entry))
				entry_report(agent, entry, report);
			i += journal_count(journal) == before;
		}
	}
}

void agent_withdraw(struct agent *agent, struct agent_report *report)
{
	undo_others(agent, NULL, report);
}
