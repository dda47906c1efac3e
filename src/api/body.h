/*
 * api/body.h: request bodies, on a worker.
 */
#pragma once
#include "http/http.h"
#include "store/store.h"

/* The whole body, at most `limit` bytes, in the arena. ERR_TOO_LARGE. */
int body_read(struct request *, size_t limit, struct span *out, struct err *)
	may_wait must_check;

/* What the body of a request should be, in bytes. */
struct body_bounds {
	int64_t size; /* exactly; -1: unknown */
	int64_t most;
};

/*
 * The whole body to the end of an arrival. ERR_SIZE_INVALID: it is longer or
 * shorter than it should be; ERR_TOO_LARGE, before a byte is read if `size`
 * says so. Bytes that came before a failure are in the arrival.
 */
int body_store(struct request *, struct incoming *, const struct body_bounds *,
	       struct err *) may_wait must_check;
