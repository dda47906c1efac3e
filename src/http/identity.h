/*
 * http/identity.h: the certificates of one door. Each is replaced by itself
 * when its files have changed, while connections are open.
 */
#pragma once
#include "base/err.h"

struct http_door;
struct identity;
struct pairs;
struct ssl_ctx_st;

/*
 * `door` must live until another one is taken. ERR_USAGE naming the file that
 * is wrong.
 */
int identity_open(const struct http_door *, struct identity **out, struct err *)
	may_wait must_check;
void identity_close(struct identity **);

/* Reads the files of a door, but nothing changes before identity_change. */
int identity_read(struct identity *, const struct http_door *,
		  struct pairs **out, struct err *) may_wait must_check;
/* Takes what was read, and its door. */
void identity_change(struct identity *, struct pairs **) may_wait;
/* Gives back what was read for nothing. */
void pairs_close(struct pairs **);

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
