/*
 * One row a type. A parser judges the value as it is written; what must be
 * true of several values together is in check.c.
 */
#include "config/types.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/ip.h"
#include "base/mem.h"
#include "config/config.h"
#include "oci/image.h"

#define NUMBER_MAX 10000
#define PATTERN_MAX 255
#define WORD_MAX 63
#define LETTERS                      \
	"abcdefghijklmnopqrstuvwxyz" \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define MOMENT_MAX 60000		    /* ms */
#define LEASE_MIN 2000			    /* ms; etcd grants no less */
#define LEASE_MAX 3600000		    /* ms */
#define DURATION_MAX INT64_C(3153600000000) /* ms; a hundred years */

static bool text_store(struct span value, void *slot)
{
	char **text = slot;

	free(*text);
	*text = mem_array(value.len + 1, 1);
	return span_copy(value, *text, value.len + 1);
}

static bool filled_parse(struct span value, void *slot)
{
	return value.len > 0 && text_store(value, slot);
}

/* Of a quantity; rising. */
struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit durations[] = {
	{ "ms", 1 },	      { "s", 1000 },	 { "m", 60 * 1000 },
	{ "h", 3600 * 1000 }, { "d", 86400000 }, { NULL, 0 },
};

static const struct unit sizes[] = {
	{ "B", 1 },
	{ "KB", 1000 },
	{ "KiB", 1 << 10 },
	{ "MB", 1000000 },
	{ "MiB", 1 << 20 },
	{ "GB", 1000000000 },
	{ "GiB", 1 << 30 },
	{ "TB", INT64_C(1000000000000) },
	{ "TiB", INT64_C(1) << 40 },
	{ NULL, 0 },
};

/* Digits and one of the units, -1 if it is anything else or too much. */
static int64_t quantity_parse(struct span value, const struct unit *unit,
			      int64_t max)
{
	size_t digits = 0;

	while (digits < value.len && isdigit((unsigned char)value.at[digits]))
		digits++;
	int64_t number = span_decimal(span_make(value.at, digits));
	struct span name = span_from(value, digits);

	for (; unit->name; unit++)
		if (span_is(name, unit->name))
			return number <= max / unit->factor ?
				       number * unit->factor :
				       -1;
	return -1;
}

/* In the largest unit that leaves it whole. */
static void quantity_print(int64_t value, const struct unit *unit,
			   struct buf *out)
{
	const struct unit *best = unit;

	for (; unit->name; unit++)
		if (value > 0 && value % unit->factor == 0)
			best = unit;
	buf_addf(out, "%lld%s", (long long)(value / best->factor), best->name);
}

static bool duration_parse(struct span value, void *slot)
{
	int64_t ms = quantity_parse(value, durations, DURATION_MAX);

	*(int64_t *)slot = ms;
	return ms >= 0;
}

static bool age_parse(struct span value, void *slot)
{
	return duration_parse(value, slot) && *(int64_t *)slot > 0;
}

static bool moment_parse(struct span value, void *slot)
{
	return duration_parse(value, slot) && *(int64_t *)slot <= MOMENT_MAX;
}

static bool lease_parse(struct span value, void *slot)
{
	const int64_t *ms = slot;

	return duration_parse(value, slot) && *ms >= LEASE_MIN &&
	       *ms <= LEASE_MAX && *ms % 1000 == 0;
}

static void duration_print(const void *slot, struct buf *out)
{
	quantity_print(*(const int64_t *)slot, durations, out);
}

static bool size_parse(struct span value, void *slot)
{
	int64_t bytes = quantity_parse(value, sizes, INT64_MAX);

	*(int64_t *)slot = bytes;
	return bytes > 0;
}

static bool size_or_none_parse(struct span value, void *slot)
{
	if (!span_is(value, "none"))
		return size_parse(value, slot);
	*(int64_t *)slot = 0;
	return true;
}

static void size_print(const void *slot, struct buf *out)
{
	quantity_print(*(const int64_t *)slot, sizes, out);
}

static void size_or_none_print(const void *slot, struct buf *out)
{
	if (*(const int64_t *)slot > 0)
		size_print(slot, out);
	else
		buf_addf(out, "none");
}

static bool number_parse(struct span value, void *slot)
{
	int64_t number = span_decimal(value);

	*(int64_t *)slot = number;
	return number >= 1 && number <= NUMBER_MAX;
}

static void number_print(const void *slot, struct buf *out)
{
	buf_addf(out, "%lld", (long long)*(const int64_t *)slot);
}

static bool user_parse(struct span value, void *slot)
{
	int64_t number = span_is(value, "none") ? 0 : span_decimal(value);

	*(int64_t *)slot = number;
	return number >= 0 && number <= INT32_MAX;
}

static void user_print(const void *slot, struct buf *out)
{
	if (*(const int64_t *)slot > 0)
		number_print(slot, out);
	else
		buf_addf(out, "none");
}

/* A name, an IPv4 address, or an IPv6 address in brackets. */
static bool is_host(struct span host)
{
	if (span_starts(host, "[") && span_ends(host, "]"))
		return span_made_of(span_make(host.at + 1, host.len - 2),
				    "0123456789abcdefABCDEF:.%");
	return span_made_of(host, LETTERS ".-_");
}

static bool is_port(struct span port)
{
	int64_t number = span_decimal(port);

	return port.len <= 5 && number >= 0 && number <= 65535;
}

/* Cuts "host:port" in two; without a port, `host` is left whole. */
static struct span port_cut(struct span *host)
{
	ptrdiff_t colon = span_find_last(*host, ':');

	if (colon < 0 || span_ends(*host, "]"))
		return SPAN_NONE;
	struct span port = span_from(*host, (size_t)colon + 1);
	host->len = (size_t)colon;
	return port;
}

static bool is_host_and_port(struct span text)
{
	struct span port = port_cut(&text);

	return is_host(text) && (!port.at || is_port(port));
}

static bool address_parse(struct span value, void *slot)
{
	struct span host = value;
	struct span port = port_cut(&host);

	if (!port.at || !is_port(port) || (host.len > 0 && !is_host(host)))
		return false;
	return text_store(value, slot);
}

/*
 * Only what no repository here can be called: a dot, a port or "localhost"
 * makes it a registry's name. It becomes one of a directory, too: no "..".
 */
static bool host_parse(struct span value, void *slot)
{
	if (!is_host_and_port(value))
		return false;
	for (size_t i = 0; i < value.len; i++) {
		bool begins = i == 0 || value.at[i - 1] == '.';

		if (isupper((unsigned char)value.at[i]) ||
		    (begins && value.at[i] == '.'))
			return false;
	}
	if (span_find(value, '.') < 0 && span_find(value, ':') < 0 &&
	    !span_is(value, "localhost"))
		return false;
	return text_store(value, slot);
}

static bool url_parse(struct span value, void *slot)
{
	if (span_ends(value, "/"))
		value.len--;
	struct span rest = value;
	if (span_starts(value, "https://"))
		rest = span_from(value, strlen("https://"));
	else if (span_starts(value, "http://"))
		rest = span_from(value, strlen("http://"));
	else
		return false;
	return is_host_and_port(rest) && text_store(value, slot);
}

/* Where the host begins, behind a user and password. */
static struct span proxy_host(struct span value)
{
	static const char *const schemes[] = { "http://", "https://",
					       "socks5://", "socks5h://" };

	for (size_t i = 0; i < array_size(schemes); i++) {
		if (!span_starts(value, schemes[i]))
			continue;
		struct span rest = span_from(value, strlen(schemes[i]));
		return span_from(rest, (size_t)(span_find_last(rest, '@') + 1));
	}
	return SPAN_NONE;
}

static bool is_printable(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] <= ' ' || text.at[i] > '~')
			return false;
	return true;
}

static bool proxy_parse(struct span value, void *slot)
{
	if (span_ends(value, "/"))
		value.len--;
	return is_printable(value) && is_host_and_port(proxy_host(value)) &&
	       text_store(value, slot);
}

/* Also of one that is none: nothing in front of the last '@'. */
void proxy_show(struct span value, struct buf *out)
{
	ptrdiff_t at = span_find_last(value, '@');
	ptrdiff_t colon = span_find(value, ':');

	if (at >= 0 && colon >= 0 && colon < at)
		buf_addf(out, "%.*s://***", (int)colon, value.at);
	buf_add(out, at < 0 ? value : span_from(value, (size_t)at));
}

static bool network_parse(struct span value, void *slot)
{
	struct ip_network network;

	return ip_network_parse(value, &network) && text_store(value, slot);
}

/* No certificate's name begins with a full stop. */
static bool is_certificate_name(struct span name)
{
	for (size_t i = 0; i < name.len; i++)
		if (iscntrl((unsigned char)name.at[i]))
			return false;
	return name.len > 0 && name.at[0] != '.';
}

static bool reader_parse(struct span value, void *slot)
{
	struct ip_network network;

	if (span_starts(value, READER_CERTIFICATE) ?
		    !is_certificate_name(
			    span_from(value, strlen(READER_CERTIFICATE))) :
		    !ip_network_parse(value, &network))
		return false;
	return text_store(value, slot);
}

/* Also "": then keys begin with what they are. */
static bool prefix_parse(struct span value, void *slot)
{
	return value.len <= PATTERN_MAX && is_printable(value) &&
	       (value.len == 0 || span_ends(value, "/")) &&
	       text_store(value, slot);
}

static bool word_parse(struct span value, void *slot)
{
	struct span first = span_make(value.at, value.len ? 1 : 0);

	return value.len <= WORD_MAX && span_made_of(first, LETTERS) &&
	       span_made_of(value, LETTERS "._-") && text_store(value, slot);
}

/* What no name holds can only be a mistake. */
static bool pattern_parse(struct span value, void *slot)
{
	return value.len <= PATTERN_MAX &&
	       span_made_of(value, LETTERS ".-_/*") && text_store(value, slot);
}

/* Two parts or three, each with room in an image's index. */
static bool platform_parse(struct span value, void *slot)
{
	enum { LONGEST = 15 };
	struct span rest = value;
	size_t parts = 0;

	while (rest.at) {
		struct span part = span_cut(&rest, '/');

		if (part.len > LONGEST ||
		    !span_made_of(part, "abcdefghijklmnopqrstuvwxyz"
					"0123456789._-"))
			return false;
		parts++;
	}
	return (parts == 2 || parts == 3) && text_store(value, slot);
}

static bool image_text_parse(struct span value, void *slot)
{
	struct image image;
	struct err ignored;

	return image_parse(value, &image, &ignored) == 0 &&
	       text_store(value, slot);
}

const struct type_row types[TYPE_COUNT] = {
	[TEXT] = { "TEXT", "text", "write at least one letter",
		   .parse = filled_parse },
	[DIRECTORY] = { "DIRECTORY", "directory", "write a path, like ./data",
			.parse = filled_parse },
	[FILE_PATH] = { "FILE", "file", "write a path, like cert.pem",
			.parse = filled_parse },
	[DURATION] = { "DURATION", "duration",
		       "write a number with a unit, like 1s or 500ms",
		       duration_parse, duration_print },
	[AGE] = { "DURATION", "age", "write a number with a unit, like 30d",
		  age_parse, duration_print },
	[MOMENT] = { "DURATION", "duration of at most a minute",
		     "write a number with a unit, like 10s", moment_parse,
		     duration_print },
	[SIZE] = { "SIZE", "size",
		   "write a number with a unit, like 10GiB or 500MB",
		   size_parse, size_print },
	[SIZE_OR_NONE] = { "SIZE", "size",
			   "write a number with a unit, like 10GiB or 500MB, "
			   "or none",
			   size_or_none_parse, size_or_none_print },
	[NUMBER] = { "NUMBER", "number from 1 to 10000",
		     "write one in digits, like 64", number_parse,
		     number_print },
	[USER] = { "USER", "user's number",
		   "write one in digits, like 1000, or none", user_parse,
		   user_print },
	[ADDRESS] = { "ADDRESS", "address to listen on",
		      "write a port, like :5000, or host and port, like "
		      "127.0.0.1:5000",
		      .parse = address_parse },
	[HOST] = { "NAME", "name of a registry",
		   "write it as in an image's name, like ghcr.io",
		   .parse = host_parse },
	[UPSTREAM] = { "NAME", "name of an upstream", "write one like ghcr.io",
		       .parse = filled_parse },
	[UPSTREAM_OR_NONE] = { "NAME", .parse = text_store },
	[URL] = { "URL", "URL of a registry",
		  "write scheme and host alone, like https://ghcr.io",
		  .parse = url_parse },
	[PROXY] = { "URL", "URL of a proxy",
		    "write one like http://proxy:3128 or socks5://proxy:1080",
		    .parse = proxy_parse },
	[NETWORK] = { "NETWORK", "address or network",
		      "write one like 10.0.0.7, 10.0.0.0/8 or fd00::/8",
		      .parse = network_parse },
	[PLATFORM] = { "PLATFORM", "platform",
		       "write one like linux/amd64 or linux/arm/v7",
		       .parse = platform_parse },
	[IMAGE] = { "IMAGE", "image", "write NAME, NAME:TAG or NAME@sha256:…",
		    .parse = image_text_parse },
	[PATTERN] = { "PATTERN", "pattern of names",
		      "write one like team/* or team/**",
		      .parse = pattern_parse },
	[ETCD] = { "URL", "URL of etcd",
		   "write scheme, host and port, like http://10.0.0.1:2379",
		   .parse = url_parse },
	[PREFIX] = { "PREFIX", "prefix of keys",
		     "write one with a slash at its end, like "
		     "/private-registry/",
		     .parse = prefix_parse },
	[WORD] = { "WORD",
		   "word of at most 63 letters, digits, '.', '_' and "
		   "'-'",
		   "write one like rack-1", .parse = word_parse },
	[LEASE] = { "DURATION", "duration of whole seconds, from 2s to 1h",
		    "write one like 15s", lease_parse, duration_print },
	[READER] = { "READER", "network or name in a certificate",
		     "write one like 10.0.0.0/8, ::1 or cert:builder",
		     .parse = reader_parse },
};

bool type_is_text(enum type type)
{
	return types[type].parse && !types[type].print;
}

bool type_is_path(enum type type)
{
	return type == DIRECTORY || type == FILE_PATH;
}

bool type_starts_at_one(enum type type)
{
	return type == SIZE || type == NUMBER || type == AGE;
}

bool type_refers(enum type type)
{
	return type == UPSTREAM || type == UPSTREAM_OR_NONE;
}
