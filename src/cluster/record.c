#include "cluster/record.h"

#include "base/ip.h"
#include "base/json.h"
#include "client/client.h"
#include "cluster/clean.h"
#include "oci/name.h"

#define FORMAT 1
#define DIGITS "0123456789"
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define BASE64 DIGITS LOWER UPPER "+/="

static const char *const healths[] = {
	[RECORD_READY] = "ready",
	[RECORD_FULL] = "full",
	[RECORD_LEAVING] = "leaving",
};

/* ---------------------------------------------------------------- printing */

static void print_member(const char *name, const char *text, struct buf *out)
{
	if (!text)
		return;
	buf_addf(out, ",\"%s\":", name);
	json_quote(out, span_of(text));
}

static void print_door(const struct record_door *door, struct buf *out)
{
	buf_add(out, SPAN("{\"url\":"));
	json_quote(out, span_of(door->url));
	print_member("upstream", door->upstream, out);
	buf_add(out, SPAN("}"));
}

static void print_doors(const struct record *record, struct buf *out)
{
	buf_add(out, SPAN(",\"doors\":["));
	for (size_t i = 0; i < record->door_count; i++) {
		buf_add(out, i ? SPAN(",") : SPAN(""));
		print_door(&record->doors[i], out);
	}
	buf_add(out, SPAN("]"));
}

static void print_upstreams(const struct record *record, struct buf *out)
{
	buf_add(out, SPAN(",\"upstreams\":["));
	for (size_t i = 0; i < record->upstream_count; i++) {
		buf_add(out, i ? SPAN(",") : SPAN(""));
		json_quote(out, span_of(record->upstreams[i]));
	}
	buf_add(out, SPAN("]"));
}

void record_print(const struct record *record, struct buf *out)
{
	buf_addf(out, "{\"format\":%d", FORMAT);
	print_member("id", record->id, out);
	print_member("version", record->version, out);
	print_member("zone", record->zone, out);
	print_member("health", healths[record->health], out);
	buf_addf(out, ",\"weight\":%lld", (long long)record->weight);
	print_doors(record, out);
	print_upstreams(record, out);
	print_member("default", record->fallback, out);
	print_member("ca", record->ca, out);
	buf_add(out, SPAN("}"));
}

/* ------------------------------------------------------------ what is clean */

/* It may become a part of a path, so it begins with no full stop. */
bool clean_word(struct span text)
{
	return text.len <= RECORD_WORD &&
	       span_made_of(text, DIGITS LOWER UPPER "._+~-") &&
	       span_made_of(span_make(text.at, 1), DIGITS LOWER UPPER);
}

/* Likewise. */
static bool is_host(struct span host)
{
	if (host.len > NAME_MAX_LEN || host.len == 0)
		return false;
	while (host.at) {
		struct span label = span_cut(&host, '.');

		if (!span_made_of(label, DIGITS LOWER "_-") ||
		    label.at[0] == '-')
			return false;
	}
	return true;
}

static bool is_port(struct span port)
{
	int64_t number = span_decimal(port);

	return port.len <= 5 && number >= 1 && number <= UINT16_MAX;
}

static bool is_address(struct span host)
{
	struct ip ip;

	return span_starts(host, "[") && span_ends(host, "]") &&
	       ip_parse(span_make(host.at + 1, host.len - 2), &ip);
}

/* As an image's name begins with it: "ghcr.io", "localhost", "hub:5000". */
static bool is_upstream(struct span name)
{
	ptrdiff_t colon = span_find_last(name, ':');
	struct span host = name;

	if (!name_looks_like_host(name))
		return false;
	if (colon >= 0 && !span_ends(name, "]")) {
		host.len = (size_t)colon;
		if (!is_port(span_from(name, host.len + 1)))
			return false;
	}
	return is_host(host) || is_address(host);
}

static struct span cut_line(struct span *text)
{
	struct span line = span_cut(text, '\n');

	if (span_ends(line, "\r"))
		line.len--;
	return line;
}

size_t record_certificates(struct span text, struct buf *out)
{
	auto_buf struct buf block = { 0 };
	size_t count = 0;

	while (text.at) {
		struct span line = cut_line(&text);
		bool begins = span_is(line, "-----BEGIN CERTIFICATE-----");
		bool ends = span_is(line, "-----END CERTIFICATE-----");

		if (begins)
			buf_clear(&block);
		else if (block.len == 0)
			continue;
		buf_addf(&block, "%.*s\n", SPAN_ARG(line));
		if (ends && ++count)
			buf_add(out, buf_span(&block));
		if (!begins && !span_made_of(line, BASE64))
			buf_clear(&block);
	}
	return count;
}

/* ----------------------------------------------------------------- reading */

struct reading {
	const struct json_value *root;
	struct arena *arena;
	struct record *out;
};

static int refuse(struct err *e, const char *member, const char *what)
{
	return err_set(e, ERR_REQUEST, "its %s is %s", member, what);
}

/* What is not there is null. */
static int read_word(struct reading *reading, const char *member,
		     const char **out, struct err *e)
{
	const struct json_value *value = json_get(reading->root, member);

	if (!value)
		return 0;
	struct span text = json_text(value);
	if (!clean_word(text))
		return refuse(e, member, "no short word");
	*out = arena_text(reading->arena, text);
	return 0;
}

static int read_words(struct reading *reading, struct err *e)
{
	struct record *out = reading->out;

	if (read_word(reading, "id", &out->id, e) < 0 ||
	    read_word(reading, "version", &out->version, e) < 0 ||
	    read_word(reading, "zone", &out->zone, e) < 0)
		return -1;
	if (!out->id)
		return refuse(e, "id", "missing");
	if (!out->version)
		return refuse(e, "version", "missing");
	return 0;
}

static int read_state(struct reading *reading, struct err *e)
{
	struct span health = json_text(json_get(reading->root, "health"));
	struct record *out = reading->out;
	size_t i = 0;

	while (i < array_size(healths) && !span_is(health, healths[i]))
		i++;
	if (i == array_size(healths))
		return refuse(e, "health", "none that is known here");
	out->health = (enum record_health)i;
	if (!json_size(json_get(reading->root, "weight"), &out->weight) ||
	    out->weight > RECORD_WEIGHT_MAX)
		return refuse(e, "weight", "no number from 0 to 10000");
	return 0;
}

static bool is_listed(const struct record *record, struct span upstream)
{
	for (size_t i = 0; i < record->upstream_count; i++)
		if (span_is(upstream, record->upstreams[i]))
			return true;
	return false;
}

static int read_upstreams(struct reading *reading, struct err *e)
{
	const struct json_value *list = json_get(reading->root, "upstreams");
	size_t count = json_count(list);

	if (!json_is_array(list) || count > RECORD_UPSTREAMS)
		return refuse(e, "list of upstreams", "missing or too long");
	const char **upstreams =
		arena_alloc(reading->arena, (count + 1) * sizeof(*upstreams));
	reading->out->upstreams = upstreams;
	for (size_t i = 0; i < count; i++) {
		struct span name = json_text(json_at(list, i));

		if (is_upstream(name) && !is_listed(reading->out, name))
			upstreams[reading->out->upstream_count++] =
				arena_text(reading->arena, name);
	}
	return 0;
}

/* One of its upstreams, or null. */
static const char *read_upstream(struct reading *reading,
				 const struct json_value *object,
				 const char *member)
{
	struct span name = json_text(json_get(object, member));

	return is_listed(reading->out, name) ?
		       arena_text(reading->arena, name) :
		       NULL;
}

/* A scheme, a host and a port, and nothing behind but a slash. */
bool clean_url(struct span text, struct arena *arena, struct record_door *out)
{
	struct client_url url;

	if (!text.at || !client_url_parse(text, &url) ||
	    (!is_host(span_of(url.host)) && !is_address(span_of(url.host))))
		return false;
	if (url.path.at + url.path.len != text.at + text.len ||
	    (url.path.len > 0 && !span_is(url.path, "/")))
		return false;
	out->scheme = arena_text(arena, span_of(url.scheme));
	out->host = arena_printf(arena, "%s:%s", url.host, url.port);
	out->url = arena_printf(arena, "%s://%s", out->scheme, out->host);
	return true;
}

static bool is_own(const struct record_door *door)
{
	struct span host = span_of(door->host);

	host.len = (size_t)span_find_last(host, ':');
	return ip_host_is_own(host);
}

static int read_door(struct reading *reading, const struct json_value *from,
		     struct record_door *out, struct err *e)
{
	if (!clean_url(json_text(json_get(from, "url")), reading->arena, out))
		return refuse(e, "url", "no http(s)://host:port alone");
	if (is_own(out))
		return refuse(e, "url", "one that leads each host to itself");
	out->upstream = read_upstream(reading, from, "upstream");
	return 0;
}

static int read_doors(struct reading *reading, struct err *e)
{
	const struct json_value *list = json_get(reading->root, "doors");
	size_t count = json_count(list);

	if (count == 0 || count > RECORD_DOORS)
		return refuse(e, "list of doors", "missing, empty or too long");
	struct record_door *doors =
		arena_alloc(reading->arena, count * sizeof(*doors));
	reading->out->doors = doors;
	for (size_t i = 0; i < count; i++) {
		const struct json_value *from = json_at(list, i);
		struct record_door *door = &doors[reading->out->door_count];

		if (read_door(reading, from, door, e) < 0)
			return -1;
		if (i == 0 && json_get(from, "upstream"))
			return refuse(e, "first door", "an upstream's");
		if (door->upstream || !json_get(from, "upstream"))
			reading->out->door_count++;
	}
	return 0;
}

static int read_ca(struct reading *reading, struct err *e)
{
	const struct json_value *value = json_get(reading->root, "ca");
	struct span text = json_text(value);
	auto_buf struct buf clean = { 0 };

	if (!value)
		return 0;
	if (!text.at || text.len > RECORD_CA_BYTES ||
	    record_certificates(text, &clean) == 0 ||
	    !span_eq(buf_span(&clean), text))
		return refuse(e, "ca", "not made of PEM certificates alone");
	reading->out->ca = arena_text(reading->arena, text);
	return 0;
}

static int read_format(const struct reading *reading, struct err *e)
{
	int64_t format;

	if (!json_size(json_get(reading->root, "format"), &format) ||
	    format < FORMAT)
		return refuse(e, "format", "missing");
	if (format > FORMAT)
		return refuse(e, "format", "newer than this program");
	return 0;
}

static int read_all(struct reading *reading, struct err *e)
{
	if (read_format(reading, e) < 0 || read_words(reading, e) < 0 ||
	    read_state(reading, e) < 0 || read_upstreams(reading, e) < 0 ||
	    read_doors(reading, e) < 0 || read_ca(reading, e) < 0)
		return -1;
	reading->out->fallback =
		read_upstream(reading, reading->root, "default");
	return 0;
}

int record_parse(struct span text, struct arena *arena, struct record *out,
		 struct err *e)
{
	static const struct json_limits limits = { RECORD_BYTES, 2000, 4 };
	auto_of(json) struct json *json = NULL;

	if (json_parse(text, &limits, &json, e) < 0)
		return err_set(e, e->kind, "it is no JSON of the right size");
	struct reading reading = { json_root(json), arena, out };
	*out = (struct record){ 0 };
	return read_all(&reading, e);
}
