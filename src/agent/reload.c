/*
 * dockerd takes daemon.json over at a SIGHUP, and only what is in it: a key
 * that is gone keeps its old value. So an undo writes the key without a value
 * first, has it taken over, and then puts back what was there.
 *
 * Before it listens, a SIGHUP ends it. So a process is signalled only by a
 * descriptor that was had before it answered: one that answers listens, and
 * what takes its place meanwhile is another process.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "agent/docker.h"
#include "agent/inside.h"
#include "agent/process.h"
#include "agent/program.h"
#include "base/clock.h"
#include "base/io.h"
#include "oci/hash.h"

#define PID_FILE "/run/docker.pid"
enum { CONFIRM_MS = 3000, LOOK_MS = 50, COMMAND_MOST = 128 * 1024 };

/* ------------------------------------------------------------- the process */

static int pid_read(pid_t pid, const char *what, struct buf *out, struct err *e)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, what);
	return io_read_file(path, COMMAND_MOST, out, e);
}

/*
 * A number may be anybody's by now, and its program is run as root. One with
 * other files than the host's may still have its daemon.json.
 */
static bool is_dockerd(const struct host *host, pid_t pid)
{
	return pid > 0 && (process_is(host, pid, "dockerd", "/") ||
			   process_is(host, pid, "dockerd", "/etc/docker"));
}

/* 0: none. */
static pid_t pid_parse(struct span text)
{
	int64_t pid = span_decimal(text);

	return pid > 0 && pid <= INT32_MAX ? (pid_t)pid : 0;
}

static pid_t pid_in_file(const struct host *host)
{
	auto_host_file struct host_file file = { 0 };
	struct err ignored;

	if (host_read(host, PID_FILE, &file, &ignored) < 0 || !file.exists)
		return 0;
	struct span text = buf_span(&file.text);
	while (span_ends(text, "\n"))
		text.len--;
	return pid_parse(text);
}

/* Of one that was told to write its number elsewhere. */
static pid_t pid_by_name(const struct host *host)
{
	auto_processes struct processes found = { 0 };
	struct err ignored;

	if (processes_find(host, "dockerd", "/", &found, &ignored) < 0 ||
	    found.count == 0)
		return 0;
	return found.at[0].pid;
}

static pid_t pid_find(const struct host *host)
{
	pid_t pid = pid_in_file(host);

	return is_dockerd(host, pid) ? pid : pid_by_name(host);
}

bool docker_runs(const struct host *host)
{
	return pid_find(host) > 0;
}

/* Who called listen: dockerd, or systemd for it. */
static pid_t pid_at_socket(const struct host *host)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct ucred peer = { 0 };
	socklen_t size = sizeof(peer);
	int len = snprintf(to.sun_path, sizeof(to.sun_path), "%s" DOCKER_SOCKET,
			   strcmp(host->at.s, "/") ? host->at.s : "");

	if (len >= (int)sizeof(to.sun_path))
		return 0;
	auto_fd int fd =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return 0;
	return peer.pid;
}

/* The one that answers. */
static pid_t pid_of_answers(const struct host *host)
{
	pid_t pid = pid_at_socket(host);

	return is_dockerd(host, pid) ? pid : pid_find(host);
}

/* A descriptor of it, which no other process can come to be behind. */
static int process_open(const struct host *host, pid_t *pid_out, struct err *e)
{
	*pid_out = docker_runs(host) ? pid_of_answers(host) : 0;
	if (!*pid_out)
		return err_set(e, ERR_NOT_FOUND, "no dockerd runs");
	auto_fd int process = pidfd_open(*pid_out, 0);
	if (process < 0)
		return err_sys(e, "process %d", (int)*pid_out);
	if (!is_dockerd(host, *pid_out))
		return err_set(e, ERR_NOT_FOUND, "process %d is not dockerd",
			       (int)*pid_out);
	return steal_fd(&process);
}

/* "Docker version 20.10.24+dfsg1, build 297e128" */
int docker_version(const struct host *host, struct docker_info *out,
		   struct err *e)
{
	static const char begin[] = "Docker version ";
	static const char *const none[] = { NULL };
	auto_buf struct buf said = { 0 };
	char path[64];
	pid_t pid;

	auto_fd int process = process_open(host, &pid, e);
	if (process < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	const char *const words[] = { path, "--version", NULL };
	const struct program program = {
		.words = words,
		.variables = none,
		.most_ms = CONFIRM_MS,
	};
	*out = (struct docker_info){ 0 };
	if (program_run(&program, &said, e) < 0)
		return -1;
	struct span text = buf_span(&said);
	if (!span_starts(text, begin))
		return err_set(e, ERR_UPSTREAM, "its program is no dockerd");
	text = span_from(text, strlen(begin));
	return docker_version_parse(span_cut(&text, ','), out, e);
}

/* What also stands in the file makes dockerd refuse it, or not start again. */
static const char *const flags[] = { "--registry-mirror", "--insecure-registry",
				     "--config-file" };

int docker_flags_check(const struct host *host, struct err *e)
{
	auto_buf struct buf line = { 0 };
	pid_t pid;

	auto_fd int process = process_open(host, &pid, e);
	if (process < 0 || pid_read(pid, "cmdline", &line, e) < 0)
		return -1;
	for (const char *word = line.at; word && word < line.at + line.len;
	     word += strlen(word) + 1)
		for (size_t i = 0; i < array_size(flags); i++)
			if (span_starts(span_of(word), flags[i]))
				return err_set(e, ERR_CONFLICT,
					       "dockerd was started with "
					       "%.100s",
					       word);
	return 0;
}

static int signal_send(const struct host *host,
		       const struct docker_question *question, struct err *e)
{
	struct docker_info info;
	pid_t pid;

	auto_fd int process = process_open(host, &pid, e);
	if (process < 0 || docker_ask(host, question, &info, e) < 0)
		return -1;
	if (pid_of_answers(host) != pid)
		return err_set(e, ERR_BUSY, "dockerd is being started");
	if (pidfd_send_signal(process, SIGHUP, NULL, 0) < 0)
		return err_sys(e, "SIGHUP to process %d", (int)pid);
	return 0;
}

int docker_reload(const struct host *host,
		  const struct docker_question *question,
		  enum docker_wanted wanted, struct err *e)
{
	const struct timespec look = { .tv_nsec = LOOK_MS * 1000000 };
	struct docker_info info;
	bool is_last;

	if (signal_send(host, question, e) < 0)
		return -1;
	int64_t deadline_ms = clock_ms() + CONFIRM_MS;
	do {
		nanosleep(&look, NULL);
		/* What it answers is of a moment after the question. */
		is_last = clock_ms() >= deadline_ms;
		if (docker_ask(host, question, &info, e) < 0)
			return -1;
		if (info.has_ours == (wanted == DOCKER_HAS))
			return 0;
	} while (!is_last);
	return err_set(e, ERR_CONFLICT, "dockerd does not take it over");
}
