/*
 * Promises of agent/kind.h about daemon.json.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/kind.h"

#define URL "http://10.0.0.5:5000/mirror/docker.io"
#define ELEMENT "registry-mirrors=" URL " insecure-registries=10.0.0.5:5000"
#define MIRRORS "\"registry-mirrors\": [\"" URL "\"]"
#define INSECURE "\"insecure-registries\": [\"10.0.0.5:5000\"]"

static void assert_text(const struct buf *buf, const char *wanted)
{
	assert_string_equal(buf->at ? buf->at : "", wanted);
}

static void expect(const char *text, const char *wanted)
{
	auto_buf struct buf with = { 0 };
	auto_buf struct buf without = { 0 };
	struct err e;

	assert_int_equal(
		kind_daemon.put(span_of(text), SPAN(ELEMENT), &with, &e), 0);
	assert_text(&with, wanted);
	assert_true(kind_daemon.has(buf_span(&with), SPAN(ELEMENT)));
	kind_daemon.take(buf_span(&with), SPAN(ELEMENT), &without);
	assert_text(&without, text ? text : "{}\n");
}

static void members_go_into_any_object_and_come_out_again(void **state)
{
	(void)state;
	expect(NULL, "{" MIRRORS ", " INSECURE "}\n");
	expect("{}", "{" MIRRORS ", " INSECURE "}");
	expect(" {\n}\n", " {" MIRRORS ", " INSECURE "\n}\n");
	expect("{\n  \"debug\": true\n}\n",
	       "{\n  " MIRRORS ",\n  " INSECURE ",\n  \"debug\": true\n}\n");
	expect("{\"a\":[1,{\"}\":\"\\\"]\"}],\"b\":null}",
	       "{" MIRRORS "," INSECURE
	       ",\"a\":[1,{\"}\":\"\\\"]\"}],\"b\":null}");
	expect("{\r\n\t\"labels\": [\"registry-mirrors\"]\r\n}",
	       "{\r\n\t" MIRRORS ",\r\n\t" INSECURE
	       ",\r\n\t\"labels\": [\"registry-mirrors\"]\r\n}");
}

static void what_the_operator_has_is_a_conflict(void **state)
{
	static const char *const texts[] = {
		"",
		"  ",
		"[]",
		"{",
		"\xef\xbb\xbf{}",
		"{} x",
		"{\"a\": 1, \"a\": 2}",
		"{\"registry-mirrors\": []}",
		"{\"Registry-Mirrors\": []}",
		"{\"registry-mirrors\": null}",
		"{\"registry\\u002dmirrors\": []}",
		"{\"insecure-registries\": [\"a\"]}",
	};

	(void)state;
	for (size_t i = 0; i < array_size(texts); i++) {
		auto_buf struct buf out = { 0 };
		struct err e;

		assert_int_equal(kind_daemon.put(span_of(texts[i]),
						 SPAN(ELEMENT), &out, &e),
				 -1);
		assert_int_equal(e.kind, ERR_CONFLICT);
	}
}

static void expect_take(const char *text, const char *wanted)
{
	auto_buf struct buf out = { 0 };

	kind_daemon.take(span_of(text), SPAN(ELEMENT), &out);
	assert_text(&out, wanted);
}

static void only_ours_goes_from_what_was_edited(void **state)
{
	(void)state;
	expect_take("{\"debug\": true, " MIRRORS "}", "{\"debug\": true}");
	expect_take("{ " MIRRORS " , \"x\": 1}", "{ \"x\": 1}");
	expect_take("{\"registry-mirrors\": [\"a\", \"" URL "\"]}",
		    "{\"registry-mirrors\": [\"a\"]}");
	expect_take("{\"registry-mirrors\": [\"" URL "\", \"a\"]}",
		    "{\"registry-mirrors\": [\"a\"]}");
	expect_take("{\"registry-mirrors\": [\"a\"]}",
		    "{\"registry-mirrors\": [\"a\"]}");
	expect_take("{\"x\": {" MIRRORS "}}", "{\"x\": {" MIRRORS "}}");
	expect_take("{\"registry-mirrors\": \"" URL "\"}",
		    "{\"registry-mirrors\": \"" URL "\"}");
	expect_take("no JSON " MIRRORS, "no JSON " MIRRORS);
}

static void what_was_cleared_holds_nothing(void **state)
{
	auto_buf struct buf out = { 0 };
	struct err e;

	(void)state;
	assert_int_equal(kind_daemon.put(SPAN("{}"), SPAN("registry-mirrors="),
					 &out, &e),
			 0);
	assert_text(&out, "{\"registry-mirrors\": []}");
}

static void what_was_cleared_goes_and_nothing_else(void **state)
{
	static const struct {
		const char *text, *wanted;
	} rows[] = {
		{ "{\"registry-mirrors\": []}", "{}" },
		{ "{\"registry-mirrors\": [ ], \"debug\": true}",
		  "{\"debug\": true}" },
		{ "{\"registry-mirrors\": [\"mine\"]}",
		  "{\"registry-mirrors\": [\"mine\"]}" },
		{ "{\"labels\": []}", "{\"labels\": []}" },
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		auto_buf struct buf out = { 0 };

		kind_daemon.take(span_of(rows[i].text),
				 SPAN("registry-mirrors="), &out);
		assert_text(&out, rows[i].wanted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_go_into_any_object_and_come_out_again),
		cmocka_unit_test(what_the_operator_has_is_a_conflict),
		cmocka_unit_test(only_ours_goes_from_what_was_edited),
		cmocka_unit_test(what_was_cleared_holds_nothing),
		cmocka_unit_test(what_was_cleared_goes_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
