/*
 * http/identity.h: the certificates of one door. Each is replaced by itself
 * when its files have changed, while connections are open.
 */
#pragma once
#include "base/err.h"

struct http_door;
struct identity;
struct ssl_ctx_st;

/* `door` must outlive it. ERR_USAGE naming the file that is wrong. */
int identity_open(const struct http_door *, struct identity **out, struct err *)
	may_wait must_check;
void identity_close(struct identity **);

/*
 * Reads all files again. What is wrong stays as it was, and the first of them
 * is the error.
 */
int identity_reload(struct identity *, struct err *) may_wait must_check;
/*
 * Reads again what has changed, if it is the same as at the last look: what
 * is still being written is left alone. Logs.
 */
void identity_look(struct identity *) may_wait;

/*
 * What `host` (null: the client names none) is shown; with a reference for
 * the caller. Never waits.
 */
struct ssl_ctx_st *identity_take(struct identity *, const char *host);
