/*
 * Promises of api/origin.h. 10.0.0.0/8 and fd00::/8 are trusted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/origin.h"

#define F "Forwarded"
#define XF "X-Forwarded-For"
#define XH "X-Forwarded-Host"
#define XP "X-Forwarded-Proto"

#define NEAR "10.0.0.1:4711" /* a trusted proxy */
#define FAR "192.0.2.9:4711" /* somebody else */

/* clang-format off */
static const struct row {
	const char *peer;
	const char *headers[4][2];
	const char *client;
	const char *scheme; /* null: as without any header, http */
	const char *host;   /* null: h:5000, as in Host */
	bool is_vague;
} rows[] = {
	/* nothing is told */
	{ NEAR, { { 0 } }, NEAR, NULL, NULL, false },
	{ FAR, { { 0 } }, FAR, NULL, NULL, false },
	{ "[::1]:80", { { 0 } }, "[::1]:80", NULL, NULL, false },

	/* nobody untrusted is believed */
	{ FAR, { { F, "for=1.1.1.1;host=a.b;proto=https" } }, FAR, NULL, NULL, false },
	{ FAR, { { XF, "1.1.1.1" }, { XH, "a.b" }, { XP, "https" } },
	  FAR, NULL, NULL, false },
	{ "[2001:db8::1]:80", { { XF, "1.1.1.1" } },
	  "[2001:db8::1]:80", NULL, NULL, false },

	/* one proxy */
	{ NEAR, { { F, "for=1.1.1.1" } }, "1.1.1.1", NULL, NULL, false },
	{ NEAR, { { F, "For=\"1.1.1.1:80\";PROTO=HTTPS; Host=\"a.b:1\"" } },
	  "1.1.1.1", "https", "a.b:1", false },
	{ NEAR, { { F, "by=_me;for=\"[2001:DB8::1]:80\";ext=\"x y\";" } },
	  "2001:db8::1", NULL, NULL, false },
	{ NEAR, { { F, "for=\"[::ffff:1.1.1.1]\"" } }, "1.1.1.1", NULL, NULL, false },
	{ NEAR, { { XF, "1.1.1.1" }, { XH, "a.b" }, { XP, "https" } },
	  "1.1.1.1", "https", "a.b", false },
	{ NEAR, { { XF, "2001:db8::1" } }, "2001:db8::1", NULL, NULL, false },
	{ NEAR, { { XF, "[2001:db8::1]:80" } }, "2001:db8::1", NULL, NULL, false },
	{ NEAR, { { XF, "1.1.1.1:80" } }, "1.1.1.1", NULL, NULL, false },
	{ NEAR, { { XH, "a.b" }, { XP, "https" } }, NEAR, "https", "a.b", false },
	{ "[fd00::1]:80", { { XF, "1.1.1.1" } }, "1.1.1.1", NULL, NULL, false },
	{ "[::ffff:10.0.0.1]:80", { { XF, "1.1.1.1" } },
	  "1.1.1.1", NULL, NULL, false },

	/* several: what the client wrote itself, in front, is not believed */
	{ NEAR, { { XF, "6.6.6.6, 1.1.1.1" } }, "1.1.1.1", NULL, NULL, false },
	{ NEAR, { { XF, "6.6.6.6, 1.1.1.1, 10.0.0.2,10.0.0.3" } },
	  "1.1.1.1", NULL, NULL, false },
	{ NEAR, { { XF, "6.6.6.6" }, { XF, "1.1.1.1" } },
	  "1.1.1.1", NULL, NULL, false },
	{ NEAR, { { F, "for=6.6.6.6;host=evil, for=1.1.1.1;host=a.b" } },
	  "1.1.1.1", NULL, "a.b", false },
	{ NEAR, { { F, "for=6.6.6.6" },
		  { F, "for=1.1.1.1;host=a.b, for=10.0.0.2;host=inside" } },
	  "1.1.1.1", NULL, "a.b", false },
	{ NEAR, { { XF, "6.6.6.6, 1.1.1.1, 10.0.0.2" },
		  { XH, "evil, a.b, inside" }, { XP, "x, https, http" } },
	  "1.1.1.1", "https", "a.b", false },
	{ NEAR, { { XF, "10.0.0.3, 10.0.0.2" } }, "10.0.0.3", NULL, NULL, false },
	{ NEAR, { { F, "for=\"\\\", for=1.1.1.1" } }, "1.1.1.1", NULL, NULL, false },
	{ NEAR, { { F, "rubbish\", for=\"[2001:db8::1]\"" } },
	  "2001:db8::1", NULL, NULL, false },
	{ NEAR, { { XF, ",,\" for=, 1.1.1.1" } }, "1.1.1.1", NULL, NULL, false },

	/* hidden or malformed: the last one that was told */
	{ NEAR, { { F, "for=unknown" } }, NEAR, NULL, NULL, true },
	{ NEAR, { { F, "for=_secret, for=10.0.0.2" } },
	  "10.0.0.2", NULL, NULL, true },
	{ NEAR, { { XF, "unknown" } }, NEAR, NULL, NULL, true },
	{ NEAR, { { XF, "" } }, NEAR, NULL, NULL, true },
	{ NEAR, { { XF, "1.1.1.1," } }, NEAR, NULL, NULL, true },
	{ NEAR, { { XF, "1.1.1.1 2.2.2.2" } }, NEAR, NULL, NULL, true },
	{ NEAR, { { XF, "1.1.1.1:" } }, NEAR, NULL, NULL, true },
	{ NEAR, { { XF, "1.1.1.1:123456" } }, NEAR, NULL, NULL, true },
	{ NEAR, { { XF, "[1.1.1.1]" } }, NEAR, NULL, NULL, true },
	{ NEAR, { { XF, "[::1" } }, NEAR, NULL, NULL, true },
	{ NEAR, { { XF, "256.1.1.1, 10.0.0.2" } }, "10.0.0.2", NULL, NULL, true },
	{ NEAR, { { F, "1.1.1.1" } }, NEAR, NULL, NULL, true },
	{ NEAR, { { F, "for=[::1]" } }, NEAR, NULL, NULL, true },
	{ NEAR, { { F, "for=1.1.1.1:80" } }, NEAR, NULL, NULL, true },
	{ NEAR, { { F, "for=1.1.1.1;for=2.2.2.2" } }, NEAR, NULL, NULL, true },
	{ NEAR, { { F, "for=\"1.1.1.1" } }, NEAR, NULL, NULL, true },
	{ NEAR, { { F, "for =1.1.1.1" } }, NEAR, NULL, NULL, true },
	{ NEAR, { { F, "for=" } }, NEAR, NULL, NULL, true },
	{ NEAR, { { F, "=" } }, NEAR, NULL, NULL, true },
	{ NEAR, { { F, "for=\"1.1.1.1\\\"\"" } }, NEAR, NULL, NULL, true },
	{ NEAR, { { F, "for=1.1.1.1;proto=gopher;host=\"a/b\"" } },
	  "1.1.1.1", NULL, NULL, false },
	{ NEAR, { { F, "host=a.b" } }, NEAR, NULL, "a.b", true },

	/* both kinds */
	{ NEAR, { { F, "for=1.1.1.1;host=a.b" }, { XF, "1.1.1.1" } },
	  "1.1.1.1", NULL, "a.b", false },
	{ NEAR, { { F, "for=1.1.1.1;host=a.b" }, { XF, "6.6.6.6" } },
	  NEAR, NULL, NULL, true },
};
/* clang-format on */

/* What the request tells, under these settings; to be freed with the arena. */
static struct origin found(const struct row *row, struct span own,
			   struct arena *arena)
{
	struct ip_network proxies[2];
	struct api_settings settings = {
		.proxies = proxies,
		.proxy_count = 2,
		.host = own,
	};
	struct header headers[5] = { { SPAN("Host"), SPAN("h:5000") } };
	struct http_door door = { 0 };
	struct request request = {
		.headers = headers,
		.header_count = 1,
		.peer = row->peer,
		.door = &door,
		.arena = arena,
	};
	struct origin origin;

	ip_network_parse(SPAN("10.0.0.0/8"), &proxies[0]);
	ip_network_parse(SPAN("fd00::/8"), &proxies[1]);
	for (size_t i = 0; i < 4 && row->headers[i][0]; i++)
		headers[request.header_count++] = (struct header){
			span_of(row->headers[i][0]),
			span_of(row->headers[i][1]),
		};
	origin_find(&settings, &request, &origin);
	return origin;
}

static void expect(const struct row *row, const char *what, struct span got,
		   const char *wanted)
{
	if (!span_is(got, wanted))
		fail_msg("%s %s: the %s is %.*s, not %s", row->peer,
			 row->headers[0][1], what, SPAN_ARG(got), wanted);
}

static void only_trusted_proxies_are_believed(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		const struct row *row = &rows[i];
		auto_of(arena) struct arena *arena = arena_open();
		struct origin origin = found(row, SPAN_NONE, arena);
		bool told = strcmp(row->client, row->peer) != 0;

		expect(row, "client", origin.client, row->client);
		expect(row, "scheme", origin.scheme,
		       row->scheme ? row->scheme : "http");
		expect(row, "host", origin.host,
		       row->host ? row->host : "h:5000");
		assert_int_equal(origin.proxy.at != NULL, told);
		if (origin.is_vague != row->is_vague)
			fail_msg("%s: vague %d", row->headers[0][1],
				 origin.is_vague);
		if (told)
			expect(row, "proxy", origin.proxy, row->peer);
	}
}

static void the_public_url_outweighs_every_header(void **state)
{
	static const struct row row = { NEAR, { { XH, "a.b" } }, "", "", "",
					false };

	(void)state;
	auto_of(arena) struct arena *arena = arena_open();
	struct origin origin = found(&row, SPAN("registry.example"), arena);

	assert_true(span_is(origin.host, "registry.example"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_trusted_proxies_are_believed),
		cmocka_unit_test(the_public_url_outweighs_every_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
