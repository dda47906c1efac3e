/*
 * A worker owns the connection while it is at work: it polls the socket
 * itself, with deadlines.
 */
#include "http/worker.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "http/connection.h"
#include "http/send.h"
#include "http/server.h"

int worker_wait(struct connection *c, bool readable, struct pace *pace,
		struct err *e)
{
	struct http *http = c->home->http;
	int64_t stall_ms = http->options.stall_ms;
	int64_t start_ms = clock_ms();
	bool ready = wire_wait(&c->wire, readable, http->stop, stall_ms);

	pace->waited_ms += clock_ms() - start_ms;
	if (ready && !pace_is_too_slow(pace, stall_ms))
		return 0;
	if (http->cutting)
		return err_set(e, ERR_CLOSED, "the server ends");
	return err_set(e, ERR_SLOW,
		       ready ? "the client is slower than 1 KB/s" :
			       "the client was silent for too long");
}

int worker_write(struct connection *c, struct span bytes, struct err *e)
{
	struct pace *pace = &c->exchange->sending.pace;

	while (bytes.len > 0) {
		ssize_t n = wire_write(&c->wire, bytes, false);
		if (n == WIRE_GONE)
			return err_set(e, ERR_CLOSED, "the client went away");
		if (n == WIRE_WAIT && worker_wait(c, false, pace, e) < 0)
			return -1;
		if (n > 0) {
			bytes = span_from(bytes, (size_t)n);
			pace->bytes += n;
		}
	}
	return 0;
}

int response_write(struct response *res, struct span bytes, struct err *e)
{
	enum { JOINED = 16 * 1024 };
	struct exchange *x = exchange_answering(res);
	struct buf *text = &x->sending.text;

	thread_may_wait("response_write");
	if (bytes.len == 0)
		return 0;
	send_frame(&x->sending, (int64_t)bytes.len);
	x->sending.body += (int64_t)bytes.len;
	if (bytes.len <= JOINED)
		buf_add(text, bytes);
	if (worker_write(x->connection, buf_span(text), e) < 0)
		return -1;
	buf_clear(text);
	return bytes.len <= JOINED ? 0 : worker_write(x->connection, bytes, e);
}

/* The head is in `sending.text`, and leaves with the first bytes. */
static void stream(struct exchange *x)
{
	const struct response *res = &x->response;
	struct err e;
	int failed = res->write(&x->request, &x->response, &e);

	if (failed || (res->length >= 0 && x->sending.body != res->length))
		x->cut = true;
	else
		send_last_frame(&x->sending);
}

/*
 * Who has left while he waited for a worker is served no more: many such
 * would keep the others waiting.
 */
static void give_up(struct exchange *x)
{
	exchange_refuse(x, 400, "the client went away");
	x->cut = true;
}

void worker_answer(struct connection *c)
{
	struct exchange *x = c->exchange;

	if (wire_is_reset(&c->wire))
		give_up(x);
	else
		x->response.later(&x->request, &x->response);
	connection_answer(c);
	if (x->response.kind == BODY_STREAM && !x->sending.ended)
		stream(x);
	reactor_give(c->home, c);
}

void worker_warm(struct connection *c)
{
	send_warm(c->exchange);
	connection_enter(c, CONNECTION_SEND);
	reactor_give(c->home, c);
}
