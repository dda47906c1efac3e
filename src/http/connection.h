/*
 * http/connection.h: the life of a connection.
 *
 *	            ┌───────────────────────────────┐
 *	            ↓                               │ kept, whole
 *	HANDSHAKE → IDLE → HEAD ──────────────→ SEND┤
 *	   TLS             │  ↖ pipelined        ↑  │ cut, or not kept
 *	                   └─→ AWAY ────────────-┘  └→ LINGER → closed
 *	                      a worker's
 *
 * A connection belongs to its home reactor, and in AWAY to whoever took it
 * from a lane. Each state has one function (connection.c: `states`), which
 * goes as far as it can without waiting and says what has to come next;
 * connection_run alone acts on that.
 *
 * It stands in exactly one list: that of what it waits for.
 */
#pragma once
#include "http/exchange.h"
#include "http/list.h"
#include "http/reactor.h"
#include "http/wire.h"

enum connection_state {
	CONNECTION_HANDSHAKE,
	CONNECTION_IDLE,   /* between requests; has no exchange */
	CONNECTION_HEAD,   /* a head is coming */
	CONNECTION_AWAY,   /* on a worker, or in a queue for one */
	CONNECTION_SEND,   /* a response is leaving */
	CONNECTION_LINGER, /* our FIN is sent, the peer's has to come */
	CONNECTION_STATES
};

/* What a connection needs before it can go on. */
enum next {
	NEXT_STEP,   /* nothing: it is in another state now */
	NEXT_SOCKET, /* to be readable, or writable */
	NEXT_TURN,   /* that others had their turn */
	NEXT_GROWTH, /* that the file it sends has grown */
	NEXT_LANE,   /* a worker */
	NEXT_CLOSE   /* its end */
};

struct door;

struct connection {
	struct source source; /* in epoll; first */
	struct link link;
	int64_t due_ms; /* in the list it is in; clock_ms */
	struct reactor *home;
	const struct door *door;
	struct exchange *exchange;
	struct wire wire;
	enum connection_state state;
	unsigned lane; /* to go to, with NEXT_LANE */
	int64_t linger_until_ms;
	bool armed;   /* in epoll */
	bool renew;   /* the deadline starts again at the next wait */
	char *client; /* see struct request */
	char peer[56];
};

/* Takes `fd`. Belongs to `home` from the first run on. */
struct connection *connection_open(int fd, const struct sockaddr_storage *,
				   const struct door *, struct reactor *home);

/*
 * The owner changes the state; what has to be done next follows from it.
 * Outside of connection.c only workers do, on the way back.
 */
void connection_enter(struct connection *, enum connection_state);

/* Goes on as far as possible. May close the connection, or give it away. */
void connection_run(struct connection *);

/* Its deadline has passed. */
void connection_expired(struct connection *);

/* Ends it now, by FIN, before the last byte of what it sends. */
void connection_cut(struct connection *);

/* Without ceremony, at the end of everything. */
void connection_close(struct connection **);

/* request.c: the described response is sent next. */
void connection_answer(struct connection *);
