/*
 * http/wire.h: the bytes of one connection: a socket, with or without TLS.
 *
 * Nothing here waits, except wire_wait, on a worker. `readable` and
 * `writable` say whether a try makes sense: epoll is edge-triggered, so the
 * reactor sets them when it is told, and only a try that found the socket
 * empty or full clears them. Most requests therefore cost one read, one
 * write and no epoll_ctl.
 */
#pragma once
#include <sys/types.h>

#include "base/attr.h"
#include "base/span.h"

struct tls;

struct wire {
	int fd;
	bool readable;
	bool writable;
	bool ended;	 /* the peer has sent its FIN */
	struct tls *tls; /* null: plain */
	bool seals;	 /* what is written goes through `tls` */
};

enum {
	WIRE_WAIT = -1, /* nothing now, try again when epoll says so */
	WIRE_GONE = -2	/* the peer is gone, or breaks the protocol */
};

void wire_open(struct wire *, int fd);
void wire_close(struct wire *);

/* The peer has reset the connection: nothing can be told to it any more. */
bool wire_is_reset(const struct wire *);

/* A read may give something. */
bool wire_may_read(const struct wire *);
/* The first byte, left where it is: 1, 0 at the end, or WIRE_…. Plain only. */
ssize_t wire_peek(struct wire *, char *out) must_check;
/* Bytes read, 0 at the end, or WIRE_…. */
ssize_t wire_read(struct wire *, void *out, size_t room) must_check;
/*
 * Bytes taken, at least one, or WIRE_…. With `more` the packet may wait for
 * what is written next.
 */
ssize_t wire_write(struct wire *, struct span, bool more) must_check;
/* Pushes out what TLS still holds: 0 when there is nothing left, or WIRE_…. */
int wire_flush(struct wire *) must_check;
/*
 * Only if it does not seal. Bytes sent, 0 if the file ends at `offset` or
 * cannot be read, or WIRE_….
 */
ssize_t wire_send_file(struct wire *, int file, int64_t offset, size_t size)
	must_check;

/*
 * Ends our side by FIN. `whole`: everything was sent, and TLS says goodbye;
 * otherwise a TLS client sees that it was cut.
 */
void wire_finish(struct wire *, bool whole);
/* Makes wire_close end both sides by a reset. */
void wire_tear(struct wire *);
/*
 * Throws away what the peer still sends: bytes, 0 at its end, or WIRE_….
 * After wire_finish.
 */
ssize_t wire_discard(struct wire *) must_check;

/*
 * Waits until the socket is readable, or writable, for at most `ms`; false
 * when time is up or `stop`, another descriptor, is readable.
 */
bool wire_wait(struct wire *, bool readable, int stop, int64_t ms)
	may_wait must_check;

/* The socket itself, below TLS. Results as above. */
ssize_t wire_receive(struct wire *, void *out, size_t room) must_check;
ssize_t wire_send(struct wire *, struct span, bool more) must_check;
