/*
 * cluster/gateway.h: one question to etcd's gateway, or a stream of news from
 * it. Endpoints, tokens and what goes wrong are looked after here; errors are
 * those of cluster/etcd.h.
 */
#pragma once
#include "base/buf.h"
#include "base/json.h"
#include "cluster/etcd.h"

/* `path` is like "/v3/kv/put", the body one JSON object. */
int gateway_call(struct etcd *, const char *path, const struct buf *body,
		 struct json **out, struct err *) may_wait must_check;

/* What a reply says, also where it is wrapped as the one of a stream. */
const struct json_value *gateway_inner(const struct json *);

struct gateway_stream {
	const char *path;
	const struct buf *body;
	void (*news)(void *arg); /* for each message, which is not read */
	void *arg;
};

/* Until it ends; never returns 0. */
int gateway_listen(struct etcd *, const struct gateway_stream *, struct err *)
	may_wait must_check;
