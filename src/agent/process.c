/*
 * A process is opened first and looked at then, so what was seen is still true
 * of whom a signal is sent to.
 */
#include "agent/process.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <time.h>

#include "agent/socket.h"
#include "base/io.h"
#include "base/mem.h"

enum { LIST_MOST = 1024 * 1024 };

struct proc_path {
	char s[64];
};

static struct proc_path proc_path(pid_t pid, const char *what)
{
	struct proc_path path;

	snprintf(path.s, sizeof(path.s), "/proc/%d/%s", (int)pid, what);
	return path;
}

void processes_free(struct processes *processes)
{
	for (size_t i = 0; i < processes->count; i++)
		close(processes->at[i].fd);
	free(processes->at);
}

/* ------------------------------------------------------------------- search */

static bool is_ours(pid_t pid)
{
	struct stat st;

	return stat(proc_path(pid, "").s, &st) == 0 && st.st_uid == geteuid();
}

/* An upgrade may have replaced the file. */
static bool runs(pid_t pid, const char *program)
{
	static const char gone[] = " (deleted)";
	char text[PATH_MAX];

	ssize_t len = readlink(proc_path(pid, "exe").s, text, sizeof(text));
	if (len <= 0)
		return false;
	struct span path = span_make(text, (size_t)len);
	if (span_ends(path, gone))
		path.len -= strlen(gone);
	return span_is(span_from(path, (size_t)(span_find_last(path, '/') + 1)),
		       program);
}

static bool sees(pid_t pid, const struct host *host, const char *directory)
{
	auto_with(host_close) struct host theirs = { .root = -1 };
	struct stat one, other;
	struct err ignored;

	return host_open(proc_path(pid, "root").s, &theirs, &ignored) == 0 &&
	       host_stat(host, directory, &one) &&
	       host_stat(&theirs, directory, &other) &&
	       one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

bool process_is(const struct host *host, pid_t pid, const char *program,
		const char *directory)
{
	return is_ours(pid) && runs(pid, program) && sees(pid, host, directory);
}

static void processes_add(struct processes *processes, pid_t pid, int fd)
{
	processes->at = mem_grow(processes->at, (processes->count + 1) *
							sizeof(*processes->at));
	processes->at[processes->count++] = (struct process){ pid, fd };
}

static void close_directory(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

int processes_find(const struct host *host, const char *program,
		   const char *directory, struct processes *out, struct err *e)
{
	auto_with(close_directory) DIR *proc = opendir("/proc");

	*out = (struct processes){ 0 };
	if (!proc)
		return err_sys(e, "/proc");
	for (struct dirent *entry; (entry = readdir(proc));) {
		int64_t number = span_decimal(span_of(entry->d_name));

		if (number <= 0 || number > INT32_MAX)
			continue;
		pid_t pid = (pid_t)number;
		auto_fd int fd = pidfd_open(pid, 0);
		if (fd >= 0 && process_is(host, pid, program, directory))
			processes_add(out, pid, steal_fd(&fd));
	}
	return 0;
}

/* --------------------------------------------------------------------- one */

int process_read(const struct process *process, enum process_list list,
		 struct buf *out, struct err *e)
{
	const char *name = list == PROCESS_WORDS ? "cmdline" : "environ";

	return io_read_file(proc_path(process->pid, name).s, LIST_MOST, out, e);
}

/* proc(5): the 22nd field, and the second may hold anything. */
int64_t process_started_ms(const struct process *process)
{
	auto_buf struct buf text = { 0 };
	struct err ignored;

	if (io_read_file(proc_path(process->pid, "stat").s, 4096, &text,
			 &ignored) < 0)
		return -1;
	struct span rest = buf_span(&text);
	rest = span_from(rest, (size_t)(span_find_last(rest, ')') + 2));
	for (int field = 3; field < 22; field++)
		span_cut(&rest, ' ');
	int64_t ticks = span_decimal(span_cut(&rest, ' '));
	return ticks < 0 ? -1 : ticks * 1000 / sysconf(_SC_CLK_TCK);
}

int64_t process_clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int process_ask(const struct process *process, const char *socket,
		const char *path, struct buf *out, struct err *e)
{
	auto_buf struct buf way = { 0 };

	buf_addf(&way, "%s%s", proc_path(process->pid, "root").s, socket);
	return socket_ask(way.at, path, out, e);
}
