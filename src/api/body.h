/*
 * api/body.h: request bodies, on a worker.
 */
#pragma once
#include "http/http.h"
#include "store/store.h"

/* The whole body, at most `limit` bytes, in the arena. ERR_TOO_LARGE. */
int body_read(struct request *, size_t limit, struct span *out, struct err *)
	may_wait must_check;

/* The whole body to the end of an arrival. */
int body_store(struct request *, struct incoming *, struct err *)
	may_wait must_check;
