/*
 * Promises of cluster/record.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cluster/record.h"

#define PEM                              \
	"-----BEGIN CERTIFICATE-----\n"  \
	"MIIBszCCAVmgAwIBAgIUQ2+/ab==\n" \
	"-----END CERTIFICATE-----\n"

/* What the rows below change: a member, and what it has to be. */
#define FORMAT "\"format\":1"
#define ID "\"id\":\"0123abcd\""
#define VERSION "\"version\":\"0.1.0\""
#define STATE "\"health\":\"ready\",\"weight\":100"
#define DOORS "\"doors\":[{\"url\":\"http://10.0.0.5:5000\"}]"
#define UPSTREAMS "\"upstreams\":[\"docker.io\"]"
#define HEAD "{" FORMAT "," ID "," VERSION "," STATE
#define SHORT HEAD "," DOORS "," UPSTREAMS

static void what_is_printed_is_read(void **state)
{
	static const char *const upstreams[] = { "docker.io", "hub:5000" };
	static const struct record_door doors[] = {
		{ .url = "https://Registry.Example:443/" },
		{ .url = "http://[2001:db8::1]:5000" },
		{ .url = "http://10.0.0.5:5001", .upstream = "docker.io" },
	};
	struct record record = {
		.id = "0123abcd",
		.version = "0.1.0",
		.zone = "rack-1",
		.health = RECORD_FULL,
		.weight = 7,
		.doors = doors,
		.door_count = array_size(doors),
		.ca = PEM PEM,
		.upstreams = upstreams,
		.upstream_count = array_size(upstreams),
		.fallback = "docker.io",
	};
	auto_of(arena) struct arena *arena = arena_open();
	auto_buf struct buf json = { 0 };
	struct record read;
	struct err e;

	(void)state;
	record_print(&record, &json);
	if (record_parse(buf_span(&json), arena, &read, &e) < 0)
		fail_msg("%s", e.message);
	assert_string_equal(read.id, "0123abcd");
	assert_string_equal(read.version, "0.1.0");
	assert_string_equal(read.zone, "rack-1");
	assert_int_equal(read.health, RECORD_FULL);
	assert_int_equal(read.weight, 7);
	assert_int_equal(read.door_count, 3);
	assert_string_equal(read.doors[0].url, "https://registry.example:443");
	assert_string_equal(read.doors[0].host, "registry.example:443");
	assert_string_equal(read.doors[0].scheme, "https");
	assert_null(read.doors[0].upstream);
	assert_string_equal(read.doors[1].host, "[2001:db8::1]:5000");
	assert_string_equal(read.doors[2].upstream, "docker.io");
	assert_string_equal(read.ca, PEM PEM);
	assert_int_equal(read.upstream_count, 2);
	assert_string_equal(read.upstreams[1], "hub:5000");
	assert_string_equal(read.fallback, "docker.io");
}

static void what_need_not_be_there_is_null(void **state)
{
	auto_of(arena) struct arena *arena = arena_open();
	struct record read;
	struct err e;

	(void)state;
	assert_int_equal(record_parse(SPAN(SHORT ",\"zone\":null,"
						 "\"later\":{\"x\":[1]}}"),
				      arena, &read, &e),
			 0);
	assert_null(read.zone);
	assert_null(read.ca);
	assert_null(read.fallback);
}

static void what_is_not_clean_is_refused(void **state)
{
	static const char *const rows[][2] = {
		{ "", "JSON" },
		{ "[]", "format" },
		{ SHORT, "JSON" },
		{ "{" ID "," VERSION "," STATE "," DOORS "," UPSTREAMS "}",
		  "format" },
		{ "{\"format\":2}", "format" },
		{ "{" FORMAT "," VERSION "," STATE "," DOORS "," UPSTREAMS "}",
		  "id" },
		{ "{" FORMAT ",\"id\":7}", "id" },
		{ "{" FORMAT ",\"id\":\"\"}", "id" },
		{ "{" FORMAT ",\"id\":\"..\"}", "id" },
		{ "{" FORMAT ",\"id\":\"a/b\"}", "id" },
		{ "{" FORMAT ",\"id\":\"a\\nb\"}", "id" },
		{ "{" FORMAT "," ID ",\"version\":\"a b\"}", "version" },
		{ "{" FORMAT "," ID "}", "version" },
		{ SHORT ",\"zone\":\"\\u001b[2J\"}", "zone" },
		{ SHORT ",\"zone\":\"\u00e9\"}", "zone" },
		{ SHORT ",\"zone\":[]}", "zone" },
		{ "{" FORMAT "," ID "," VERSION ",\"health\":\"x\"}",
		  "health" },
		{ "{" FORMAT "," ID "," VERSION
		  ",\"health\":\"full\",\"weight\":10001}",
		  "weight" },
		{ "{" FORMAT "," ID "," VERSION
		  ",\"health\":\"full\",\"weight\":-1}",
		  "weight" },
		{ HEAD "," DOORS "}", "upstreams" },
		{ HEAD "," DOORS ",\"upstreams\":\"docker.io\"}", "upstreams" },
		{ HEAD "," UPSTREAMS "}", "doors" },
		{ HEAD "," UPSTREAMS ",\"doors\":[]}", "doors" },
		{ HEAD "," UPSTREAMS ",\"doors\":{\"url\":\"http://a\"}}",
		  "doors" },
		{ SHORT ",\"ca\":\"x\"}", "ca" },
		{ SHORT ",\"ca\":\"\"}", "ca" },
		{ SHORT ",\"ca\":7}", "ca" },
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		auto_of(arena) struct arena *arena = arena_open();
		struct record read;
		struct err e;

		if (record_parse(span_of(rows[i][0]), arena, &read, &e) == 0)
			fail_msg("%s", rows[i][0]);
		if (!strstr(e.message, rows[i][1]))
			fail_msg("%s: %s", rows[i][0], e.message);
	}
}

static void a_url_is_a_scheme_a_host_and_a_port(void **state)
{
	static const char *const rows[] = {
		"",
		"10.0.0.5:5000",
		"ftp://10.0.0.5:5000",
		"http://10.0.0.5:5000/v2/",
		"http://10.0.0.5:5000?x",
		"http://10.0.0.5:5000#x",
		"http://u:p@10.0.0.5:5000",
		"http://10.0.0.5:0",
		"http://10.0.0.5:70000",
		"http://a b:5000",
		"http://a\\nb:5000",
		"http://..:5000",
		"http://-a:5000",
		"http://127.0.0.1:5000",
		"http://127.8.0.1",
		"https://localhost:5000",
		"http://LocalHost",
		"http://a.localhost",
		"http://0.0.0.0:5000",
		"http://[::1]:5000",
		"http://[::ffff:127.0.0.1]:5000",
		"http://[fe80::1]:5000",
		"http://[::1:5000",
		"http://[1:2]:5000",
		"http://a:5000\\u0000",
		"http://a:5000/\\r\\nX: y",
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		auto_of(arena) struct arena *arena = arena_open();
		auto_buf struct buf json = { 0 };
		struct record read;
		struct err e;

		buf_addf(&json, "%s,%s,\"doors\":[{\"url\":\"%s\"}]}", HEAD,
			 UPSTREAMS, rows[i]);
		if (record_parse(buf_span(&json), arena, &read, &e) == 0)
			fail_msg("%s", rows[i]);
	}
}

static void the_first_door_is_for_all_names(void **state)
{
	auto_of(arena) struct arena *arena = arena_open();
	struct record read;
	struct err e;

	(void)state;
	assert_int_equal(
		record_parse(SPAN(HEAD "," UPSTREAMS
				       ",\"doors\":[{\"url\":\"http://a:1\","
				       "\"upstream\":\"docker.io\"}]}"),
			     arena, &read, &e),
		-1);
}

static void what_is_no_upstream_is_left_out_with_its_doors(void **state)
{
	static const char *const names[] = {
		"\"..:1\"",  "\"../x\"",   "\"alone\"",	    "\"a.b:0\"",
		"\"A.b\"",   "\"a.b\\n\"", "\"docker.io\"", "\"\\u001b.x\"",
		"\"a.b/c\"", "7",	   "null",	    "[]",
	};

	(void)state;
	for (size_t i = 0; i < array_size(names); i++) {
		auto_of(arena) struct arena *arena = arena_open();
		auto_buf struct buf json = { 0 };
		struct record read;
		struct err e;

		buf_addf(&json,
			 HEAD ",\"upstreams\":[%s,\"docker.io\"],"
			      "\"default\":\"a.b:0\",\"doors\":["
			      "{\"url\":\"http://a:1\"},"
			      "{\"url\":\"http://a:2\",\"upstream\":\"a.b:0\"},"
			      "{\"url\":\"http://a:3\","
			      "\"upstream\":\"docker.io\"}]}",
			 names[i]);
		if (record_parse(buf_span(&json), arena, &read, &e) < 0)
			fail_msg("%s: %s", names[i], e.message);
		assert_int_equal(read.upstream_count, 1);
		assert_string_equal(read.upstreams[0], "docker.io");
		assert_int_equal(read.door_count, 2);
		assert_string_equal(read.doors[1].host, "a:3");
		assert_null(read.fallback);
	}
}

static void more_than_anybody_needs_is_refused(void **state)
{
	auto_of(arena) struct arena *arena = arena_open();
	auto_buf struct buf json = { 0 };
	struct record read;
	struct err e;

	(void)state;
	buf_addf(&json, "%s,%s,\"doors\":[", HEAD, UPSTREAMS);
	for (int i = 0; i <= RECORD_DOORS; i++)
		buf_addf(&json, "%s{\"url\":\"http://a:1\"}", i ? "," : "");
	buf_addf(&json, "]}");
	assert_int_equal(record_parse(buf_span(&json), arena, &read, &e), -1);

	buf_clear(&json);
	buf_addf(&json, "%s,\"x\":\"%0*d\"}", SHORT, RECORD_BYTES, 0);
	assert_int_equal(record_parse(buf_span(&json), arena, &read, &e), -1);
	assert_int_equal(e.kind, ERR_TOO_LARGE);
}

static void of_a_file_only_its_certificates_are_taken(void **state)
{
	static const struct {
		const char *text;
		size_t count;
		const char *taken;
	} rows[] = {
		{ "", 0, "" },
		{ PEM, 1, PEM },
		{ "# ours\r\n" PEM "\nSubject: x\n" PEM, 2, PEM PEM },
		{ "-----BEGIN CERTIFICATE-----\r\nMIIB\r\n"
		  "-----END CERTIFICATE-----",
		  1,
		  "-----BEGIN CERTIFICATE-----\nMIIB\n"
		  "-----END CERTIFICATE-----\n" },
		{ "-----BEGIN PRIVATE KEY-----\nMIIB\n"
		  "-----END PRIVATE KEY-----\n",
		  0, "" },
		{ "-----BEGIN CERTIFICATE-----\nMIIB\n", 0, "" },
		{ "-----BEGIN CERTIFICATE-----\nMI IB\n"
		  "-----END CERTIFICATE-----\n",
		  0, "" },
		{ "-----BEGIN CERTIFICATE-----\nMIIB\n" PEM, 1, PEM },
		{ "-----END CERTIFICATE-----\n" PEM, 1, PEM },
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		auto_buf struct buf taken = { 0 };

		assert_int_equal(record_certificates(span_of(rows[i].text),
						     &taken),
				 rows[i].count);
		assert_true(span_is(buf_span(&taken), rows[i].taken));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_printed_is_read),
		cmocka_unit_test(what_need_not_be_there_is_null),
		cmocka_unit_test(what_is_not_clean_is_refused),
		cmocka_unit_test(a_url_is_a_scheme_a_host_and_a_port),
		cmocka_unit_test(the_first_door_is_for_all_names),
		cmocka_unit_test(
			what_is_no_upstream_is_left_out_with_its_doors),
		cmocka_unit_test(more_than_anybody_needs_is_refused),
		cmocka_unit_test(of_a_file_only_its_certificates_are_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
