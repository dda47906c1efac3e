/*
 * cluster/etcd.h: etcd v3 over its JSON gateway, as far as a cluster needs it.
 *
 * Each call asks the endpoint that answered last, and when that one cannot be
 * reached, or says that it cannot decide, the others in turn: 3 s for each.
 * Errors say which endpoint it was. ERR_UNAVAILABLE, ERR_TIMEOUT and
 * ERR_UPSTREAM: nobody answered, it may or may not have been done. ERR_DENIED:
 * name, password or rights; then nobody logs in again for 15 to 30 s.
 * ERR_CLOSED: etcd_abort.
 *
 * For one thread at a time, but for etcd_abort and etcd_hurry.
 */
#pragma once
#include "base/arena.h"
#include "cluster/options.h"

struct etcd;

/* ERR_USAGE if a file cannot be read. Asks nobody. */
int etcd_open(const struct cluster_options *, struct etcd **out, struct err *)
	may_wait must_check;
void etcd_close(struct etcd **);

/* Every call fails at once with ERR_CLOSED, from any thread. */
void etcd_abort(struct etcd *);
/*
 * From any thread: calls that are under way fail at once with ERR_CLOSED, and
 * later ones share `ms` from now, a part for each endpoint.
 */
void etcd_hurry(struct etcd *, int64_t ms);
/* Lets `ms` pass. ERR_CLOSED: there was an etcd_abort, or an etcd_hurry. */
int etcd_pause(struct etcd *, int64_t ms, struct err *) may_wait must_check;

/* A lease is a number of ours, at least 1. 0 also if it was there. */
int etcd_grant(struct etcd *, int64_t lease, int64_t seconds, struct err *)
	may_wait must_check;
/* For its seconds again. ERR_NOT_FOUND: it has ended. */
int etcd_renew(struct etcd *, int64_t lease, struct err *) may_wait must_check;
/* Its keys go with it. 0 also if it had ended. */
int etcd_revoke(struct etcd *, int64_t lease, struct err *) may_wait must_check;

enum {
	ETCD_KEY_BYTES = 1024,
	ETCD_VALUE_BYTES = 64 * 1024 /* more is not kept */
};

struct etcd_pair {
	struct span key;
	struct span value;
	int64_t lease; /* 0: none */
	bool cut;      /* what was read is longer: of the key this is the
			  beginning, of the value nothing */
};

/* ERR_NOT_FOUND: the lease has ended. */
int etcd_put(struct etcd *, const struct etcd_pair *, struct err *)
	may_wait must_check;

/* ERR_NOT_FOUND. What it points to is in the arena. */
int etcd_get(struct etcd *, struct span key, struct arena *,
	     struct etcd_pair *out, struct err *) may_wait must_check;

struct etcd_list {
	struct etcd_pair *pairs; /* by key */
	size_t count;
};

/*
 * The first `limit` keys that begin so, all of one moment. If their values are
 * too much for one reply, they are asked for a few at a time.
 */
int etcd_list(struct etcd *, struct span prefix, size_t limit, struct arena *,
	      struct etcd_list *out, struct err *) may_wait must_check;

/*
 * Calls `news` when it listens, and then each time a key that begins so has
 * changed; until that, or etcd, ends it. Silence for a minute ends it too:
 * the other side may be frozen. Never returns 0.
 */
int etcd_watch(struct etcd *, struct span prefix, void (*news)(void *arg),
	       void *arg, struct err *) may_wait must_check;

/* For a terminal: all but printable ASCII becomes '?'. */
void etcd_clean(char *text);
