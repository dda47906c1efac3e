/*
 * Promises of base/json.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/thread.h"

static const struct json_limits wide = {
	.bytes = 8 * 1024 * 1024,
	.tokens = 1000,
	.depth = 10,
};

static struct json *parsed(struct span text)
{
	struct json *json = NULL;
	struct err e;

	if (json_parse(text, &wide, &json, &e) < 0)
		fail_msg("%s", e.message);
	return json;
}

static enum err_kind refusal(struct span text, const struct json_limits *limits)
{
	auto_of(json) struct json *json = NULL;
	struct err e = { 0 };

	if (json_parse(text, limits, &json, &e) == 0)
		return ERR_NONE;
	return e.kind;
}

static void members_and_elements_are_found(void **state)
{
	auto_of(json) struct json *json =
		parsed(SPAN("{\"a\":[\"x\",7],\"b\":{\"c\":\"\\u00e9\"}}"));
	const struct json_value *root = json_root(json);
	const struct json_value *list = json_get(root, "a");
	int64_t size;

	(void)state;
	assert_true(json_is_object(root));
	assert_true(json_is_array(list));
	assert_int_equal(json_count(list), 2);
	assert_true(span_is(json_text(json_at(list, 0)), "x"));
	assert_true(json_size(json_at(list, 1), &size));
	assert_int_equal(size, 7);
	assert_true(span_is(json_text(json_get(json_get(root, "b"), "c")),
			    "\xc3\xa9"));
}

static void what_is_not_there_is_null_all_the_way(void **state)
{
	auto_of(json) struct json *json =
		parsed(SPAN("{\"n\":null,\"t\":\"x\",\"l\":[null]}"));
	const struct json_value *root = json_root(json);
	const struct json_value *none = json_get(root, "none");
	int64_t size;

	(void)state;
	assert_null(none);
	assert_null(json_get(root, "n"));
	assert_null(json_at(json_get(root, "l"), 0));
	assert_null(json_at(json_get(root, "l"), 1));
	assert_null(json_get(json_get(root, "t"), "x"));
	assert_null(json_get(none, "x"));
	assert_null(json_at(root, 0));
	assert_null(json_text(none).at);
	assert_null(json_text(root).at);
	assert_int_equal(json_count(none), 0);
	assert_int_equal(json_count(root), 0);
	assert_false(json_is_object(none));
	assert_false(json_is_array(none));
	assert_false(json_size(none, &size));
}

static void a_size_is_an_integer_that_is_not_negative(void **state)
{
	auto_of(json) struct json *json = parsed(
		SPAN("[0,9223372036854775807,-1,1.0,1e3,\"1\",true,[]]"));
	const struct json_value *root = json_root(json);
	int64_t size = -1;

	(void)state;
	assert_true(json_size(json_at(root, 0), &size));
	assert_int_equal(size, 0);
	assert_true(json_size(json_at(root, 1), &size));
	assert_int_equal(size, INT64_MAX);
	for (size_t i = 2; i < json_count(root); i++)
		assert_false(json_size(json_at(root, i), &size));
}

static void what_is_not_json_is_refused(void **state)
{
	static const struct span rows[] = {
		SPAN(""),
		SPAN_NONE,
		SPAN("{"),
		SPAN("}"),
		SPAN("[1,]"),
		SPAN("{\"a\":1,\"a\":2}"),
		SPAN("{\"a\":\"\xff\"}"),
		SPAN("{\"a\":\"\xed\xa0\x80\"}"),
		SPAN("{\"a\":\"\\u0000\"}"),
		SPAN("{\"a\":\"\\ud800\"}"),
		SPAN("{\"a\0b\":1}"),
		SPAN("{} x"),
		SPAN("{}{}"),
		SPAN("{}\0"),
		SPAN("\"text\""),
		SPAN("7"),
		SPAN("null"),
		SPAN("[9223372036854775808]"),
		SPAN("[01]"),
		SPAN("[+1]"),
		SPAN("[NaN]"),
		SPAN("{a:1}"),
		SPAN("{'a':1}"),
		SPAN("// x\n{}"),
		SPAN("\xef\xbb\xbf{}"),
		SPAN("[\"\\"),
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++)
		assert_int_equal(refusal(rows[i], &wide), ERR_REQUEST);
}

static void bytes_are_limited(void **state)
{
	struct json_limits limits = { 2, 100, 10 };

	(void)state;
	assert_int_equal(refusal(SPAN("{}"), &limits), ERR_NONE);
	assert_int_equal(refusal(SPAN("{ }"), &limits), ERR_TOO_LARGE);
}

static void tokens_are_limited_before_anything_is_parsed(void **state)
{
	struct json_limits limits = { 100, 5, 10 };
	auto_buf struct buf many = { 0 };

	(void)state;
	assert_int_equal(refusal(SPAN("{\"a\":[1,true]}"), &limits), ERR_NONE);
	assert_int_equal(refusal(SPAN("{\"a\":[1,true,-2.5]}"), &limits),
			 ERR_REQUEST);

	while (many.len < 4 * 1024 * 1024)
		buf_add(&many, SPAN("{}"));
	assert_int_equal(refusal(buf_span(&many), &wide), ERR_REQUEST);
}

static void depth_is_limited(void **state)
{
	struct json_limits limits = { 100, 100, 3 };

	(void)state;
	assert_int_equal(refusal(SPAN("[[[]],[[]]]"), &limits), ERR_NONE);
	assert_int_equal(refusal(SPAN("[{\"a\":[[]]}]"), &limits), ERR_REQUEST);
}

static void what_stands_in_a_text_is_not_counted(void **state)
{
	struct json_limits limits = { 100, 3, 1 };

	(void)state;
	assert_int_equal(refusal(SPAN("{\"a\":\"[[{{\\\"[[,,::\\\\\"}"),
				 &limits),
			 ERR_NONE);
	assert_int_equal(refusal(SPAN("{\"a\":\"\\\\\",\"b\":[]}"), &limits),
			 ERR_REQUEST);
}

static void texts_are_quoted_for_any_reader(void **state)
{
	static const struct {
		struct span text;
		const char *quoted;
	} rows[] = {
		{ SPAN("plain"), "\"plain\"" },
		{ SPAN_NONE, "\"\"" },
		{ SPAN("a\"b\\c"), "\"a\\\"b\\\\c\"" },
		{ SPAN("\n\0\x7f"), "\"\\u000a\\u0000\\u007f\"" },
		{ SPAN("\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xb3"),
		  "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xb3\"" },
		{ SPAN("\xff"), "\"\xef\xbf\xbd\"" },
		{ SPAN("\xc3"), "\"\xef\xbf\xbd\"" },
		{ SPAN("\xc0\xaf"), "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ SPAN("\xe2\x82x"), "\"\xef\xbf\xbd\xef\xbf\xbdx\"" },
		{ SPAN("\xed\xa0\x80"),
		  "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		auto_buf struct buf out = { 0 };

		json_quote(&out, rows[i].text);
		assert_string_equal(out.at, rows[i].quoted);
	}
}

static void what_was_quoted_reads_back(void **state)
{
	auto_buf struct buf out = { 0 };
	char all[127];

	(void)state;
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (char)(i + 1);
	buf_add(&out, SPAN("["));
	json_quote(&out, span_make(all, sizeof(all)));
	buf_add(&out, SPAN("]"));
	auto_of(json) struct json *json = parsed(buf_span(&out));
	assert_true(span_eq(json_text(json_at(json_root(json), 0)),
			    span_make(all, sizeof(all))));
}

static struct span large; /* a document */
static atomic_int open_now, open_most;

static void open_and_close(void *arg)
{
	(void)arg;
	for (int i = 0; i < 50; i++) {
		struct json *json = parsed(large);
		int now = ++open_now;

		if (now > open_most)
			open_most = now;
		open_now--;
		json_close(&json);
	}
}

static void at_most_two_large_documents_are_open_at_once(void **state)
{
	auto_buf struct buf text = { 0 };
	struct thread threads[6];

	(void)state;
	buf_add(&text, SPAN("[\""));
	while (text.len <= 64 * 1024)
		buf_add(&text, SPAN("0123456789"));
	buf_add(&text, SPAN("\"]"));
	large = buf_span(&text);

	struct json *held = parsed(large);
	for (size_t i = 0; i < array_size(threads); i++)
		thread_start(&threads[i], "parses", open_and_close, NULL);
	for (size_t i = 0; i < array_size(threads); i++)
		thread_join(&threads[i]);
	assert_int_equal(open_most, 1);
	json_close(&held);
}

static void texts_of_an_object_are_quoted(void **state)
{
	auto_of(json) struct json *json = parsed(
		SPAN("{\"a\":{\"k\":\"\\\"v\",\"n\":1,\"l\":\"\"},\"b\":[]}"));
	const struct json_value *root = json_root(json);
	auto_buf struct buf out = { 0 };

	(void)state;
	json_quote_texts(&out, json_get(root, "a"));
	assert_string_equal(out.at, "{\"k\":\"\\\"v\",\"l\":\"\"}");
	buf_clear(&out);
	json_quote_texts(&out, json_get(root, "b"));
	json_quote_texts(&out, json_get(root, "none"));
	assert_int_equal(out.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_and_elements_are_found),
		cmocka_unit_test(what_is_not_there_is_null_all_the_way),
		cmocka_unit_test(a_size_is_an_integer_that_is_not_negative),
		cmocka_unit_test(what_is_not_json_is_refused),
		cmocka_unit_test(bytes_are_limited),
		cmocka_unit_test(tokens_are_limited_before_anything_is_parsed),
		cmocka_unit_test(depth_is_limited),
		cmocka_unit_test(what_stands_in_a_text_is_not_counted),
		cmocka_unit_test(texts_are_quoted_for_any_reader),
		cmocka_unit_test(what_was_quoted_reads_back),
		cmocka_unit_test(texts_of_an_object_are_quoted),
		cmocka_unit_test(at_most_two_large_documents_are_open_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
