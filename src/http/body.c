/*
 * The body of a request, read straight down by a worker: first what came with
 * the head, then from the wire, as far as possible right into the caller's
 * memory.
 */
#include "base/clock.h"
#include "base/thread.h"
#include "http/connection.h"
#include "http/server.h"
#include "http/worker.h"

static int say_continue(struct exchange *x, struct err *e)
{
	if (!x->expects)
		return 0;
	x->expects = false;
	return worker_write(x->connection,
			    SPAN("HTTP/1.1 100 Continue\r\n\r\n"), e);
}

/* Bytes from the wire, at least one, or -1. */
static ssize_t receive(struct exchange *x, void *out, size_t room,
		       struct err *e)
{
	struct wire *wire = &x->connection->wire;
	ssize_t n;

	while ((n = wire_read(wire, out, room)) == WIRE_WAIT)
		if (worker_wait(x->connection, true, &x->pace, e) < 0)
			return -1;
	if (n <= 0)
		return err_set(e, ERR_CLOSED,
			       "the client went away within its request");
	x->pace.bytes += n;
	return n;
}

/*
 * More of the body: right into `out`, then the count is returned, or into the
 * buffer, then 0.
 */
static ssize_t read_more(struct exchange *x, void *out, size_t room,
			 struct err *e)
{
	int64_t sure = frame_sure(&x->frame);
	ssize_t n;

	if (say_continue(x, e) < 0)
		return -1;
	if (sure > 0) {
		if ((int64_t)room > sure)
			room = (size_t)sure;
		n = receive(x, out, room, e);
		if (n > 0)
			frame_skip(&x->frame, (size_t)n);
		return n;
	}
	x->filled = x->taken = x->head;
	n = receive(x, x->bytes + x->head, sizeof(x->bytes) - x->head, e);
	if (n < 0)
		return -1;
	x->filled += (size_t)n;
	return 0;
}

ssize_t request_read(struct request *req, void *out, size_t room, struct err *e)
{
	struct exchange *x = exchange_of(req);
	struct span data;
	ssize_t n;

	thread_may_wait("request_read");
	for (;;) {
		struct span in =
			span_make(x->bytes + x->taken, x->filled - x->taken);
		enum frame_event event =
			frame_next(&x->frame, &in, room, &data);

		x->taken = x->filled - in.len;
		if (event == FRAME_END)
			return 0;
		if (event == FRAME_BAD)
			return err_set(e, ERR_REQUEST,
				       "the chunks of the body are malformed");
		if (event == FRAME_DATA) {
			memcpy(out, data.at, data.len);
			n = (ssize_t)data.len;
		} else {
			n = read_more(x, out, room, e);
		}
		if (n < 0)
			return -1;
		x->received += n;
		if (n > 0)
			return n;
	}
}
