/*
 * Promises of cluster/etcd.h about what no etcd would answer, and about values
 * that nobody needs.
 */
#include "etcd_lab.h"

#include <signal.h>

#include "base/base64.h"
#include "base/buf.h"

static void bad_base64_is_no_answer(void **state)
{
	struct lab *lab = *state;
	struct etcd_list list;

	answers(lab, "200 OK", "{" HEADER ",\"kvs\":[{\"key\":\"!\"}]}");
	assert_int_equal(etcd_list(lab->etcd, SPAN("/p/"), 9, lab->arena, &list,
				   &lab->e),
			 -1);
	assert_int_equal(lab->e.kind, ERR_UPSTREAM);
}

static void what_is_not_etcds_is_passed_over(void **state)
{
	static const char *const rows[] = {
		"{}",
		"{\"header\":{}}",
		"{\"header\":{\"cluster_id\":7}}",
		"{\"result\":{\"cluster_id\":\"7\"}}",
		"[]",
	};
	struct lab *lab = *state;

	for (size_t i = 0; i < array_size(rows); i++) {
		answers(lab, "200 OK", rows[i]);
		fake_answer(lab->servers[1], FAKE_KEEP, "%s", YES);
		fake_answer(lab->servers[1], FAKE_KEEP, "%s", LATER);
		assert_int_equal(etcd_revoke(lab->etcd, 7, &lab->e), 0);
		answers(lab, "200 OK", DONE);
		assert_int_equal(etcd_revoke(lab->etcd, 7, &lab->e), 0);
	}
	assert_int_equal(fake_request_count(lab->servers[0]), 10);
	assert_int_equal(fake_request_count(lab->servers[1]), 10);
}

static void what_was_not_asked_for_is_no_answer(void **state)
{
	static const char *const rows[] = {
		/* "/q/a", nothing, and three where two were asked for */
		"{" HEADER ",\"kvs\":[{\"key\":\"L3EvYQ==\"}]}",
		"{" HEADER ",\"kvs\":[{}]}",
		"{" HEADER ",\"kvs\":[{\"key\":\"L3AvYQ==\"},"
		"{\"key\":\"L3AvYg==\"},{\"key\":\"L3AvYw==\"}]}",
	};
	struct lab *lab = *state;
	struct etcd_list list;

	for (size_t i = 0; i < array_size(rows); i++) {
		answers(lab, "200 OK", rows[i]);
		assert_int_equal(etcd_list(lab->etcd, SPAN("/p/"), 2,
					   lab->arena, &list, &lab->e),
				 -1);
		assert_int_equal(lab->e.kind, ERR_UPSTREAM);
	}
}

/* A pair as etcd prints it, whose value is so long. */
static void add_large(struct buf *json, const char *key, size_t len)
{
	auto_buf struct buf value = { 0 };

	buf_reserve(&value, len);
	memset(value.at, 'x', len);
	value.len = len;
	buf_addf(json, "{\"key\":\"");
	base64_print(span_of(key), json);
	buf_addf(json, "\",\"value\":\"");
	base64_print(buf_span(&value), json);
	buf_addf(json, "\"}");
}

static void a_value_that_is_too_long_hides_no_other(void **state)
{
	struct lab *lab = *state;
	auto_buf struct buf json = { 0 };
	struct etcd_list list;

	buf_addf(&json, "{" HEADER ",\"kvs\":[");
	add_large(&json, "/p/a", ETCD_VALUE_BYTES + 1);
	buf_addf(&json, ",");
	add_large(&json, "/p/b", ETCD_VALUE_BYTES);
	buf_addf(&json, "]}");
	answers(lab, "200 OK", json.at);
	assert_int_equal(etcd_list(lab->etcd, SPAN("/p/"), 9, lab->arena, &list,
				   &lab->e),
			 0);
	assert_int_equal(list.count, 2);
	assert_true(list.pairs[0].cut);
	assert_true(span_is(list.pairs[0].key, "/p/a"));
	assert_int_equal(list.pairs[0].value.len, 0);
	assert_false(list.pairs[1].cut);
	assert_int_equal(list.pairs[1].value.len, ETCD_VALUE_BYTES);
}

static void what_one_reply_cannot_hold_comes_in_several(void **state)
{
	struct lab *lab = *state;
	auto_buf struct buf json = { 0 };
	struct etcd_list list;

	buf_addf(&json, "{" HEADER ",\"kvs\":[");
	add_large(&json, "/p/a", 13 * 1024 * 1024);
	buf_addf(&json, "]}");
	answers(lab, "200 OK", json.at);
	answers(lab, "200 OK",
		"{\"header\":{\"cluster_id\":\"7\",\"revision\":\"11\"},"
		"\"kvs\":[{\"key\":\"L3AvYQ==\"},{\"key\":\"L3AvYg==\"},"
		"{\"key\":\"L3AvYw==\"},{\"key\":\"L3AvZA==\"}]}");
	answers(lab, "200 OK",
		"{\"header\":{\"cluster_id\":\"7\",\"revision\":\"12\"},"
		"\"kvs\":[{\"key\":\"L3AvZQ==\"}]}");
	assert_int_equal(etcd_list(lab->etcd, SPAN("/p/"), 9, lab->arena, &list,
				   &lab->e),
			 0);
	assert_int_equal(list.count, 5);
	assert_true(span_is(list.pairs[4].key, "/p/e"));
	assert_true(asked(lab, 0, 1, "\"limit\":\"4\",\"revision\":\"0\"}"));
	/* From "/p/d\0" on, and of the same moment. */
	assert_true(asked(lab, 0, 2,
			  "{\"key\":\"L3AvZAA=\",\"range_end\":\"L3Aw\","
			  "\"limit\":\"4\",\"revision\":\"11\"}"));
}

#define promise(name) cmocka_unit_test_setup_teardown(name, lab_open, lab_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(bad_base64_is_no_answer),
		promise(what_is_not_etcds_is_passed_over),
		promise(what_was_not_asked_for_is_no_answer),
		promise(a_value_that_is_too_long_hides_no_other),
		promise(what_one_reply_cannot_hold_comes_in_several),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
