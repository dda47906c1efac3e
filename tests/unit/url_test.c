/*
 * Promises of client/client.h about URLs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/client.h"

static void a_url_is_taken_apart(void **state)
{
	static const struct {
		const char *url, *scheme, *host, *port, *path;
	} rows[] = {
		{ "http://a", "http", "a", "80", "" },
		{ "https://a/", "https", "a", "443", "/" },
		{ "HTTPS://A.Example:5000/v2/?x=/y#z", "https", "a.example",
		  "5000", "/v2/" },
		{ "http://127.0.0.1:8080?q", "http", "127.0.0.1", "8080", "" },
		{ "http://[2001:DB8::1]:5000/x", "http", "[2001:db8::1]",
		  "5000", "/x" },
		{ "http://[::1]", "http", "[::1]", "80", "" },
		{ "http://a:00080/%2e%2e/b", "http", "a", "80", "/%2e%2e/b" },
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		struct client_url url;

		if (!client_url_parse(span_of(rows[i].url), &url))
			fail_msg("%s", rows[i].url);
		assert_string_equal(url.scheme, rows[i].scheme);
		assert_string_equal(url.host, rows[i].host);
		assert_string_equal(url.port, rows[i].port);
		assert_true(span_is(url.path, rows[i].path));
	}
}

static void what_may_be_read_in_two_ways_is_no_url(void **state)
{
	static const char *const rows[] = {
		"",
		"a",
		"http",
		"http:",
		"http:/a",
		"http:a",
		"//a",
		"/a",
		"http://",
		"http:///a",
		"http://:80",
		"http://?a",
		"ftp://a",
		"file:///etc/passwd",
		"httpss://a",
		" http://a",
		"http://a b",
		"http://a\r\nX: y",
		"http://a\\@b",
		"http://a@b",
		"http://u:p@b",
		"http://a:",
		"http://a:0",
		"http://a:65536",
		"http://a:99999999999999999999",
		"http://a:-1",
		"http://a:8080x",
		"http://a:80:80",
		"http://a%2eb",
		"http://a%00b",
		"http://\xc3\xa4",
		"http://a;b",
		"http://[::1",
		"http://[::1]x",
		"http://[]",
		"http://[::1%25eth0]",
		"http://[a.b]c:1",
		"http://a]",
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		struct client_url url;

		if (client_url_parse(span_of(rows[i]), &url))
			fail_msg("taken: %s", rows[i]);
	}
	struct client_url url;
	assert_false(client_url_parse(span_make("http://a\0b", 10), &url));
	assert_false(client_url_parse(SPAN_NONE, &url));
}

static void a_location_is_seen_from_where_it_was_said(void **state)
{
	static const struct {
		const char *base, *location, *url;
	} rows[] = {
		{ "http://a/b/c?d", "https://e/f?g", "https://e/f?g" },
		{ "http://a/b/c?d", "//e/f", "http://e/f" },
		{ "http://a/b/c?d", "/f?g", "http://a/f?g" },
		{ "http://a/b/c?d", "f", "http://a/b/f" },
		{ "http://a/b/c?d=/e", "f", "http://a/b/f" },
		{ "http://a/b/c?d", "?g", "http://a/b/c?g" },
		{ "http://a/b/c?d", "f:g", NULL },
		{ "http://a/b/c?d", "/f:g", "http://a/f:g" },
		{ "http://a", "/f", "http://a/f" },
		{ "http://a", "f", "http://a/f" },
		{ "http://a", "?g", "http://a/?g" },
		{ "http://a?d", "f", "http://a/f" },
		{ "http://a:81/b", "c#d", "http://a:81/c" },
		{ "http://a/b", "ftp://c", NULL },
		{ "http://a/b", "http://u@c", NULL },
		{ "http://a/b", "//u@c", NULL },
		{ "http://a/b", "c d", NULL },
		{ "http://a", "javascript:1", NULL },
		{ "a", "http://c", NULL },
	};

	(void)state;
	auto_with(arena_close) struct arena *arena = arena_open();
	for (size_t i = 0; i < array_size(rows); i++) {
		const char *url = client_url_resolve(
			rows[i].base, span_of(rows[i].location), arena);

		if (!span_eq(span_of(url), span_of(rows[i].url)))
			fail_msg("%s at %s: %s", rows[i].location, rows[i].base,
				 url ? url : "null");
	}
}

static void an_origin_is_scheme_host_and_port(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
		{ "http://a", "http://A:80/x", true },
		{ "https://a:443", "https://a/", true },
		{ "http://a", "https://a", false },
		{ "http://a:443", "https://a:443", false },
		{ "http://a", "http://a:81", false },
		{ "http://a", "http://b", false },
		{ "http://a", "http://a.", false },
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		struct client_url a, b;

		assert_true(client_url_parse(span_of(rows[i].a), &a));
		assert_true(client_url_parse(span_of(rows[i].b), &b));
		if (client_url_same_origin(&a, &b) != rows[i].same)
			fail_msg("%s, %s", rows[i].a, rows[i].b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_url_is_taken_apart),
		cmocka_unit_test(what_may_be_read_in_two_ways_is_no_url),
		cmocka_unit_test(a_location_is_seen_from_where_it_was_said),
		cmocka_unit_test(an_origin_is_scheme_host_and_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
