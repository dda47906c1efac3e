/*
 * Promises of cluster/host.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cluster/host.h"

/* What the rows below change: a member, and what it has to be. */
#define FORMAT "\"format\":1,\"since\":5"
#define NAME "\"name\":\"web-1\",\"version\":\"0.1.0\""
#define WHY "\"why\":\"answers\""
#define LISTS "\"engines\":[],\"errors\":[]"
#define HEAD "{" FORMAT "," NAME "," WHY
#define ALL HEAD "," LISTS

static void what_is_printed_is_read(void **state)
{
	static const struct host_engine engines[] = {
		{ "docker", "20.10.24+dfsg1", "pointed" },
		{ "podman", NULL, "idle" },
	};
	static const char *const errors[] = { "docker: conflict \"x\"" };
	struct host_record record = {
		.name = "web-1.example",
		.version = "0.1.0",
		.registry = "http://10.0.0.5:5000",
		.why = "answers",
		.since_s = 1764500000,
		.engines = engines,
		.engine_count = 2,
		.errors = errors,
		.error_count = 1,
	};
	auto_of(arena) struct arena *arena = arena_open();
	auto_buf struct buf json = { 0 };
	struct host_record read;
	struct err e;

	(void)state;
	host_record_print(&record, &json);
	if (host_record_parse(buf_span(&json), arena, &read, &e) < 0)
		fail_msg("%s", e.message);
	assert_string_equal(read.name, "web-1.example");
	assert_string_equal(read.version, "0.1.0");
	assert_string_equal(read.registry, "http://10.0.0.5:5000");
	assert_string_equal(read.why, "answers");
	assert_int_equal(read.since_s, 1764500000);
	assert_int_equal(read.engine_count, 2);
	assert_string_equal(read.engines[0].name, "docker");
	assert_string_equal(read.engines[0].version, "20.10.24+dfsg1");
	assert_string_equal(read.engines[0].state, "pointed");
	assert_null(read.engines[1].version);
	assert_int_equal(read.error_count, 1);
	assert_string_equal(read.errors[0], "docker: conflict \"x\"");
}

static void without_a_registry_there_is_none(void **state)
{
	auto_of(arena) struct arena *arena = arena_open();
	struct host_record read;
	struct err e;

	(void)state;
	assert_int_equal(host_record_parse(SPAN(ALL ",\"later\":{\"x\":[]}}"),
					   arena, &read, &e),
			 0);
	assert_null(read.registry);
}

static void what_is_printed_is_clean_and_short(void **state)
{
	char line[HOST_LINE * 2] = "a\nb\xc3\xa9";
	const char *errors[HOST_ERRORS * 2];
	const struct host_engine engine = { "docker", "a b", "idle" };
	struct host_record record = {
		.name = "a",
		.version = "1",
		.why = line,
		.engines = &engine,
		.engine_count = 1,
		.errors = errors,
		.error_count = array_size(errors),
	};
	auto_of(arena) struct arena *arena = arena_open();
	auto_buf struct buf json = { 0 };
	struct host_record read;
	struct err e;

	(void)state;
	memset(line + strlen(line), '"', sizeof(line) - strlen(line) - 1);
	for (size_t i = 0; i < array_size(errors); i++)
		errors[i] = line;
	host_record_print(&record, &json);
	if (host_record_parse(buf_span(&json), arena, &read, &e) < 0)
		fail_msg("%s", e.message);
	assert_memory_equal(read.why, "a?b??\"", 6);
	assert_int_equal(strlen(read.why), HOST_LINE);
	assert_int_equal(read.error_count, HOST_ERRORS);
	assert_null(read.engines[0].version);
}

static void what_is_not_clean_is_refused(void **state)
{
	static const char *const rows[][2] = {
		{ "", "JSON" },
		{ "[]", "format" },
		{ ALL, "JSON" },
		{ "{\"format\":2}", "format" },
		{ "{\"format\":1,\"since\":-1}", "since" },
		{ "{" FORMAT ",\"name\":\"../x\"}", "name" },
		{ "{" FORMAT ",\"name\":\"a/b\"}", "name" },
		{ "{" FORMAT ",\"name\":7}", "name" },
		{ "{" FORMAT ",\"name\":\"a\",\"version\":\"\\n\"}",
		  "version" },
		{ "{" FORMAT "," NAME "}", "why" },
		{ "{" FORMAT "," NAME ",\"why\":\"\\u001b[2J\"}", "why" },
		{ "{" FORMAT "," NAME ",\"why\":\"\u00e9\"}", "why" },
		{ ALL ",\"registry\":\"x\"}", "registry" },
		{ ALL ",\"registry\":\"http://a/b\"}", "registry" },
		{ ALL ",\"registry\":7}", "registry" },
		{ HEAD ",\"errors\":[]}", "engines" },
		{ HEAD ",\"errors\":[],\"engines\":[7]}", "engines" },
		{ HEAD ",\"errors\":[],\"engines\":[{\"name\":\"a\"}]}",
		  "engines" },
		{ HEAD ",\"errors\":[],\"engines\":[{\"name\":\"a\","
		       "\"state\":\"b\",\"version\":\" \"}]}",
		  "engines" },
		{ HEAD ",\"engines\":[]}", "errors" },
		{ HEAD ",\"engines\":[],\"errors\":[\"a\\tb\"]}", "errors" },
		{ HEAD ",\"engines\":[],\"errors\":[1,2,3,4,5,6,7,8,9]}",
		  "errors" },
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		auto_of(arena) struct arena *arena = arena_open();
		struct host_record read;
		struct err e;

		if (host_record_parse(span_of(rows[i][0]), arena, &read, &e) ==
		    0)
			fail_msg("%s", rows[i][0]);
		if (!strstr(e.message, rows[i][1]))
			fail_msg("%s: %s", rows[i][0], e.message);
	}
}

static void what_is_too_large_is_refused(void **state)
{
	auto_of(arena) struct arena *arena = arena_open();
	auto_buf struct buf json = { 0 };
	struct host_record read;
	struct err e;

	(void)state;
	buf_add(&json, SPAN(ALL "}"));
	while (json.len <= HOST_BYTES)
		buf_add(&json, SPAN(" "));
	assert_int_equal(host_record_parse(buf_span(&json), arena, &read, &e),
			 -1);
	assert_int_equal(e.kind, ERR_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_printed_is_read),
		cmocka_unit_test(without_a_registry_there_is_none),
		cmocka_unit_test(what_is_printed_is_clean_and_short),
		cmocka_unit_test(what_is_not_clean_is_refused),
		cmocka_unit_test(what_is_too_large_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
