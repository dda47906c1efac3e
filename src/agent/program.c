/*
 * Its end is heard by a descriptor of the process, not by the end of what it
 * says: a child that it leaves behind may hold on to that.
 */
#include "agent/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"

enum { PIECES = 128 }; /* of what a pipe holds */

/* One that runs. */
struct running {
	pid_t process;
	int end;    /* readable when it has ended */
	int speech; /* what it says */
};

static bool is_elsewhere(const struct host *host)
{
	return host && strcmp(host->at.s, "/") != 0;
}

/* execve keeps a const that its type lacks. */
static char *const *texts_of(const char *const *texts)
{
	union {
		const char *const *in;
		char *const *out;
	} both = { texts };

	return both.out;
}

/* In the child, of which other threads' locks may be held: system calls only.
 */
static void become(const struct program *program, int speech)
{
	struct sigaction usual = { .sa_handler = SIG_DFL };
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	sigaction(SIGPIPE, &usual, NULL);
	setpgid(0, 0);
	int nothing = open("/dev/null", O_RDONLY);
	if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 ||
	    dup2(speech, STDOUT_FILENO) < 0 || dup2(speech, STDERR_FILENO) < 0)
		_exit(127);
	if (is_elsewhere(program->host) &&
	    (fchdir(program->host->root) < 0 || chroot(".") < 0))
		_exit(127);
	execve(program->words[0], texts_of(program->words),
	       texts_of(program->variables));
	_exit(127);
}

static void running_end(struct running *running)
{
	if (running->end >= 0)
		close(running->end);
	if (running->speech >= 0)
		close(running->speech);
}

static int begin(const struct program *program, struct running *out,
		 struct err *e)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	out->speech = ends[0];
	/* Ours alone: it may not expect that a write fails. */
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	out->process = fork();
	if (out->process == 0)
		become(program, ends[1]);
	close(ends[1]);
	if (out->process < 0)
		return err_sys(e, "fork");
	setpgid(out->process, out->process);
	out->end = (int)syscall(SYS_pidfd_open, out->process, 0);
	return 0;
}

/*
 * What is there now, and no more than a pipe holds: who goes on talking does
 * not have our time. False: no more will come.
 */
static bool hear(int speech, struct buf *out)
{
	char piece[512];
	ssize_t got = 1;

	for (int i = 0; i < PIECES && got > 0; i++) {
		got = read(speech, piece, sizeof(piece));
		if (got > 0 && out->len + (size_t)got <= PROGRAM_OUTPUT)
			buf_add(out, span_make(piece, (size_t)got));
	}
	return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

/* False: its time is over. */
static bool attend(struct running *running, int64_t until_ms, struct buf *out)
{
	struct pollfd waits[2] = {
		{ .fd = running->end, .events = POLLIN },
		{ .fd = running->speech, .events = POLLIN },
	};
	int64_t left;

	while ((left = until_ms - clock_ms()) > 0) {
		if (poll(waits, 2, (int)left) < 0 && errno != EINTR)
			return false;
		if (waits[1].revents && !hear(running->speech, out))
			waits[1].fd = -1;
		if (waits[0].revents) {
			hear(running->speech, out);
			return true;
		}
	}
	return false;
}

static int judge(int status, struct err *e)
{
	if (WIFSIGNALED(status))
		return err_set(e, ERR_IO, "ended by signal %d",
			       WTERMSIG(status));
	if (WEXITSTATUS(status) == 0)
		return 0;
	return err_set(e, ERR_IO, "ended with status %d", WEXITSTATUS(status));
}

int program_run(const struct program *program, struct buf *out, struct err *e)
{
	auto_with(running_end) struct running running = { 0, -1, -1 };
	int status = 0;

	thread_may_wait("program_run");
	if (begin(program, &running, e) < 0)
		return err_wrap(e, "%s", program->words[0]);
	bool in_time = running.end >= 0 &&
		       attend(&running, clock_ms() + program->most_ms, out);
	if (!in_time)
		kill(-running.process, SIGKILL);
	while (waitpid(running.process, &status, 0) < 0 && errno == EINTR)
		;
	if (!in_time)
		return err_set(e, ERR_TIMEOUT, "%s: not done in %lld s",
			       program->words[0],
			       (long long)program->most_ms / 1000);
	return judge(status, e) < 0 ? err_wrap(e, "%s", program->words[0]) : 0;
}
