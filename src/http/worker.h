/*
 * http/worker.h: what is done with a connection on a worker. It may wait, for
 * the peer too, and ends with giving the connection back to its home.
 */
#pragma once
#include "base/err.h"
#include "base/span.h"
#include "http/pace.h"

struct connection;

/* The second half of a handler, and the body if it is a stream. */
void worker_answer(struct connection *);
/* Reads the next piece of the file into the page cache. */
void worker_warm(struct connection *);

/*
 * Waits for the socket; counts the time in `pace`. ERR_SLOW: silent for
 * too long, or too slow; ERR_CLOSED: the server ends.
 */
int worker_wait(struct connection *, bool readable, struct pace *, struct err *)
	may_wait must_check;
/* Sends everything. ERR_SLOW, ERR_CLOSED. */
int worker_write(struct connection *, struct span, struct err *)
	may_wait must_check;
