/*
 * cluster/gateway.h: one question to etcd's gateway, or a stream of news from
 * it. Endpoints, tokens and what goes wrong are looked after here; errors are
 * those of cluster/etcd.h.
 */
#pragma once
#include "base/buf.h"
#include "base/json.h"
#include "cluster/etcd.h"

/*
 * `path` is like "/v3/kv/put", the body one JSON object. What names no cluster
 * is no answer of etcd: ERR_UPSTREAM.
 */
int gateway_call(struct etcd *, const char *path, const struct buf *body,
		 struct json **out, struct err *) may_wait must_check;

/* What a reply says, also where it is wrapped as the one of a stream. */
const struct json_value *gateway_inner(const struct json *);

/*
 * Has the same cluster had a higher revision before? `revision` is that of a
 * read that all members agreed to: of other replies a member that lags behind
 * may be the author.
 */
bool gateway_goes_back(struct etcd *, const struct json_value *reply,
		       int64_t revision);

struct gateway_stream {
	const char *path;
	const struct buf *body;
	void (*news)(void *arg); /* for each message, which is not read */
	void *arg;
};

/* Until it ends; never returns 0. */
int gateway_listen(struct etcd *, const struct gateway_stream *, struct err *)
	may_wait must_check;
