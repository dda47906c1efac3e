/*
 * One agent a host, by a lock of the kernel's, which ends with the process and
 * knows whose it is.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/inside.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"

#define ABOVE "/var/lib/private-registry"
#define STATE ABOVE "/agent"
#define JOURNAL STATE "/journal"
#define STATUS STATE "/status"
#define REGISTRY STATE "/registry"
enum {
	END_MS = 180000, /* a hook and the versions of all engines are first */
	LOOK_MS = 20
};

/* Something of the host, as this process sees it. */
static void path_here(const struct host *host, const char *path,
		      struct buf *out)
{
	buf_addf(out, "%s%s", strcmp(host->at.s, "/") ? host->at.s : "", path);
}

/* -------------------------------------------------------------------- lock */

static int lock_take(const struct host *host, int *out, struct err *e)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	auto_buf struct buf path = { 0 };

	path_here(host, STATE "/lock", &path);
	auto_fd int fd = io_open_at(AT_FDCWD, path.at, O_RDWR | O_CREAT, e);
	if (fd < 0)
		return -1;
	if (fcntl(fd, F_SETLK, &lock) == 0) {
		*out = steal_fd(&fd);
		return 0;
	}
	if (errno != EACCES && errno != EAGAIN)
		return err_sys(e, "%s", path.at);
	return err_set(e, ERR_BUSY,
		       "another agent has this host: end it first, or use it");
}

/* The process that has the lock; 0: none. */
static int lock_owner(const struct host *host, pid_t *out, struct err *e)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	auto_buf struct buf path = { 0 };

	*out = 0;
	path_here(host, STATE "/lock", &path);
	auto_fd int fd = open(path.at, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, "%s", path.at);
	if (fcntl(fd, F_GETLK, &lock) < 0)
		return err_sys(e, "%s", path.at);
	if (lock.l_type == F_UNLCK)
		return 0;
	if (lock.l_pid <= 0)
		return err_set(e, ERR_BUSY,
			       "an agent runs in another container; end it "
			       "there");
	*out = lock.l_pid;
	return 0;
}

/* No other process can come to have the number while it still has the lock. */
static int owner_end(const struct host *host, pid_t first, struct err *e)
{
	pid_t owner;

	auto_fd int process = pidfd_open(first, 0);
	if (process < 0)
		return errno == ESRCH ? 0 :
					err_sys(e, "the agent with process %d",
						(int)first);
	if (lock_owner(host, &owner, e) < 0)
		return -1;
	if (owner != first)
		return 0;
	if (pidfd_send_signal(process, SIGTERM, NULL, 0) < 0 && errno != ESRCH)
		return err_sys(e, "the agent with process %d", (int)first);
	return 0;
}

static int other_end(const struct host *host, struct err *e)
{
	const struct timespec look = { .tv_nsec = LOOK_MS * 1000000 };
	int64_t deadline_ms = clock_ms() + END_MS;
	pid_t owner, first;

	if (lock_owner(host, &first, e) < 0)
		return -1;
	if (first && owner_end(host, first, e) < 0)
		return -1;
	do {
		if (lock_owner(host, &owner, e) < 0)
			return -1;
		if (!owner || owner != first)
			return 0;
		nanosleep(&look, NULL);
	} while (clock_ms() < deadline_ms);
	return err_set(e, ERR_TIMEOUT, "the agent with process %d does not end",
		       (int)first);
}

int agent_end_other(const char *root, struct err *e)
{
	auto_with(host_close) struct host host = { .root = -1 };

	if (host_open(root, &host, e) < 0)
		return -1;
	return other_end(&host, e);
}

/* --------------------------------------------------------------- the agent */

/* What is to be put back is believed: who writes here writes any file. */
static int state_guard(const struct host *host, struct err *e)
{
	static const char *const paths[] = { ABOVE, STATE, JOURNAL };

	for (size_t i = 0; i < array_size(paths); i++) {
		auto_buf struct buf path = { 0 };
		struct stat st;

		path_here(host, paths[i], &path);
		if (lstat(path.at, &st) < 0)
			return err_sys(e, "%s", path.at);
		if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
		    (st.st_mode & (S_IWGRP | S_IWOTH)))
			return err_set(e, ERR_CONFLICT,
				       "%s can be changed by others: it has to "
				       "be a directory of root's alone",
				       path.at);
	}
	return 0;
}

static int change_open(struct agent *agent, struct buf *damage, struct err *e)
{
	auto_buf struct buf path = { 0 };
	size_t told = damage->len;

	umask(022);
	path_here(&agent->host, JOURNAL, &path);
	auto_fd int made = io_make_dir(path.at, e);
	if (made < 0 || state_guard(&agent->host, e) < 0 ||
	    lock_take(&agent->host, &agent->lock, e) < 0)
		return -1;
	if (journal_open(path.at, JOURNAL_WRITE, &agent->journal, damage, e) <
	    0)
		return -1;
	agent->damaged = damage->len > told;
	return 0;
}

static int tell_open(struct agent *agent, struct buf *damage, struct err *e)
{
	auto_buf struct buf path = { 0 };

	path_here(&agent->host, JOURNAL, &path);
	bool known = access(path.at, F_OK) == 0;
	return journal_open(known ? path.at : NULL, JOURNAL_READ,
			    &agent->journal, damage, e);
}

int agent_open(const char *root, enum agent_use use, struct agent **out,
	       struct buf *damage, struct err *e)
{
	auto_of(agent) struct agent *agent = mem_alloc(sizeof(*agent));

	agent->use = use;
	agent->lock = -1;
	if (host_open(root, &agent->host, e) < 0)
		return -1;
	int failed = use == AGENT_CHANGE ? change_open(agent, damage, e) :
					   tell_open(agent, damage, e);
	if (failed)
		return -1;
	*out = steal_ptr(&agent);
	return 0;
}

void agent_permit(struct agent *agent, unsigned permits)
{
	agent->permits = permits;
}

void agent_close(struct agent **pointer)
{
	struct agent *agent = steal_ptr(pointer);

	if (agent->journal)
		journal_close(&agent->journal);
	if (agent->lock >= 0)
		close(agent->lock);
	if (agent->host.root >= 0)
		host_close(&agent->host);
	services_forget(agent);
	free(agent);
}

/* ------------------------------------------------------------------ status */

static int state_keep(struct agent *agent, const char *path, struct span text,
		      struct err *e)
{
	auto_host_file struct host_file before = { 0 };

	if (host_read(&agent->host, path, &before, e) < 0)
		return -1;
	if (before.exists && span_eq(buf_span(&before.text), text))
		return 0;
	return host_replace(&agent->host, &before, text, e);
}

int registry_keep(struct agent *agent, struct span record, struct err *e)
{
	if (agent->use == AGENT_TELL)
		return 0;
	return state_keep(agent, REGISTRY, record, e);
}

int registry_kept(struct agent *agent, struct buf *out, struct err *e)
{
	auto_host_file struct host_file file = { 0 };

	if (host_read(&agent->host, REGISTRY, &file, e) < 0)
		return -1;
	buf_add(out, buf_span(&file.text));
	return 0;
}

int agent_keep_status(struct agent *agent, const char *line,
		      const struct agent_report *report, struct err *e)
{
	auto_buf struct buf text = { 0 };

	buf_addf(&text, "%s\n", line);
	buf_add(&text, buf_span(&report->text));
	return state_keep(agent, STATUS, buf_span(&text), e);
}

int agent_status(const char *root, struct buf *out, struct err *e)
{
	auto_with(host_close) struct host host = { .root = -1 };
	auto_host_file struct host_file file = { 0 };
	pid_t owner;

	if (host_open(root, &host, e) < 0 ||
	    host_read(&host, STATUS, &file, e) < 0 ||
	    lock_owner(&host, &owner, e) < 0)
		return -1;
	if (!file.exists && !owner)
		return err_set(e, ERR_NOT_FOUND,
			       "no agent has changed this host");
	if (owner)
		buf_addf(out, "an agent runs, process %d\n", (int)owner);
	else
		buf_addf(out, "no agent runs; the last one said:\n");
	buf_add(out, buf_span(&file.text));
	return 0;
}
