/*
 * The buffer of an exchange holds the head, on which the request's spans
 * point, and behind it whatever came along: body, or the next request.
 */
#include "http/exchange.h"

#include <endian.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/mem.h"
#include "http/connection.h"
#include "http/server.h"

enum {
	TEXT_KEPT = 8 * 1024, /* of a buffer, for the next response */
	RETRY_S = 5	      /* when threads may be free again */
};

struct exchange *exchange_open(void)
{
	struct exchange *x = mem_grow(NULL, sizeof(*x));

	memset(x, 0, offsetof(struct exchange, bytes));
	x->request.arena = arena_open();
	x->response.fd = -1;
	return x;
}

void exchange_close(struct exchange **pointer)
{
	struct exchange *x = steal_ptr(pointer);

	response_release(&x->response);
	buf_free(&x->response.headers);
	buf_free(&x->sending.text);
	arena_close(&x->request.arena);
	free(x);
}

/* Empty, and its memory kept unless it is large. */
static struct buf emptied(struct buf buf)
{
	if (buf.room > TEXT_KEPT)
		buf_free(&buf);
	else
		buf_clear(&buf);
	return buf;
}

static void number(struct exchange *x)
{
	uint64_t id = htobe64(x->connection->home->next_id++);

	hex_print((const uint8_t *)&id, sizeof(id), x->request.id);
}

void exchange_reset(struct exchange *x)
{
	struct connection *c = x->connection;
	size_t rest = x->filled - x->taken;

	response_release(&x->response);
	arena_reset(x->request.arena);
	memmove(x->bytes, x->bytes + x->taken, rest);
	x->filled = rest;
	x->taken = x->head = x->line = 0;
	x->request = (struct request){
		.method = METHOD_OTHER,
		.path = SPAN(""),
		.query = SPAN_NONE,
		.peer = c->peer,
		.client = c->client,
		.door = &c->door->given,
		.app = c->home->http->options.app,
		.arena = x->request.arena,
	};
	x->response = (struct response){
		.fd = -1,
		.headers = emptied(x->response.headers),
	};
	x->sending = (struct sending){ .text = emptied(x->sending.text) };
	x->frame = (struct frame){ .state = FRAME_ENDED };
	x->pace = (struct pace){ 0 };
	x->received = x->started_us = 0;
	x->old = x->expects = x->keep = x->cut = x->unframed = false;
	number(x);
}

void exchange_refuse(struct exchange *x, int status, const char *sentence)
{
	const struct http_options *options =
		&x->connection->home->http->options;
	struct response *res = &x->response;

	if (x->started_us == 0)
		x->started_us = clock_us();
	x->keep = false;
	buf_clear(&res->headers);
	respond_header(res, "Content-Type", "%s",
		       options->refusal_type ? options->refusal_type :
					       "text/plain");
	if (status == 503)
		respond_header(res, "Retry-After", "%d", RETRY_S);
	if (options->refusal)
		respond_bytes(res, status,
			      options->refusal(status, sentence,
					       x->request.arena));
	else
		respond_bytes(res, status,
			      span_of(arena_printf(x->request.arena, "%s\n",
						   sentence)));
}

static int refuse(struct exchange *x, const struct refusal *refusal)
{
	exchange_refuse(x, refusal->status, refusal->sentence);
	return -1;
}

/* Bytes that never become a head: what were they meant to be? */
static const struct refusal *garbage(const struct exchange *x)
{
	enum { TLS_HANDSHAKE = 0x16 };
	static const struct refusal tls = {
		400, "this port speaks HTTP without TLS: use http://"
	};
	static const struct refusal other = {
		400, "this is not HTTP: each line of a head ends in CR LF"
	};

	return x->bytes[0] == TLS_HANDSHAKE ? &tls : &other;
}

static void begin(struct exchange *x, const struct head *head)
{
	struct request *req = &x->request;
	size_t size = head->header_count * sizeof(*head->headers);
	struct header *headers = arena_alloc(req->arena, size);

	memcpy(headers, head->headers, size);
	req->headers = headers;
	req->method = head->method;
	req->path = head->path;
	req->query = head->query;
	req->header_count = head->header_count;
	req->body_size = head->body_size;
	x->old = head->old;
	x->keep = head->keep;
	x->expects = head->expects;
	frame_open(&x->frame, head->body_size);
}

int exchange_parse(struct exchange *x)
{
	static const struct refusal too_large = {
		431, "the head of a request may have 16 KiB"
	};
	struct header headers[HEADER_LIMIT];
	struct head head = { .headers = headers, .header_room = HEADER_LIMIT };
	ssize_t length = head_length(span_make(x->bytes, x->filled), &x->line);

	if (length < 0)
		return refuse(x, garbage(x));
	if (length > HEAD_LIMIT || (length == 0 && x->filled >= HEAD_LIMIT))
		return refuse(x, &too_large);
	if (length == 0)
		return 0;
	x->started_us = clock_us();
	x->head = x->taken = (size_t)length;
	const struct refusal *wrong =
		head_parse(span_make(x->bytes, x->head), &head);
	if (wrong)
		return refuse(x, wrong);
	begin(x, &head);
	return 1;
}

bool exchange_hold(struct exchange *x)
{
	enum { SMALL = 64 * 1024 };
	struct http *http = x->connection->home->http;
	int64_t size = (int64_t)arena_size(x->request.arena);

	if (size <= SMALL)
		return true;
	x->held = size;
	return atomic_fetch_add(&http->held, size) + size <=
	       http->options.held_most;
}

void exchange_let_go(struct exchange *x)
{
	if (x->held)
		atomic_fetch_sub(&x->connection->home->http->held, x->held);
	x->held = 0;
}

bool exchange_skip_body(struct exchange *x)
{
	struct span in = span_make(x->bytes + x->taken, x->filled - x->taken);
	enum frame_event event;
	struct span data;

	do
		event = frame_next(&x->frame, &in, SIZE_MAX, &data);
	while (event == FRAME_DATA);
	x->taken = x->filled - in.len;
	return event == FRAME_END;
}
