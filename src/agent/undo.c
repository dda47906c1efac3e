/*
 * Each entry of the journal is taken back, and dropped once that is durable.
 *
 * What is as we left it becomes what it was. What was edited meanwhile loses
 * only what is ours. Mode and owner stay those of the file: we never changed
 * them, so whoever did wants them.
 */
#include "agent/inside.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

bool is_authority(const char *path)
{
	return span_ends(span_of(path), ".crt");
}

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
		return host_remove(&agent->host, now, e);
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
		return host_remove(&agent->host, now, e);
	return host_replace(&agent->host, now, buf_span(&rest), e);
}

void entry_take(const struct entry *entry, const struct kind *kind,
		struct span text, struct buf *out)
{
	auto_buf struct buf elements = { 0 };

	entry_words(entry, SPAN(""), &elements);
	kind->take(text, buf_span(&elements), out);
}

int entry_reach(const struct entry *entry, const struct host_file *now,
		struct err *e)
{
	if (!entry->apart || now->exists || now->apart)
		return 0;
	return err_set(e, ERR_NOT_FOUND, "its file system is not mounted");
}

int entry_check(const struct entry *entry, const struct host_file *now,
		struct err *e)
{
	const struct kind *kind = kind_find(entry->kind);
	struct span text = buf_span(&now->text);

	if (entry_reach(entry, now, e) < 0)
		return -1;
	if (now->exists && kind && kind->is_readable &&
	    !kind->is_readable(text) && !entry_is_ours(entry, text) &&
	    !is_original(entry, now))
		return err_set(e, ERR_CONFLICT,
			       "it cannot be read, so what is ours stays in "
			       "it");
	return 0;
}

static int file_undo(struct agent *agent, const struct entry *entry,
		     struct err *e)
{
	const struct kind *kind = kind_find(entry->kind);
	auto_host_file struct host_file now = { 0 };

	if (host_tidy(&agent->host, entry->path, e) < 0)
		return -1;
	/* If a directory on its way is a file now, it is gone with that. */
	if (host_read(&agent->host, entry->path, &now, e) < 0)
		return e->sys == ENOTDIR ? 0 : -1;
	if (entry_check(entry, &now, e) < 0)
		return -1;
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

static int thing_undo(struct agent *agent, const struct entry *entry,
		      struct err *e)
{
	return entry_is_directory(entry) ?
		       host_remove_dir(&agent->host, entry->path, e) :
		       file_undo(agent, entry, e);
}

int entry_undo(struct agent *agent, const struct entry *entry, struct err *e)
{
	bool is_dockers = kind_find(entry->kind) == &kind_daemon;
	enum docker_grip grip = DOCKER_FREE;

	if (is_dockers)
		grip = docker_release(agent, &entry, e);
	if (grip == DOCKER_BUSY)
		return -1;
	if (grip == DOCKER_HOLDS) {
		struct err why = *e;

		if (file_undo(agent, entry, e) == 0)
			*e = why;
		return -1;
	}
	if (thing_undo(agent, entry, e) < 0 ||
	    (is_dockers && docker_released(agent, entry, e) < 0))
		return -1;
	return journal_drop(agent->journal, entry, e);
}

/* "left": whoever has put something into a directory of ours has it now. */
static const char *deed(struct agent *agent, const char *path)
{
	return host_has(&agent->host, path) ? "left" : "undid";
}

static void entry_report(struct agent *agent, const struct entry *entry,
			 struct agent_report *report)
{
	auto_free char *path = mem_text(entry->path);
	bool directory = entry_is_directory(entry);
	struct err e;

	report->changes++;
	if (agent->use == AGENT_TELL) {
		report_line(report, "agent", "would undo", "%s", path);
		return;
	}
	if (entry_undo(agent, entry, &e) == 0) {
		report_line(report, "agent",
			    directory ? deed(agent, path) : "undid", "%s",
			    path);
		return;
	}
	report->failures++;
	report_line(report, "agent", "failed", "%s: %s", path, e.message);
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

/* The one that is about it; null. */
static const struct wish *wish_of(struct agent *agent, const struct plan *plan,
				  const struct entry *entry)
{
	for (size_t i = 0; plan && i < plan->count; i++)
		if (is_wish_for(agent, &plan->at[i], entry))
			return &plan->at[i];
	return NULL;
}

static bool is_wished(struct agent *agent, const struct plan *plan,
		      const struct entry *entry)
{
	if (plan && plan_keeps(plan, entry->engine))
		return true;
	const struct wish *wish = wish_of(agent, plan, entry);
	return wish && !wish->is_off;
}

static bool is_authoritys(const struct entry *entry)
{
	return !entry_is_directory(entry) && is_authority(entry->path);
}

static bool is_other_file(const struct entry *entry)
{
	return !entry_is_directory(entry) && !is_authority(entry->path);
}

static bool is_of_same_engine(const struct entry *a, const struct entry *b)
{
	return !*a->engine || !*b->engine || strcmp(a->engine, b->engine) == 0;
}

/*
 * May a file that names the authority still be there? One that could not be
 * put back, or not be made anew.
 */
static bool is_named(struct agent *agent, const struct plan *plan,
		     const struct entry *authority)
{
	for (size_t i = 0; i < journal_count(agent->journal); i++) {
		const struct entry *entry = journal_at(agent->journal, i);

		if (!is_other_file(entry) ||
		    !is_of_same_engine(entry, authority))
			continue;
		const struct wish *wish = wish_of(agent, plan, entry);
		if (!wish || !wish->is_true)
			return true;
	}
	return false;
}

static bool is_to_go(struct agent *agent, const struct plan *plan,
		     const struct entry *entry)
{
	if (is_needed(agent->journal, entry->path) ||
	    is_wished(agent, plan, entry))
		return false;
	return agent->use == AGENT_TELL || !is_authoritys(entry) ||
	       !is_named(agent, plan, entry);
}

static void damage_tell(struct agent *agent, struct agent_report *report)
{
	if (!agent->damaged)
		return;
	agent->damaged = false;
	report->failures++;
	report_line(report, "agent", "failed",
		    "the journal is damaged: what it was about is left as it "
		    "is");
}

void undo_others(struct agent *agent, const struct plan *plan,
		 struct agent_report *report)
{
	/* A file that names an authority goes before it, or it stays. */
	static bool (*const turns[])(const struct entry *) = {
		is_other_file,
		is_authoritys,
		entry_is_directory,
	};
	struct journal *journal = agent->journal;

	damage_tell(agent, report);
	for (size_t turn = 0; turn < array_size(turns); turn++) {
		for (size_t i = 0; i < journal_count(journal);) {
			const struct entry *entry = journal_at(journal, i);
			size_t before = journal_count(journal);

			if (turns[turn](entry) && is_to_go(agent, plan, entry))
				entry_report(agent, entry, report);
			i += journal_count(journal) == before;
		}
	}
}

/* First of all, so that no later start takes the host back to it. */
static void registry_forget(struct agent *agent, struct agent_report *report)
{
	struct err e;

	if (registry_keep(agent, SPAN(""), &e) == 0)
		return;
	report->failures++;
	report_line(report, "agent", "failed", "%s", e.message);
}

void agent_withdraw(struct agent *agent, struct agent_report *report)
{
	registry_forget(agent, report);
	undo_others(agent, NULL, report);
	services_settle(agent, report);
}
