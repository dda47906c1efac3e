/*
 * http/reactor.h: the thread of a core. It waits for sockets, mail and
 * growing files, and runs connections; nothing else waits on it.
 */
#pragma once
#include <pthread.h>
#include <stdatomic.h>

#include "base/growing.h"
#include "base/thread.h"
#include "http/list.h"

struct connection;
struct exchange;
struct http;

/* What epoll reports on; embedded first in the thing itself. */
struct source {
	void (*ready)(struct source *, uint32_t events);
};

/*
 * How long a connection may wait for its socket. One list each: equal
 * durations expire in the order in which they began.
 */
enum timeout {
	TIMEOUT_HEAD,	/* the handshake, and then each head */
	TIMEOUT_IDLE,	/* between requests */
	TIMEOUT_STALL,	/* a response that the peer does not take */
	TIMEOUT_LINGER, /* our FIN is sent */
	TIMEOUT_COUNT
};

/* A door, as this reactor sees it. */
struct porch {
	struct source source;
	struct reactor *reactor;
	const struct door *door;
};

struct reactor {
	struct http *http;
	struct thread thread;
	int epoll;
	int eventfd;	/* mail came, a file grew, an order was given */
	unsigned bell;	/* the same, as base/growing.h knows it */
	int64_t now_ms; /* of this round */
	struct source woken;
	struct porch *porches;
	int64_t closed_until_ms; /* out of descriptors; 0: open */
	bool rung;
	atomic_uint rounds;  /* how often it was woken */
	atomic_bool drained; /* it accepts nothing any more */
	bool cut;

	struct link waiting[TIMEOUT_COUNT]; /* for their sockets */
	struct link turns;		    /* for their turn */
	struct link watches;		    /* for growth; see growth.h */
	int64_t glance_ms; /* when they are looked at unasked */

	pthread_mutex_t mail_lock; /* guards `mail` */
	struct link mail;

	struct exchange *pool;
	unsigned pooled;	 /* how many are in it */
	uint64_t next_id;	 /* of a request */
	char *chunk;		 /* TLS_BATCH bytes on their way */
	atomic_uint connections; /* that are, or will be, its own */
};

void reactor_open(struct reactor *, struct http *);
void reactor_start(struct reactor *, unsigned number);
/* Waits for the end of the thread, and closes what is left. */
void reactor_close(struct reactor *);

/* From any thread: `connection` is the reactor's again and will be run. */
void reactor_give(struct reactor *, struct connection *);
/* From any thread: look at the orders in struct http. */
void reactor_wake(struct reactor *);

/* The rest is for the reactor's own thread. */
void reactor_wait_socket(struct reactor *, struct connection *, enum timeout);
void reactor_wait_turn(struct reactor *, struct connection *);
void reactor_disarm(struct reactor *, struct connection *);
/* One connection less. */
void reactor_forget(struct reactor *);

struct exchange *reactor_take_exchange(struct reactor *);
void reactor_return_exchange(struct reactor *, struct exchange *);
