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
#include "base/json.h"
#include "oci/hash.h"

#define CONTAINERS "/etc/containers"
#define TOLD "/var/lib/private-registry/agent/told-"
enum { PODMAN_DIES = 5 }; /* of a SIGHUP, from this version on */

struct service {
	const char *name;
	const char *directory; /* of its configuration */
	const char *path;      /* what it reads */
	const char *socket;    /* where it listens unless its words say */
	const char *question;
	bool (*serves)(struct span words);
	bool (*survives)(struct span answer);
};

/* ------------------------------------------------------------------- pure */

static bool is_any(struct span text)
{
	(void)text;
	return true;
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
	{ "crio", CONTAINERS, DROP_IN, "/run/crio/crio.sock", "/info", is_any,
	  is_any },
	{ "podman", CONTAINERS, DROP_IN, "/run/podman/podman.sock", "/version",
	  podman_serves, podman_survives },
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
	struct digest digest = hash_of(DIGEST_SHA256, buf_span(&file.text));
	buf_addf(out, "%s\n", digest_text(&digest).s);
	return 0;
}

static int told_keep(struct agent *agent, const char *path, struct span text,
		     struct err *e)
{
	auto_host_file struct host_file file = { 0 };

	if (text.len == 0)
		return host_remove(&agent->host, path, e);
	if (host_read(&agent->host, path, &file, e) < 0)
		return -1;
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

/* All of one kind; one that has started since has read what is there. */
static bool tell_all(struct agent *agent, const struct service *service,
		     int64_t news_ms, struct agent_report *report)
{
	auto_processes struct processes found = { 0 };
	bool all = true;
	struct err e;

	if (processes_find(&agent->host, service->name, service->directory,
			   &found, &e) < 0) {
		report->pending++;
		report_line(report, service->name, "pending", "%s", e.message);
		return false;
	}
	for (size_t i = 0; i < found.count; i++) {
		auto_buf struct buf words = { 0 };
		const struct process *process = &found.at[i];

		if (process_started_ms(process) <= news_ms &&
		    process_read(process, PROCESS_WORDS, &words, &e) == 0 &&
		    service->serves(buf_span(&words)))
			all &= tell(service, process, buf_span(&words), report);
	}
	return all;
}

/* When it was news that this is there. */
static int64_t news_note(struct agent_news *news, struct span now)
{
	if (news->ms && span_eq(buf_span(&news->ours), now))
		return news->ms;
	buf_clear(&news->ours);
	buf_add(&news->ours, now);
	news->ms = process_clock_ms();
	return news->ms;
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
	int64_t ms = news_note(&agent->news[number], buf_span(&now));
	if (!tell_all(agent, service, ms, report))
		return 0;
	return told_keep(agent, path.at, buf_span(&now), e);
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
