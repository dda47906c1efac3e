/*
 * The few system calls that move bytes, and what their results mean.
 */
#include "http/wire.h"

#include <errno.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/thread.h"
#include "http/tls.h"

void wire_open(struct wire *wire, int fd)
{
	*wire = (struct wire){ .fd = fd, .writable = true };
}

void wire_close(struct wire *wire)
{
	if (wire->tls)
		tls_close(&wire->tls);
	close(wire->fd);
	wire->fd = -1;
}

/* What a failed call means; clears `flag` if it has to be tried again. */
static ssize_t failed(bool *flag)
{
	if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
		return WIRE_GONE;
	if (errno != EINTR)
		*flag = false;
	return WIRE_WAIT;
}

ssize_t wire_receive(struct wire *wire, void *out, size_t room)
{
	if (!wire->readable)
		return WIRE_WAIT;
	ssize_t n = recv(wire->fd, out, room, 0);
	if (n < 0)
		return failed(&wire->readable);
	/* A short read has emptied the socket, unless a FIN waits behind. */
	if ((size_t)n < room && !wire->ended)
		wire->readable = false;
	return n;
}

ssize_t wire_send(struct wire *wire, struct span bytes, bool more)
{
	if (!wire->writable)
		return WIRE_WAIT;
	ssize_t n = send(wire->fd, bytes.at, bytes.len,
			 MSG_NOSIGNAL | (more ? MSG_MORE : 0));
	if (n < 0)
		return failed(&wire->writable);
	if ((size_t)n < bytes.len)
		wire->writable = false;
	return n;
}

ssize_t wire_send_file(struct wire *wire, int file, int64_t offset, size_t size)
{
	off_t at = offset;

	if (!wire->writable)
		return WIRE_WAIT;
	ssize_t n = sendfile(wire->fd, file, &at, size);
	if (n < 0 && errno == EIO)
		return 0;
	return n < 0 ? failed(&wire->writable) : n;
}

bool wire_is_reset(const struct wire *wire)
{
	struct pollfd fd = { .fd = wire->fd };

	return poll(&fd, 1, 0) > 0 && fd.revents & (POLLERR | POLLHUP);
}

bool wire_may_read(const struct wire *wire)
{
	return wire->readable || (wire->tls && tls_has_more(wire->tls));
}

ssize_t wire_peek(struct wire *wire, char *out)
{
	if (!wire->readable)
		return WIRE_WAIT;
	ssize_t n = recv(wire->fd, out, 1, MSG_PEEK);
	return n < 0 ? failed(&wire->readable) : n;
}

ssize_t wire_read(struct wire *wire, void *out, size_t room)
{
	return wire->tls ? tls_read(wire->tls, out, room) :
			   wire_receive(wire, out, room);
}

ssize_t wire_write(struct wire *wire, struct span bytes, bool more)
{
	return wire->seals ? tls_write(wire->tls, bytes) :
			     wire_send(wire, bytes, more);
}

int wire_flush(struct wire *wire)
{
	return wire->seals ? tls_flush(wire->tls) : 0;
}

void wire_finish(struct wire *wire, bool whole)
{
	if (wire->tls && whole)
		tls_say_goodbye(wire->tls);
	shutdown(wire->fd, SHUT_WR);
}

void wire_tear(struct wire *wire)
{
	static const struct linger now = { .l_onoff = 1 };

	setsockopt(wire->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

ssize_t wire_discard(struct wire *wire)
{
	char unused[64 * 1024];

	if (!wire->readable)
		return WIRE_WAIT;
	/* With this flag TCP drops the bytes and copies none. */
	ssize_t n = recv(wire->fd, unused, sizeof(unused), MSG_TRUNC);
	return n < 0 ? failed(&wire->readable) : n;
}

bool wire_wait(struct wire *wire, bool readable, int stop, int64_t ms)
{
	struct pollfd fds[] = {
		{ .fd = wire->fd, .events = readable ? POLLIN : POLLOUT },
		{ .fd = stop, .events = POLLIN },
	};

	thread_may_wait("wire_wait");
	if (poll(fds, array_size(fds), (int)ms) <= 0 || fds[1].revents)
		return false;
	wire->readable |= readable;
	wire->writable |= !readable;
	return true;
}
