/*
 * dockerd takes daemon.json over at a SIGHUP, and only what is in it: a key
 * that is gone keeps its old value. So an undo writes the key without a value
 * first, has it taken over, and then puts back what was there.
 *
 * It is signalled only while it answers: before it listens, a SIGHUP ends it.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <time.h>

#include "agent/docker.h"
#include "agent/inside.h"
#include "base/clock.h"
#include "base/io.h"
#include "oci/hash.h"

#define PID_FILE "/run/docker.pid"
enum { CONFIRM_MS = 3000, LOOK_MS = 50, COMMAND_MOST = 128 * 1024 };

/* ------------------------------------------------------------- the process */

static int process_read(pid_t pid, const char *what, struct buf *out,
			struct err *e)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, what);
	return io_read_file(path, COMMAND_MOST, out, e);
}

/* A descriptor of it, which no other process can come to be behind. */
static int process_open(const struct host *host, pid_t *pid_out, struct err *e)
{
	auto_host_file struct host_file file = { 0 };
	auto_buf struct buf name = { 0 };

	if (host_read(host, PID_FILE, &file, e) < 0)
		return -1;
	struct span text = buf_span(&file.text);
	while (span_ends(text, "\n"))
		text.len--;
	int64_t pid = file.exists ? span_decimal(text) : -1;
	if (pid <= 0 || pid > INT32_MAX)
		return err_set(e, ERR_NOT_FOUND,
			       PID_FILE " does not tell its process");
	*pid_out = (pid_t)pid;
	auto_fd int process = pidfd_open(*pid_out, 0);
	if (process < 0)
		return err_sys(e, "process %d", (int)pid);
	if (process_read(*pid_out, "comm", &name, e) < 0)
		return -1;
	if (!span_is(buf_span(&name), "dockerd\n"))
		return err_set(e, ERR_NOT_FOUND, "process %d is not dockerd",
			       (int)pid);
	return steal_fd(&process);
}

/* What also stands in the file makes dockerd refuse it, or not start again. */
static const char *const flags[] = { "--registry-mirror", "--insecure-registry",
				     "--config-file" };

int docker_flags_check(const struct host *host, struct err *e)
{
	auto_buf struct buf line = { 0 };
	pid_t pid;

	auto_fd int process = process_open(host, &pid, e);
	if (process < 0 || process_read(pid, "cmdline", &line, e) < 0)
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

static int signal_send(const struct host *host, struct err *e)
{
	pid_t pid;

	auto_fd int process = process_open(host, &pid, e);
	if (process < 0)
		return -1;
	if (pidfd_send_signal(process, SIGHUP, NULL, 0) < 0)
		return err_sys(e, "SIGHUP to process %d", (int)pid);
	return 0;
}

int docker_reload(const struct host *host, const char *mirror,
		  enum docker_wanted wanted, struct err *e)
{
	const struct timespec look = { .tv_nsec = LOOK_MS * 1000000 };
	int64_t deadline_ms = clock_ms() + CONFIRM_MS;
	struct docker_info info;

	if (docker_ask(host, mirror, &info, e) < 0 || signal_send(host, e) < 0)
		return -1;
	do {
		nanosleep(&look, NULL);
		if (docker_ask(host, mirror, &info, e) < 0)
			return -1;
		if (info.has_this_mirror == (wanted == DOCKER_HAS))
			return 0;
	} while (clock_ms() < deadline_ms);
	return err_set(e, ERR_TIMEOUT, "dockerd does not take it over");
}
