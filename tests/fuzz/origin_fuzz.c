/*
 * Who asks, as proxies tell it. Each line of the input is the value of one
 * header, in turn Forwarded, X-Forwarded-For, -Proto and -Host. Whatever they
 * say, what is believed is clean; and what a client that is not to be trusted
 * wrote in front of what the proxies say changes nothing.
 */
#include <stdlib.h>

#include "api/origin.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

enum { HEADERS = 8, KINDS = 4 };

static const char *const names[KINDS] = { "Forwarded", "X-Forwarded-For",
					  "X-Forwarded-Proto",
					  "X-Forwarded-Host" };
static const char *const rubbish[KINDS] = {
	"for=10.0.0.9;proto=https;host=evil, for=\"[::1", "10.0.0.9, unknown",
	"https, gopher", "evil, x\"y"
};

static void check(bool promise)
{
	if (!promise)
		abort();
}

/* 10/8 is trusted, and asks. */
static struct api_settings settings_of(struct ip_network *network)
{
	check(ip_network_parse(SPAN("10.0.0.0/8"), network));
	return (struct api_settings){ .proxies = network, .proxy_count = 1 };
}

/* No control characters: such a head is refused before. */
static size_t read_headers(struct span input, struct header *out)
{
	size_t count = 0;

	for (size_t i = 0; i < input.len; i++)
		if ((unsigned char)input.at[i] < ' ' && input.at[i] != '\n')
			return 0;
	while (input.at && count < HEADERS) {
		out[count].name = span_of(names[count % KINDS]);
		out[count].value = span_trim(span_cut(&input, '\n'));
		count++;
	}
	return count;
}

/* The client may write what stands in front of all. */
static void add_rubbish(struct header *headers, size_t count,
			struct arena *arena)
{
	for (size_t i = 0; i < count && i < KINDS; i++)
		headers[i].value =
			span_of(arena_printf(arena, "%s, %.*s", rubbish[i],
					     SPAN_ARG(headers[i].value)));
}

static bool same(const struct origin *a, const struct origin *b)
{
	return span_eq(a->client, b->client) && span_eq(a->host, b->host) &&
	       span_eq(a->scheme, b->scheme);
}

static void check_clean(const struct origin *origin)
{
	check(span_is(origin->scheme, "http") ||
	      span_is(origin->scheme, "https"));
	for (size_t i = 0; i < origin->host.len; i++)
		check(origin->host.at[i] > ' ' && origin->host.at[i] < 0x7f &&
		      !strchr("/\\@?#\"<>,;=", origin->host.at[i]));
}

/* Someone whom no proxy of ours is: the way ended with him. */
static bool is_stranger(const struct origin *origin,
			const struct ip_network *trusted)
{
	struct ip ip;

	if (!origin->proxy.at)
		return false;
	check(ip_parse(origin->client, &ip));
	return !ip_network_holds(trusted, &ip);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	auto_of(arena) struct arena *arena = arena_open();
	struct ip_network network;
	struct api_settings settings = settings_of(&network);
	struct http_door door = { .address = ":5000" };
	struct header headers[HEADERS];
	struct request req = {
		.headers = headers,
		.header_count = read_headers(
			span_make((const char *)input, size), headers),
		.peer = "10.0.0.1:4711",
		.door = &door,
		.arena = arena,
	};
	struct origin origin, again;

	origin_find(&settings, &req, &origin);
	check_clean(&origin);
	if (!is_stranger(&origin, &network))
		return 0;
	add_rubbish(headers, req.header_count, arena);
	origin_find(&settings, &req, &again);
	check(same(&origin, &again));
	return 0;
}
