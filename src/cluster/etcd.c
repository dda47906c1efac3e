#include "cluster/etcd.h"

#include "base/base64.h"
#include "base/log.h"
#include "cluster/gateway.h"

/* Of the largest keys that etcd takes so many are less than a reply may be. */
#define FEW ((size_t)4)

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

/*
 * From `first` on; all that begins so ends before the same with the last byte
 * one more.
 */
static void add_range(struct buf *body, struct span first, struct span prefix)
{
	auto_buf struct buf end = { 0 };

	buf_add(&end, prefix);
	end.at[end.len - 1]++;
	add_bytes(body, "key", first);
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

/* ----------------------------------------------------------------- reading */

/* A list that is being read, a page at a time. */
struct reading {
	struct etcd *etcd;
	struct span prefix; /* of all keys */
	struct arena *arena;
	struct etcd_list *out;
	struct buf next;  /* the key that the next page begins with */
	int64_t revision; /* of all pages; 0: the first says which */
};

static void reading_end(struct reading *reading)
{
	buf_free(&reading->next);
}

static bool span_begins(struct span text, struct span begin)
{
	return text.len >= begin.len &&
	       memcmp(text.at, begin.at, begin.len) == 0;
}

static int read_bytes(const struct json_value *value, struct buf *out,
		      struct err *e)
{
	buf_clear(out);
	if (value && !base64_parse(json_text(value), out))
		return err_set(e, ERR_UPSTREAM, "etcd sends bad base64");
	return 0;
}

/* Adds one, and remembers that the next page begins behind it. */
static int read_pair(struct reading *reading, const struct json_value *from,
		     struct err *e)
{
	auto_buf struct buf value = { 0 };
	int64_t lease = number_of(json_get(from, "lease"));

	if (read_bytes(json_get(from, "key"), &reading->next, e) < 0 ||
	    read_bytes(json_get(from, "value"), &value, e) < 0)
		return -1;
	struct span key = buf_span(&reading->next);
	if (!span_begins(key, reading->prefix))
		return err_set(e, ERR_UPSTREAM,
			       "etcd sends a key that was not asked for");
	bool cut = key.len > ETCD_KEY_BYTES || value.len > ETCD_VALUE_BYTES;
	if (key.len > ETCD_KEY_BYTES)
		key.len = ETCD_KEY_BYTES;
	if (cut)
		buf_clear(&value);
	reading->out->pairs[reading->out->count++] = (struct etcd_pair){
		.key = arena_copy(reading->arena, key),
		.value = arena_copy(reading->arena, buf_span(&value)),
		.lease = lease > 0 ? lease : 0,
		.cut = cut,
	};
	buf_add(&reading->next, SPAN("\0"));
	return 0;
}

static void notice_age(struct reading *reading, const struct json_value *reply)
{
	int64_t revision =
		number_of(json_get(json_get(reply, "header"), "revision"));

	if (reading->revision == 0 &&
	    gateway_goes_back(reading->etcd, reply, revision))
		log_say(LOG_WARN, "cluster",
			"etcd's data are older than before, of revision %lld: "
			"has it been restored?",
			(long long)revision);
	reading->revision = revision;
}

/* At most `most`; how many came. */
static int read_page(struct reading *reading, const struct buf *body,
		     size_t most, size_t *count_out, struct err *e)
{
	auto_of(json) struct json *json = NULL;

	if (gateway_call(reading->etcd, "/v3/kv/range", body, &json, e) < 0)
		return -1;
	const struct json_value *reply = gateway_inner(json);
	const struct json_value *list = json_get(reply, "kvs");
	*count_out = json_count(list);
	if (*count_out > most)
		return err_set(e, ERR_UPSTREAM,
			       "etcd sends more keys than were asked for");
	notice_age(reading, reply);
	for (size_t i = 0; i < *count_out; i++)
		if (read_pair(reading, json_at(list, i), e) < 0)
			return -1;
	return 0;
}

int etcd_get(struct etcd *etcd, struct span key, struct arena *arena,
	     struct etcd_pair *out, struct err *e)
{
	auto_buf struct buf body = { 0 };
	struct etcd_list list = { .pairs = out };
	auto_with(reading_end) struct reading reading = {
		.etcd = etcd,
		.prefix = key,
		.arena = arena,
		.out = &list,
	};
	size_t count;

	buf_add(&body, SPAN("{"));
	add_bytes(&body, "key", key);
	buf_add(&body, SPAN("}"));
	if (read_page(&reading, &body, 1, &count, e) < 0)
		return -1;
	if (count == 0)
		return err_set(e, ERR_NOT_FOUND, "there is no such key");
	return 0;
}

static int list_page(struct reading *reading, size_t most, size_t *count_out,
		     struct err *e)
{
	auto_buf struct buf body = { 0 };

	buf_add(&body, SPAN("{"));
	add_range(&body, buf_span(&reading->next), reading->prefix);
	buf_addf(&body, ",\"limit\":\"%zu\",\"revision\":\"%lld\"}", most,
		 (long long)reading->revision);
	return read_page(reading, &body, most, count_out, e);
}

/* In pages of `page` keys. */
static int list_by(struct reading *reading, size_t limit, size_t page,
		   struct err *e)
{
	struct etcd_list *out = reading->out;
	size_t count;

	out->count = 0;
	reading->revision = 0;
	buf_clear(&reading->next);
	buf_add(&reading->next, reading->prefix);
	do {
		if (page > limit - out->count)
			page = limit - out->count;
		if (list_page(reading, page, &count, e) < 0)
			return -1;
	} while (count == page && out->count < limit);
	return 0;
}

int etcd_list(struct etcd *etcd, struct span prefix, size_t limit,
	      struct arena *arena, struct etcd_list *out, struct err *e)
{
	auto_with(reading_end) struct reading reading = {
		.etcd = etcd,
		.prefix = prefix,
		.arena = arena,
		.out = out,
	};

	out->pairs = arena_alloc(arena, limit * sizeof(*out->pairs));
	if (list_by(&reading, limit, limit, e) == 0)
		return 0;
	if (e->kind != ERR_TOO_LARGE)
		return -1;
	return list_by(&reading, limit, FEW, e);
}

/* ------------------------------------------------------------------- watch */

/* No revision is named: it tells of what comes, whatever was before. */
int etcd_watch(struct etcd *etcd, struct span prefix, void (*news)(void *arg),
	       void *arg, struct err *e)
{
	auto_buf struct buf body = { 0 };
	struct gateway_stream stream = { "/v3/watch", &body, news, arg };

	buf_add(&body, SPAN("{\"create_request\":{"));
	add_range(&body, prefix, prefix);
	buf_add(&body, SPAN("}}"));
	return gateway_listen(etcd, &stream, e);
}
