/*
 * A line of an answer begins with a mark: ' ' a line to be passed on, '=' the
 * end, '!' the end, and why it failed. An answer without an end is none.
 *
 * A path of a socket may have some hundred bytes only, so both sides reach it
 * through a descriptor of its directory.
 */
#include "cli/control.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/thread.h"

#define REQUEST_ROOM (32 * 1024) /* a path, or rules */
#define REQUEST_S 2		 /* until it is here */
#define RETRY_MS 20
#define LINE_S 600 /* until one is taken; "| less" may take its time */
#define ANSWERS 64 /* at once, of which many may wait for somebody's pager */

/* Whom an answer goes to. */
struct asker {
	struct control *control;
	int fd;
	bool gone;
	LIST_ENTRY(asker) link;
};

struct control {
	struct thread thread;
	control_answer answer;
	void *arg;
	int listener;
	struct pool *answers;
	pthread_mutex_t lock; /* guards all below */
	LIST_HEAD(, asker) askers;
	bool closing;
};

/* -------------------------------------------------------------- the socket */

static const char name[] = "control";

static struct sockaddr_un address_at(int dir)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path),
		 "/proc/self/fd/%d/%s", dir, name);
	return address;
}

static int socket_make(struct err *e)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? err_sys(e, "socket") : fd;
}

/* The data directory is ours, so what a crash left there is nobody's. */
static int socket_listen(const char *data, struct err *e)
{
	auto_fd int dir = io_open_dir(data, e);
	if (dir < 0)
		return -1;
	auto_fd int fd = socket_make(e);
	if (fd < 0 || io_unlink_at(dir, name, e) < 0)
		return -1;

	struct sockaddr_un address = address_at(dir);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 8) < 0)
		return err_sys(e, "%s/%s", data, name);
	return steal_fd(&fd);
}

static int socket_reach(const char *data, struct err *e)
{
	auto_fd int dir = io_open_dir(data, e);
	if (dir < 0)
		return -1;
	auto_fd int fd = socket_make(e);
	if (fd < 0)
		return -1;

	struct sockaddr_un address = address_at(dir);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return steal_fd(&fd);
	err_sys(e, "%s/%s", data, name);
	if (errno == ENOENT || errno == ECONNREFUSED)
		e->kind = ERR_UNAVAILABLE;
	return -1;
}

/* --------------------------------------------------------------- answering */

static void part_send(struct asker *asker, char mark, const char *text)
{
	auto_buf struct buf part = { 0 };

	buf_addf(&part, "%c%s\n", mark, text);
	for (size_t done = 0; !asker->gone && done < part.len;) {
		ssize_t sent = send(asker->fd, part.at + done, part.len - done,
				    MSG_NOSIGNAL);

		if (sent < 0 && errno != EINTR)
			asker->gone = true;
		if (sent > 0)
			done += (size_t)sent;
	}
}

static bool line_send(void *arg, const char *text)
{
	struct asker *asker = arg;

	part_send(asker, ' ', text);
	return !asker->gone;
}

static bool may_ask(int fd)
{
	struct ucred who;
	socklen_t size = sizeof(who);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 &&
	       (who.uid == 0 || who.uid == geteuid());
}

/* False: it is not a line. */
static bool request_read(int fd, char request[REQUEST_ROOM])
{
	size_t len = 0;

	while (len < REQUEST_ROOM) {
		ssize_t got = recv(fd, request + len, REQUEST_ROOM - len, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		len += (size_t)got;
		if (request[len - 1] == '\n') {
			request[len - 1] = '\0';
			return true;
		}
	}
	return false;
}

static void serve(struct asker *asker)
{
	static const struct timeval request_time = { .tv_sec = REQUEST_S };
	static const struct timeval line_time = { .tv_sec = LINE_S };
	const struct control *control = asker->control;
	struct saying saying = { line_send, asker };
	char request[REQUEST_ROOM];
	struct err e;

	setsockopt(asker->fd, SOL_SOCKET, SO_RCVTIMEO, &request_time,
		   sizeof(request_time));
	setsockopt(asker->fd, SOL_SOCKET, SO_SNDTIMEO, &line_time,
		   sizeof(line_time));
	if (!may_ask(asker->fd))
		return part_send(asker, '!', "you may not ask this process");
	if (!request_read(asker->fd, request))
		return;
	if (control->answer(request, &saying, control->arg, &e) < 0)
		part_send(asker, '!', e.message);
	else
		part_send(asker, '=', "");
}

static void asker_end(struct asker *asker)
{
	hold_mutex(&asker->control->lock);
	LIST_REMOVE(asker, link);
	close(asker->fd);
	free(asker);
}

static void asker_run(void *arg)
{
	serve(arg);
	asker_end(arg);
}

/* Takes `fd`, which may be -1. False when it is time to end. */
static bool asker_begin(struct control *control, int fd)
{
	auto_fd int owned = fd;
	hold_mutex(&control->lock);

	if (owned >= 0 && !control->closing) {
		struct asker *asker = mem_alloc(sizeof(*asker));

		asker->control = control;
		asker->fd = steal_fd(&owned);
		LIST_INSERT_HEAD(&control->askers, asker, link);
		pool_run(control->answers, asker_run, asker);
	}
	return !control->closing;
}

/* Without a descriptor left, whoever asks waits a little. */
static void control_main(void *arg)
{
	struct control *control = arg;
	int fd;

	do {
		fd = accept4(control->listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			poll(NULL, 0, RETRY_MS);
	} while (asker_begin(control, fd));
}

/* Whoever waits for the other side, waits no longer. */
static void control_break(struct control *control)
{
	const struct asker *asker;

	hold_mutex(&control->lock);
	control->closing = true;
	shutdown(control->listener, SHUT_RDWR);
	LIST_FOREACH(asker, &control->askers, link)
	{
		shutdown(asker->fd, SHUT_RDWR);
	}
}

int control_open(const char *data, control_answer answer, void *arg,
		 struct control **out, struct err *e)
{
	thread_may_wait("control_open");
	int listener = socket_listen(data, e);
	if (listener < 0)
		return -1;

	struct control *control = mem_alloc(sizeof(*control));
	control->answer = answer;
	control->arg = arg;
	control->listener = listener;
	control->answers = pool_open("answer", ANSWERS);
	LIST_INIT(&control->askers);
	pthread_mutex_init(&control->lock, NULL);
	thread_start(&control->thread, "control", control_main, control);
	*out = control;
	return 0;
}

void control_close(struct control **pointer)
{
	struct control *control = steal_ptr(pointer);

	thread_may_wait("control_close");
	control_break(control);
	thread_join(&control->thread);
	pool_close(&control->answers);
	pthread_mutex_destroy(&control->lock);
	close(control->listener);
	free(control);
}

/* ------------------------------------------------------------------ asking */

static int request_send(int fd, const char *request, struct err *e)
{
	auto_buf struct buf line = { 0 };

	buf_addf(&line, "%s\n", request);
	if (line.len > REQUEST_ROOM)
		return err_set(e, ERR_USAGE,
			       "this is too much to ask the process that "
			       "serves: %d bytes are taken",
			       REQUEST_ROOM);
	return send(fd, line.at, line.len, MSG_NOSIGNAL) < 0 ?
		       err_sys(e, "%s", name) :
		       0;
}

static void file_end(FILE **file)
{
	if (*file)
		fclose(*file);
}

/* To its end: 0 or -1. */
static int answer_read(FILE *answer, const struct saying *saying, struct err *e)
{
	auto_free char *line = NULL;
	size_t room = 0;
	ssize_t len;

	while ((len = getline(&line, &room, answer)) > 1) {
		line[len - 1] = '\0';
		if (line[0] == '=')
			return 0;
		if (line[0] == '!')
			return err_set(e, ERR_IO, "%s", line + 1);
		saying->line(saying->arg, line + 1);
	}
	return err_set(e, ERR_CLOSED,
		       "the registry ended before it was done with this");
}

int control_ask(const char *data, const char *request,
		const struct saying *saying, struct err *e)
{
	thread_may_wait("control_ask");
	auto_fd int fd = socket_reach(data, e);
	if (fd < 0 || request_send(fd, request, e) < 0)
		return -1;

	auto_with(file_end) FILE *answer = fdopen(fd, "r");
	if (!answer)
		return err_sys(e, "%s", name);
	steal_fd(&fd);
	return answer_read(answer, saying, e);
}
