#include "cluster/etcd.h"

#include "base/base64.h"
#include "cluster/gateway.h"

/* When all that counts is that it was done. */
static int call_for_nothing(struct etcd *etcd, const char *path,
			    const struct buf *body, struct err *e)
{
	auto_of(json) struct json *json = NULL;

	return gateway_call(etcd, path, body, &json, e);
}

/* Numbers are texts, but clients may send either. -1: it is none. */
static int64_t number_of(const struct json_value *value)
{
	int64_t number;

	return json_size(value, &number) ? number :
					   span_decimal(json_text(value));
}

/* ------------------------------------------------------------------ leases */

int etcd_grant(struct etcd *etcd, int64_t lease, int64_t seconds, struct err *e)
{
	auto_buf struct buf body = { 0 };

	buf_addf(&body, "{\"ID\":\"%lld\",\"TTL\":\"%lld\"}", (long long)lease,
		 (long long)seconds);
	if (call_for_nothing(etcd, "/v3/lease/grant", &body, e) == 0 ||
	    e->kind == ERR_PRECONDITION)
		return 0;
	return -1;
}

int etcd_renew(struct etcd *etcd, int64_t lease, struct err *e)
{
	auto_buf struct buf body = { 0 };
	auto_of(json) struct json *json = NULL;

	buf_addf(&body, "{\"ID\":\"%lld\"}", (long long)lease);
	if (gateway_call(etcd, "/v3/lease/keepalive", &body, &json, e) < 0)
		return -1;
	if (number_of(json_get(gateway_inner(json), "TTL")) <= 0)
		return err_set(e, ERR_NOT_FOUND, "the lease has ended");
	return 0;
}

int etcd_revoke(struct etcd *etcd, int64_t lease, struct err *e)
{
	auto_buf struct buf body = { 0 };

	buf_addf(&body, "{\"ID\":\"%lld\"}", (long long)lease);
	if (call_for_nothing(etcd, "/v3/lease/revoke", &body, e) == 0 ||
	    e->kind == ERR_NOT_FOUND)
		return 0;
	return -1;
}

/* -------------------------------------------------------------------- keys */

static void add_bytes(struct buf *body, const char *member, struct span bytes)
{
	buf_addf(body, "\"%s\":\"", member);
	base64_print(bytes, body);
	buf_add(body, SPAN("\""));
}

/* All that begins so ends before the same with the last byte one more. */
static void add_range(struct buf *body, struct span prefix)
{
	auto_buf struct buf end = { 0 };

	buf_add(&end, prefix);
	end.at[end.len - 1]++;
	add_bytes(body, "key", prefix);
	buf_add(body, SPAN(","));
	add_bytes(body, "range_end", buf_span(&end));
}

int etcd_put(struct etcd *etcd, const struct etcd_pair *pair, struct err *e)
{
	auto_buf struct buf body = { 0 };

	buf_add(&body, SPAN("{"));
	add_bytes(&body, "key", pair->key);
	buf_add(&body, SPAN(","));
	add_bytes(&body, "value", pair->value);
	buf_addf(&body, ",\"lease\":\"%lld\"}", (long long)pair->lease);
	return call_for_nothing(etcd, "/v3/kv/put", &body, e);
}

static int read_bytes(const struct json_value *value, struct arena *arena,
		      struct span *out, struct err *e)
{
	auto_buf struct buf bytes = { 0 };

	*out = SPAN("");
	if (!value)
		return 0;
	if (!base64_parse(json_text(value), &bytes))
		return err_set(e, ERR_UPSTREAM, "etcd sends bad base64");
	*out = arena_copy(arena, buf_span(&bytes));
	return 0;
}

static int read_pair(const struct json_value *from, struct arena *arena,
		     struct etcd_pair *out, struct err *e)
{
	int64_t lease = number_of(json_get(from, "lease"));

	out->lease = lease > 0 ? lease : 0;
	if (read_bytes(json_get(from, "key"), arena, &out->key, e) < 0)
		return -1;
	return read_bytes(json_get(from, "value"), arena, &out->value, e);
}

static int range(struct etcd *etcd, const struct buf *body, struct arena *arena,
		 struct etcd_list *out, struct err *e)
{
	auto_of(json) struct json *json = NULL;

	if (gateway_call(etcd, "/v3/kv/range", body, &json, e) < 0)
		return -1;
	const struct json_value *list = json_get(gateway_inner(json), "kvs");
	out->count = json_count(list);
	out->pairs = arena_alloc(arena, (out->count + 1) * sizeof(*out->pairs));
	for (size_t i = 0; i < out->count; i++)
		if (read_pair(json_at(list, i), arena, &out->pairs[i], e) < 0)
			return -1;
	return 0;
}

int etcd_get(struct etcd *etcd, struct span key, struct arena *arena,
	     struct etcd_pair *out, struct err *e)
{
	auto_buf struct buf body = { 0 };
	struct etcd_list list;

	buf_add(&body, SPAN("{"));
	add_bytes(&body, "key", key);
	buf_add(&body, SPAN("}"));
	if (range(etcd, &body, arena, &list, e) < 0)
		return -1;
	if (list.count == 0)
		return err_set(e, ERR_NOT_FOUND, "there is no such key");
	*out = list.pairs[0];
	return 0;
}

int etcd_list(struct etcd *etcd, struct span prefix, size_t limit,
	      struct arena *arena, struct etcd_list *out, struct err *e)
{
	auto_buf struct buf body = { 0 };

	buf_add(&body, SPAN("{"));
	add_range(&body, prefix);
	buf_addf(&body, ",\"limit\":\"%zu\"}", limit);
	return range(etcd, &body, arena, out, e);
}

/* ------------------------------------------------------------------- watch */

/* No revision is named: it tells of what comes, whatever was before. */
int etcd_watch(struct etcd *etcd, struct span prefix, void (*news)(void *arg),
	       void *arg, struct err *e)
{
	auto_buf struct buf body = { 0 };
	struct gateway_stream stream = { "/v3/watch", &body, news, arg };

	buf_add(&body, SPAN("{\"create_request\":{"));
	add_range(&body, prefix);
	buf_add(&body, SPAN("}}"));
	return gateway_listen(etcd, &stream, e);
}
