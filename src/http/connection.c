/*
 * The states of a connection, and what is done about what each needs next.
 */
#include "http/connection.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "http/send.h"
#include "http/server.h"
#include "http/tls.h"

/*
 * A client may read our answer only after it has written everything; closing
 * before that would make a reset of it, which takes the answer away.
 */
enum {
	LINGER_MS = 10 * 1000, /* and less when it is silent: TIMEOUT_LINGER */
	LINGER_TURN = 16       /* reads */
};

void connection_enter(struct connection *c, enum connection_state state)
{
	c->state = state;
	c->renew = true;
}

/* ------------------------------------------------------------ exchanges */

static void take_exchange(struct connection *c)
{
	c->exchange = reactor_take_exchange(c->home);
	c->exchange->connection = c;
	exchange_reset(c->exchange);
}

static void return_exchange(struct connection *c)
{
	if (!c->exchange)
		return;
	exchange_let_go(c->exchange);
	reactor_return_exchange(c->home, steal_ptr(&c->exchange));
}

void connection_answer(struct connection *c)
{
	response_start(c->exchange);
	connection_enter(c, CONNECTION_SEND);
}

static void report(const struct exchange *x)
{
	const struct http_options *options =
		&x->connection->home->http->options;
	struct http_outcome outcome = {
		.status = x->response.status,
		.sent = x->sending.body,
		.received = x->received,
		.micros = clock_us() - x->started_us,
		.cut = x->cut,
		.bad_file = x->sending.bad_file,
	};
	unsigned hundreds = (unsigned)outcome.status / 100;

	if (hundreds >= 2 && hundreds <= 5)
		metric_add((enum metric)(METRIC_REQUESTS_2XX + hundreds - 2),
			   1);
	metric_add(METRIC_BYTES_SENT, outcome.sent);
	metric_add(METRIC_BYTES_RECEIVED, outcome.received);
	metric_add(METRIC_CUTS, outcome.cut);
	if (options->done)
		options->done(&x->request, &outcome);
}

/* Ends our side, so that what was said last is heard. */
static enum next part(struct connection *c, bool whole)
{
	wire_finish(&c->wire, whole);
	c->linger_until_ms = c->home->now_ms + LINGER_MS;
	connection_enter(c, CONNECTION_LINGER);
	return NEXT_STEP;
}

/* A FIN would say that the body is whole. */
static enum next tear(struct connection *c)
{
	wire_tear(&c->wire);
	connection_enter(c, CONNECTION_LINGER);
	return NEXT_CLOSE;
}

/* The response was sent, or is cut. Others have their turn between requests. */
static enum next finish(struct connection *c)
{
	struct exchange *x = c->exchange;

	report(x);
	if (x->cut || !x->keep) {
		bool whole = !x->cut;
		bool torn = x->cut && x->unframed;

		return_exchange(c);
		return torn ? tear(c) : part(c, whole);
	}
	if (x->filled > x->taken) {
		exchange_reset(x);
		connection_enter(c, CONNECTION_HEAD);
		return NEXT_TURN;
	}
	return_exchange(c);
	connection_enter(c, CONNECTION_IDLE);
	return wire_may_read(&c->wire) ? NEXT_TURN : NEXT_STEP;
}

/* ------------------------------------------------------------ states */

static enum next answer(struct connection *c)
{
	connection_answer(c);
	return NEXT_STEP;
}

/* Nothing of TLS exists before the first byte shows that the peer means it. */
static enum next step_handshake(struct connection *c)
{
	enum { HANDSHAKE_RECORD = 0x16 };
	char first;

	if (!c->wire.tls) {
		ssize_t n = wire_peek(&c->wire, &first);
		if (n <= 0)
			return n == WIRE_WAIT ? NEXT_SOCKET : NEXT_CLOSE;
		if (first != HANDSHAKE_RECORD) {
			take_exchange(c);
			exchange_refuse(c->exchange, 400,
					"this port speaks TLS: use https://");
			return answer(c);
		}
		c->wire.tls = tls_open(c->door->identity, &c->wire);
		if (!c->wire.tls)
			return NEXT_CLOSE;
	}
	int done = tls_handshake(c->wire.tls);
	if (done < 0)
		return done == WIRE_WAIT ? NEXT_SOCKET : part(c, false);
	c->client = tls_client(c->wire.tls);
	connection_enter(c, CONNECTION_IDLE);
	return NEXT_STEP;
}

static enum next stay_idle(const struct connection *c)
{
	return c->home->drained ? NEXT_CLOSE : NEXT_SOCKET;
}

static enum next step_idle(struct connection *c)
{
	if (!wire_may_read(&c->wire))
		return stay_idle(c);
	take_exchange(c);
	connection_enter(c, CONNECTION_HEAD);
	return NEXT_STEP;
}

/*
 * A false alarm: nothing was there to be read. TLS may hold a part of a
 * record, and then still says that there may be; only the socket helps.
 */
static enum next back_to_idle(struct connection *c)
{
	return_exchange(c);
	connection_enter(c, CONNECTION_IDLE);
	return stay_idle(c);
}

static enum next handle(struct connection *c)
{
	struct exchange *x = c->exchange;

	c->home->http->options.handle(&x->request, &x->response);
	if (!x->response.later)
		return answer(c);
	c->lane = lane_place(x->response.lane, x->response.whom);
	return NEXT_LANE;
}

static enum next step_head(struct connection *c)
{
	struct exchange *x = c->exchange;

	for (;;) {
		int found = x->filled > 0 ? exchange_parse(x) : 0;
		if (found)
			return found > 0 ? handle(c) : answer(c);
		ssize_t n = wire_read(&c->wire, x->bytes + x->filled,
				      sizeof(x->bytes) - x->filled);
		if (n == WIRE_WAIT)
			return x->filled ? NEXT_SOCKET : back_to_idle(c);
		if (n <= 0)
			return NEXT_CLOSE;
		x->filled += (size_t)n;
	}
}

static enum next step_send(struct connection *c)
{
	enum next next = send_on(c);

	return next == NEXT_STEP ? finish(c) : next;
}

static enum next step_linger(struct connection *c)
{
	for (int i = 0; i < LINGER_TURN; i++) {
		ssize_t n = wire_discard(&c->wire);
		if (n == WIRE_WAIT)
			return NEXT_SOCKET;
		if (n <= 0)
			return NEXT_CLOSE;
		c->renew = true;
	}
	return c->home->now_ms < c->linger_until_ms ? NEXT_TURN : NEXT_CLOSE;
}

static const struct {
	enum next (*step)(struct connection *);
	enum timeout timeout;
} states[CONNECTION_STATES] = {
	[CONNECTION_HANDSHAKE] = { step_handshake, TIMEOUT_HEAD },
	[CONNECTION_IDLE] = { step_idle, TIMEOUT_IDLE },
	[CONNECTION_HEAD] = { step_head, TIMEOUT_HEAD },
	[CONNECTION_SEND] = { step_send, TIMEOUT_STALL },
	[CONNECTION_LINGER] = { step_linger, TIMEOUT_LINGER },
};

/* ------------------------------------------------------------ what next */

static void go_to_lane(struct connection *c)
{
	struct http *http = c->home->http;
	int64_t due_ms = c->lane == LANE_WARM ?
				 INT64_MAX :
				 c->home->now_ms + http->options.queue_ms;

	reactor_disarm(c->home, c);
	connection_enter(c, CONNECTION_AWAY);
	lane_put(http->lanes[c->lane], c, due_ms);
}

void connection_run(struct connection *c)
{
	enum next next;

	do
		next = states[c->state].step(c);
	while (next == NEXT_STEP);
	switch (next) {
	case NEXT_STEP:
		break;
	case NEXT_SOCKET:
		reactor_wait_socket(c->home, c, states[c->state].timeout);
		break;
	case NEXT_TURN:
		reactor_wait_turn(c->home, c);
		break;
	case NEXT_GROWTH: /* it is waiting already */
		break;
	case NEXT_LANE:
		go_to_lane(c);
		break;
	case NEXT_CLOSE:
		connection_close(&c);
		break;
	}
}

static void connection_ready(struct source *source, uint32_t events)
{
	struct connection *c = container_of(source, struct connection, source);
	bool gone = events & (EPOLLERR | EPOLLHUP);

	c->wire.readable |= gone || events & (EPOLLIN | EPOLLRDHUP);
	c->wire.ended |= gone || events & EPOLLRDHUP;
	c->wire.writable |= gone || events & EPOLLOUT;
	if (gone && c->state == CONNECTION_SEND)
		c->exchange->cut = true;
	connection_run(c);
}

void connection_expired(struct connection *c)
{
	switch (c->state) {
	case CONNECTION_HEAD:
		exchange_refuse(c->exchange, 408,
				"the head of the request took too long");
		connection_answer(c);
		return connection_run(c);
	case CONNECTION_SEND:
		return connection_cut(c);
	default:
		return connection_close(&c);
	}
}

void connection_cut(struct connection *c)
{
	switch (c->state) {
	case CONNECTION_SEND:
		c->exchange->cut = true;
		return connection_run(c);
	case CONNECTION_LINGER:
		return connection_run(c);
	default:
		return connection_close(&c);
	}
}

/* ------------------------------------------------------------ birth and end */

static void print_peer(const struct sockaddr_storage *address, char *out,
		       size_t room)
{
	const struct sockaddr_in *v4 = (const void *)address;
	const struct sockaddr_in6 *v6 = (const void *)address;
	char host[INET6_ADDRSTRLEN];

	if (address->ss_family == AF_INET) {
		inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
		snprintf(out, room, "%s:%u", host, ntohs(v4->sin_port));
	} else if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
		inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, host,
			  sizeof(host));
		snprintf(out, room, "%s:%u", host, ntohs(v6->sin6_port));
	} else {
		inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
		snprintf(out, room, "[%s]:%u", host, ntohs(v6->sin6_port));
	}
}

struct connection *connection_open(int fd,
				   const struct sockaddr_storage *address,
				   const struct door *door,
				   struct reactor *home)
{
	struct connection *c = mem_alloc(sizeof(*c));

	c->source.ready = connection_ready;
	list_open(&c->link);
	c->home = home;
	c->door = door;
	wire_open(&c->wire, fd);
	print_peer(address, c->peer, sizeof(c->peer));
	connection_enter(c, door->identity ? CONNECTION_HANDSHAKE :
					     CONNECTION_IDLE);
	metric_add(METRIC_CONNECTIONS, 1);
	return c;
}

void connection_close(struct connection **pointer)
{
	struct connection *c = steal_ptr(pointer);

	if (c->state == CONNECTION_SEND) {
		c->exchange->cut = true;
		report(c->exchange);
	}
	list_remove(&c->link);
	return_exchange(c);
	wire_close(&c->wire);
	free(c->client);
	metric_add(METRIC_CONNECTIONS, -1);
	reactor_forget(c->home);
	free(c);
}
