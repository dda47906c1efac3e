/*
 * fake_server.h: an HTTP server that answers as the test has written.
 *
 * Answers are given in the order in which they were queued, whatever is asked;
 * the test then looks at what was. A request that finds no answer gets 599.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/cleanup.h"

struct fake_server;

enum fake_then {
	FAKE_KEEP,    /* the connection */
	FAKE_CUT,     /* it, by FIN */
	FAKE_SILENCE, /* keep it, and never write to it again */
	FAKE_DRIP     /* keep it, and send another header now and then */
};

/* Listens on a free port of `address`, "127.0.0.1". */
struct fake_server *fake_open(const char *address);
void fake_close(struct fake_server **);
DEFINE_AUTO(fake_server, fake_close)

/* "http://127.0.0.1:41234" */
const char *fake_url(const struct fake_server *);

/* The next answer, byte for byte: head, empty line, body. */
void fake_answer(struct fake_server *, enum fake_then, const char *format, ...)
	printf_like(3, 4);

size_t fake_request_count(struct fake_server *);
size_t fake_connection_count(struct fake_server *);
/* The `index`th request, with its body; "" if there was none. */
const char *fake_request(struct fake_server *, size_t index);
/* Until there have been `count` requests; gives up after 10 s. */
void fake_wait(struct fake_server *, size_t count);
