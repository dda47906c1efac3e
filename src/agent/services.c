/*
 * Who reads a file of ours when he starts, and not again: CRI-O and a podman
 * that serves are told by a SIGHUP, the others are restarted, if that is
 * allowed. A file of the agent's remembers of what each was told last, so it
 * does not matter when an agent was killed, and one that starts tells nobody
 * twice.
 *
 * A SIGHUP ends whoever has no handler for it yet, or none at all, so each is
 * asked first, and answers only when it is up.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>

#include "agent/inside.h"
#include "agent/process.h"
#include "agent/program.h"
#include "agent/tables.h"
#include "base/json.h"
#include "oci/hash.h"

#define CONTAINERS "/etc/containers"
#define TOLD "/var/lib/private-registry/agent/told-"
/* Who was not told may have read it: whatever comes next is news. */
#define TOLD_SOME "some\n"
enum {
	PODMAN_DIES = 5, /* of a SIGHUP, from this version on */
	RESTART_MS = 120000
};

struct service {
	const char *name;
	const char *program;
	const char *directory;		       /* of its configuration */
	const char *path;		       /* what it reads */
	struct span (*ours)(struct span text); /* of that */

	/* Of those that are signalled. */
	const char *socket; /* where it listens unless its words say */
	const char *question;
	bool (*serves)(struct span words);
	bool (*survives)(struct span answer);

	/* Of those that are restarted. */
	const char *unit;
	unsigned permit;
	bool once; /* what it has read may stay in force */
};

/* ------------------------------------------------------------------- pure */

static bool is_any(struct span text)
{
	(void)text;
	return true;
}

static struct span whole(struct span text)
{
	return text;
}

/* podman [OPTION]... system [OPTION]... service [OPTION]... [URI] */
bool podman_serves(struct span words)
{
	bool system = false;

	while (words.len > 0) {
		struct span word = span_cut(&words, '\0');

		if (system && span_is(word, "service"))
			return true;
		system |= span_is(word, "system");
	}
	return false;
}

struct span podman_socket(struct span words)
{
	struct span found = SPAN_NONE;

	while (words.len > 0) {
		struct span word = span_cut(&words, '\0');

		if (span_starts(word, "unix:"))
			found = span_from(word, strlen("unix:"));
	}
	while (span_starts(found, "//"))
		found = span_from(found, 1);
	return found;
}

bool podman_survives(struct span answer)
{
	static const struct json_limits limits = { 1024 * 1024, 20000, 32 };
	auto_of(json) struct json *json = NULL;
	struct err ignored;

	if (json_parse(answer, &limits, &json, &ignored) < 0)
		return false;
	struct span version = json_text(json_get(json_root(json), "Version"));
	int64_t major = span_decimal(span_cut(&version, '.'));
	return major >= 0 && major < PODMAN_DIES;
}

#define DROP_IN CONTAINERS "/registries.conf.d/50-private-registry.conf"
static const struct service services[] = {
	{ .name = "crio",
	  .program = "crio",
	  .directory = CONTAINERS,
	  .path = DROP_IN,
	  .ours = whole,
	  .socket = "/run/crio/crio.sock",
	  .question = "/info",
	  .survives = is_any },
	{ .name = "podman",
	  .program = "podman",
	  .directory = CONTAINERS,
	  .path = DROP_IN,
	  .ours = whole,
	  .socket = "/run/podman/podman.sock",
	  .question = "/version",
	  .serves = podman_serves,
	  .survives = podman_survives },
	{ .name = "buildkit",
	  .program = "buildkitd",
	  .directory = "/etc/buildkit",
	  .path = "/etc/buildkit/buildkitd.toml",
	  .ours = tables_ours,
	  .unit = "buildkit.service",
	  .permit = AGENT_RESTART_BUILDKITD },
	{ .name = "containerd",
	  .program = "containerd",
	  .directory = "/etc/containerd",
	  .path = "/etc/containerd/config.toml",
	  .ours = config_path_ours,
	  .unit = "containerd.service",
	  .permit = AGENT_ENABLE_CONTAINERD,
	  .once = true },
};
_Static_assert(array_size(services) == AGENT_SERVICES, "one news each");

/* ------------------------------------------------------------ what was told */

/* What is ours there now, in short; nothing: "". */
static int ours_look(const struct host *host, const struct service *service,
		     struct buf *out, struct err *e)
{
	auto_host_file struct host_file file = { 0 };

	if (host_read(host, service->path, &file, e) < 0)
		return -1;
	if (!file.exists)
		return 0;
	struct span ours = service->ours(buf_span(&file.text));
	if (!ours.at)
		return 0;
	struct digest digest = hash_of(DIGEST_SHA256, ours);
	buf_addf(out, "%s\n", digest_text(&digest).s);
	return 0;
}

static int told_keep(struct agent *agent, const char *path, struct span text,
		     struct err *e)
{
	auto_host_file struct host_file file = { 0 };

	if (host_read(&agent->host, path, &file, e) < 0)
		return -1;
	if (text.len == 0)
		return host_remove(&agent->host, &file, e);
	if (span_eq(buf_span(&file.text), text))
		return 0;
	return host_replace(&agent->host, &file, text, e);
}

/* ------------------------------------------------------------------ tell */

static int hang_up(const struct process *process, struct err *e)
{
	if (pidfd_send_signal(process->fd, SIGHUP, NULL, 0) < 0)
		return err_sys(e, "SIGHUP to process %d", (int)process->pid);
	return 0;
}

static int ask(const struct service *service, const struct process *process,
	       struct span words, struct buf *answer, struct err *e)
{
	auto_buf struct buf socket = { 0 };
	struct span other = podman_socket(words);

	buf_add(&socket, other.at ? other : span_of(service->socket));
	return process_ask(process, socket.at, service->question, answer, e);
}

/* False: it goes on with what it has read before. */
static bool tell(const struct service *service, const struct process *process,
		 struct span words, struct agent_report *report)
{
	auto_buf struct buf answer = { 0 };
	struct err e;

	if (ask(service, process, words, &answer, &e) < 0) {
		report->pending++;
		report_line(report, service->name, "pending",
			    "process %d is to read %s again: %s",
			    (int)process->pid, service->path, e.message);
		return false;
	}
	if (!service->survives(buf_span(&answer))) {
		report_line(report, service->name, "note",
			    "process %d would end at a SIGHUP, so it sees what "
			    "became of %s only after a restart",
			    (int)process->pid, service->path);
		return false;
	}
	if (hang_up(process, &e) < 0) {
		report->pending++;
		report_line(report, service->name, "pending", "%s", e.message);
		return false;
	}
	report_line(report, service->name, "reloaded", "process %d",
		    (int)process->pid);
	return true;
}

/* One that has started since has read what is there. */
static bool goes_by_older(const struct service *service,
			  const struct process *process, int64_t news_ms,
			  struct buf *words)
{
	struct err ignored;

	return process_started_ms(process) <= news_ms &&
	       process_read(process, PROCESS_WORDS, words, &ignored) == 0 &&
	       (!service->serves || service->serves(buf_span(words)));
}

static bool signal_all(const struct service *service,
		       const struct processes *found, int64_t news_ms,
		       struct agent_report *report)
{
	bool all = true;

	for (size_t i = 0; i < found->count; i++) {
		auto_buf struct buf words = { 0 };

		if (goes_by_older(service, &found->at[i], news_ms, &words))
			all &= tell(service, &found->at[i], buf_span(&words),
				    report);
	}
	return all;
}

/* --------------------------------------------------------------- restart */

static int restart(const struct agent *agent, const struct service *service,
		   struct err *e)
{
	const char *const words[] = { "/usr/bin/systemctl", "try-restart",
				      service->unit, NULL };
	const char *const variables[] = { "PATH=/usr/bin:/bin", NULL };
	const struct program program = {
		.words = words,
		.variables = variables,
		.host = &agent->host,
		.most_ms = RESTART_MS,
	};
	auto_buf struct buf said = { 0 };

	if (program_run(&program, &said, e) == 0)
		return 0;
	struct span line = buf_span(&said);
	line = span_cut(&line, '\n');
	return err_set(e, e->kind, "%s does not restart: %.*s", service->unit,
		       (int)(line.len < 150 ? line.len : 150), line.at);
}

/* With what was there before, it will start. */
static void take_back(struct agent *agent, const struct service *service,
		      const struct err *why, struct agent_report *report)
{
	auto_host_file struct host_file file = { 0 };
	const struct entry *entry = NULL;
	struct err e;

	agent->permits &= ~service->permit;
	report->failures++;
	report_line(report, service->name, "failed",
		    "%s; what was written is taken back", why->message);
	if (host_read(&agent->host, service->path, &file, &e) == 0)
		entry = journal_find(agent->journal, file.path.s);
	if (entry && (entry_undo(agent, entry, &e) < 0 ||
		      restart(agent, service, &e) < 0))
		report_line(report, service->name, "failed", "%s", e.message);
}

/* One that goes by what was there; null. */
static const struct process *older(const struct service *service,
				   const struct processes *found,
				   int64_t news_ms)
{
	for (size_t i = 0; i < found->count; i++) {
		auto_buf struct buf words = { 0 };

		if (goes_by_older(service, &found->at[i], news_ms, &words))
			return &found->at[i];
	}
	return NULL;
}

/* What our last restart has put into force is so still. */
static bool is_in_force(const struct agent_news *news,
			const struct processes *found)
{
	for (size_t i = 0; i < found->count; i++)
		if (process_started_ms(&found->at[i]) > news->restarted_ms)
			return false;
	return news->restarted_ms > 0;
}

static bool restart_all(struct agent *agent, const struct service *service,
			struct agent_news *news, const struct processes *found,
			struct agent_report *report)
{
	bool gone = news->ours.len == 0;
	struct err e;

	const struct process *process = older(service, found, news->ms);
	if (!process || (service->once && (gone || is_in_force(news, found))))
		return true;
	if (!(agent->permits & service->permit)) {
		report_line(report, service->name, "note",
			    "process %d does not see what became of %s before "
			    "it is restarted",
			    (int)process->pid, service->path);
		return false;
	}
	if (restart(agent, service, &e) < 0) {
		take_back(agent, service, &e, report);
		return false;
	}
	news->restarted_ms = process_clock_ms();
	report_line(report, service->name, "restarted", "%s", service->unit);
	return true;
}

/* -------------------------------------------------------------------- all */

static bool tell_all(struct agent *agent, const struct service *service,
		     struct agent_news *news, struct agent_report *report)
{
	auto_processes struct processes found = { 0 };
	struct err e;

	if (processes_find(&agent->host, service->program, service->directory,
			   &found, &e) < 0) {
		report->pending++;
		report_line(report, service->name, "pending", "%s", e.message);
		return false;
	}
	if (service->unit)
		return restart_all(agent, service, news, &found, report);
	return signal_all(service, &found, news->ms, report);
}

static void news_note(struct agent_news *news, struct span now)
{
	if (news->ms && span_eq(buf_span(&news->ours), now))
		return;
	buf_clear(&news->ours);
	buf_add(&news->ours, now);
	news->ms = process_clock_ms();
}

static int service_settle(struct agent *agent, size_t number,
			  struct agent_report *report, struct err *e)
{
	const struct service *service = &services[number];
	auto_host_file struct host_file told = { 0 };
	auto_buf struct buf path = { 0 };
	auto_buf struct buf now = { 0 };

	buf_addf(&path, TOLD "%s", service->name);
	if (host_tidy(&agent->host, path.at, e) < 0 ||
	    ours_look(&agent->host, service, &now, e) < 0 ||
	    host_read(&agent->host, path.at, &told, e) < 0)
		return -1;
	if (span_eq(buf_span(&told.text), buf_span(&now)))
		return 0;
	news_note(&agent->news[number], buf_span(&now));
	if (tell_all(agent, service, &agent->news[number], report))
		return told_keep(agent, path.at, buf_span(&now), e);
	if (service->unit)
		return 0;
	return told_keep(agent, path.at, SPAN(TOLD_SOME), e);
}

void services_settle(struct agent *agent, struct agent_report *report)
{
	struct err e;

	if (agent->use == AGENT_TELL)
		return;
	for (size_t i = 0; i < array_size(services); i++)
		if (service_settle(agent, i, report, &e) < 0)
			report_line(report, services[i].name, "note", "%s",
				    e.message);
}

void services_forget(struct agent *agent)
{
	for (size_t i = 0; i < array_size(agent->news); i++)
		buf_free(&agent->news[i].ours);
}
