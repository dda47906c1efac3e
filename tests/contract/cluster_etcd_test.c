/*
 * Promises of cluster/etcd.h, against gateways of old and new versions as a
 * fake server plays them.
 */
#include "etcd_lab.h"

#include <signal.h>

#include "base/thread.h"

/* ------------------------------------------------------------------- calls */

static void a_call_is_a_post_of_json(void **state)
{
	struct lab *lab = *state;
	struct etcd_pair pair = {
		.key = SPAN("/p/a"),
		.value = SPAN("foobar"),
		.lease = 7,
	};

	answers(lab, "200 OK", "{" HEADER ",\"ID\":\"7\",\"TTL\":\"15\"}");
	answers(lab, "200 OK", DONE);
	assert_int_equal(etcd_grant(lab->etcd, 7, 15, &lab->e), 0);
	assert_int_equal(etcd_put(lab->etcd, &pair, &lab->e), 0);
	assert_true(asked(lab, 0, 0, "POST /v3/lease/grant HTTP/1.1\r\n"));
	assert_true(asked(lab, 0, 0, "{\"ID\":\"7\",\"TTL\":\"15\"}"));
	assert_true(asked(lab, 0, 1, "POST /v3/kv/put HTTP/1.1\r\n"));
	assert_true(asked(lab, 0, 1, "Content-Type: application/json\r\n"));
	assert_true(asked(lab, 0, 1,
			  "{\"key\":\"L3AvYQ==\",\"value\":\"Zm9vYmFy\","
			  "\"lease\":\"7\"}"));
	assert_false(asked(lab, 0, 1, "Authorization"));
}

static void a_lease_that_has_ended_is_told_in_three_ways(void **state)
{
	struct lab *lab = *state;

	answers(lab, "200 OK", "{\"result\":{" HEADER ",\"ID\":\"7\"}}");
	answers_in_chunks(lab, "404 Not Found",
			  "{\"error\":\"gone\",\"message\":\"gone\","
			  "\"code\":5}");
	answers(lab, "404 Not Found", "{\"code\":5, \"message\":\"gone\"}");
	for (int i = 0; i < 3; i++) {
		assert_int_equal(etcd_renew(lab->etcd, 7, &lab->e), -1);
		assert_int_equal(lab->e.kind, ERR_NOT_FOUND);
	}
	answers(lab, "200 OK",
		"{\"result\":{" HEADER ",\"ID\":\"7\",\"TTL\":\"15\"}}");
	assert_int_equal(etcd_renew(lab->etcd, 7, &lab->e), 0);
	assert_int_equal(fake_request_count(lab->servers[1]), 0);
}

static void what_was_done_before_is_fine(void **state)
{
	struct lab *lab = *state;

	answers_in_chunks(lab, "412 Precondition Failed",
			  "{\"error\":\"lease already exists\",\"code\":9}");
	answers(lab, "400 Bad Request", "{\"code\":9,\"message\":\"exists\"}");
	answers(lab, "404 Not Found", "{\"code\":5,\"message\":\"not found\"}");
	assert_int_equal(etcd_grant(lab->etcd, 7, 15, &lab->e), 0);
	assert_int_equal(etcd_grant(lab->etcd, 7, 15, &lab->e), 0);
	assert_int_equal(etcd_revoke(lab->etcd, 7, &lab->e), 0);
}

static void a_list_is_read_with_its_leases(void **state)
{
	struct lab *lab = *state;
	struct etcd_list list;
	struct etcd_pair pair;

	answers(lab, "200 OK",
		"{\"header\": {\"cluster_id\": \"14841639068965178418\"}, "
		"\"kvs\": [{\"key\": \"L3AvYQ==\", \"value\": \"Zm9v\", "
		"\"lease\": \"7587862094\"}, {\"key\": \"L3AvYg==\"}], "
		"\"count\": \"2\"}");
	assert_int_equal(etcd_list(lab->etcd, SPAN("/p/"), 9, lab->arena, &list,
				   &lab->e),
			 0);
	assert_true(asked(lab, 0, 0,
			  "{\"key\":\"L3Av\",\"range_end\":\"L3Aw\","
			  "\"limit\":\"9\",\"revision\":\"0\"}"));
	assert_int_equal(list.count, 2);
	assert_true(span_is(list.pairs[0].key, "/p/a"));
	assert_true(span_is(list.pairs[0].value, "foo"));
	assert_int_equal(list.pairs[0].lease, 7587862094);
	assert_true(span_is(list.pairs[1].key, "/p/b"));
	assert_true(span_is(list.pairs[1].value, ""));
	assert_int_equal(list.pairs[1].lease, 0);

	answers(lab, "200 OK", DONE);
	assert_int_equal(etcd_get(lab->etcd, SPAN("/p/a"), lab->arena, &pair,
				  &lab->e),
			 -1);
	assert_int_equal(lab->e.kind, ERR_NOT_FOUND);
}

/* --------------------------------------------------------------- endpoints */

static void who_cannot_decide_is_passed_over(void **state)
{
	struct lab *lab = *state;

	answers(lab, "503 Service Unavailable",
		"{\"error\":\"no leader\",\"message\":\"no leader\","
		"\"code\":14}");
	fake_answer(lab->servers[1], FAKE_KEEP, "%s", YES);
	fake_answer(lab->servers[1], FAKE_KEEP, "%s", YES);
	assert_int_equal(etcd_revoke(lab->etcd, 7, &lab->e), 0);
	assert_int_equal(etcd_revoke(lab->etcd, 7, &lab->e), 0);
	assert_int_equal(fake_request_count(lab->servers[0]), 1);
	assert_int_equal(fake_request_count(lab->servers[1]), 2);
}

static void what_is_no_etcd_is_passed_over_and_named(void **state)
{
	struct lab *lab = *state;

	answers(lab, "200 OK", "<html>");
	fake_answer(lab->servers[1], FAKE_CUT,
		    "HTTP/1.1 200 OK\r\n"
		    "Content-Length: 9\r\n\r\n{");
	assert_int_equal(etcd_revoke(lab->etcd, 7, &lab->e), -1);
	assert_int_equal(lab->e.kind, ERR_UPSTREAM);
	assert_non_null(strstr(lab->e.message, lab->urls[1]));
}

static void a_refusal_is_everybodys(void **state)
{
	struct lab *lab = *state;

	answers(lab, "403 Forbidden",
		"{\"code\":7,\"message\":\"permission denied\"}");
	assert_int_equal(etcd_revoke(lab->etcd, 7, &lab->e), -1);
	assert_int_equal(lab->e.kind, ERR_DENIED);
	assert_non_null(strstr(lab->e.message, "permission denied"));
	assert_int_equal(fake_request_count(lab->servers[1]), 0);
}

static void in_a_hurry_nobody_is_asked(void **state)
{
	struct lab *lab = *state;

	etcd_hurry(lab->etcd, 0);
	assert_int_equal(etcd_revoke(lab->etcd, 7, &lab->e), -1);
	assert_int_equal(lab->e.kind, ERR_TIMEOUT);
	assert_int_equal(fake_request_count(lab->servers[0]), 0);
}

static void ask(void *arg)
{
	struct lab *lab = arg;

	lab->failed = etcd_revoke(lab->etcd, 7, &lab->e);
}

static void in_a_hurry_one_that_is_frozen_leaves_time_for_the_next(void **state)
{
	struct lab *lab = *state;
	struct thread thread;

	for (int i = 0; i < 9; i++) {
		fake_answer(lab->servers[0], FAKE_SILENCE, "%s", "");
		fake_answer(lab->servers[1], FAKE_KEEP, "%s", YES);
	}
	thread_start(&thread, "ask", ask, lab);
	fake_wait(lab->servers[0], 1);
	etcd_hurry(lab->etcd, 3000);
	thread_join(&thread);
	assert_int_equal(lab->failed, -1);
	assert_int_equal(lab->e.kind, ERR_CLOSED);
	assert_int_equal(fake_request_count(lab->servers[1]), 0);

	/* The machine may be so busy that half of the time is not enough. */
	for (int i = 0; i < 8 && lab->failed; i++) {
		etcd_hurry(lab->etcd, 3000);
		ask(lab);
	}
	assert_int_equal(lab->failed, 0);
	assert_true(fake_request_count(lab->servers[0]) > 1);
}

static void after_an_abort_all_is_over(void **state)
{
	struct lab *lab = *state;

	etcd_abort(lab->etcd);
	assert_int_equal(etcd_revoke(lab->etcd, 7, &lab->e), -1);
	assert_int_equal(lab->e.kind, ERR_CLOSED);
	assert_int_equal(etcd_pause(lab->etcd, 60000, &lab->e), -1);
}

/* ------------------------------------------------------------------ tokens */

static void a_token_is_fetched_and_sent_as_it_is(void **state)
{
	struct lab *lab = *state;

	log_in_as_alice(lab);
	answers(lab, "200 OK", "{" HEADER ",\"token\":\"REBB.51\"}");
	answers(lab, "200 OK", DONE);
	answers(lab, "200 OK", DONE);
	assert_int_equal(etcd_revoke(lab->etcd, 7, &lab->e), 0);
	assert_int_equal(etcd_revoke(lab->etcd, 8, &lab->e), 0);
	assert_true(asked(lab, 0, 0, "POST /v3/auth/authenticate "));
	assert_true(asked(lab, 0, 0,
			  "{\"name\":\"alice\",\"password\":\"secret\"}"));
	assert_true(asked(lab, 0, 1, "\r\nAuthorization: REBB.51\r\n"));
	assert_true(asked(lab, 0, 2, "\r\nAuthorization: REBB.51\r\n"));
}

static void a_token_that_has_ended_is_fetched_again_once(void **state)
{
	struct lab *lab = *state;

	log_in_as_alice(lab);
	answers(lab, "200 OK", "{" HEADER ",\"token\":\"one\"}");
	answers(lab, "401 Unauthorized",
		"{\"code\":16,\"message\":\"invalid auth token\"}");
	answers(lab, "200 OK", "{" HEADER ",\"token\":\"two\"}");
	answers(lab, "200 OK", DONE);
	assert_int_equal(etcd_revoke(lab->etcd, 7, &lab->e), 0);
	assert_true(asked(lab, 0, 3, "\r\nAuthorization: two\r\n"));

	answers(lab, "401 Unauthorized", "{\"code\":16,\"message\":\"no\"}");
	answers(lab, "200 OK", "{" HEADER ",\"token\":\"three\"}");
	answers(lab, "401 Unauthorized", "{\"code\":16,\"message\":\"no\"}");
	assert_int_equal(etcd_revoke(lab->etcd, 7, &lab->e), -1);
	assert_int_equal(lab->e.kind, ERR_DENIED);
	assert_int_equal(fake_request_count(lab->servers[0]), 7);
}

static void where_nobody_logs_in_there_is_no_token(void **state)
{
	struct lab *lab = *state;

	log_in_as_alice(lab);
	answers_in_chunks(lab, "412 Precondition Failed",
			  "{\"error\":\"not enabled\",\"code\":9}");
	answers(lab, "200 OK", DONE);
	assert_int_equal(etcd_revoke(lab->etcd, 7, &lab->e), 0);
	assert_false(asked(lab, 0, 1, "Authorization"));

	/* It is enabled now. */
	answers_in_chunks(lab, "412 Precondition Failed",
			  "{\"error\":\"not enabled\",\"code\":9}");
	answers(lab, "400 Bad Request",
		"{\"code\":3,\"message\":\"user name is empty\"}");
	answers(lab, "200 OK", "{" HEADER ",\"token\":\"one\"}");
	answers(lab, "200 OK", DONE);
	assert_int_equal(etcd_revoke(lab->etcd, 7, &lab->e), 0);
	assert_true(asked(lab, 0, 5, "\r\nAuthorization: one\r\n"));
}

static void a_token_cannot_bring_headers_of_its_own(void **state)
{
	struct lab *lab = *state;

	log_in_as_alice(lab);
	lab->options.url_count = 1;
	answers(lab, "200 OK", "{" HEADER ",\"token\":\"a\\r\\nX-Evil: 1\"}");
	assert_int_equal(etcd_revoke(lab->etcd, 7, &lab->e), -1);
	assert_int_equal(lab->e.kind, ERR_UPSTREAM);
}

static void a_wrong_password_is_told(void **state)
{
	struct lab *lab = *state;

	log_in_as_alice(lab);
	answers(lab, "400 Bad Request",
		"{\"code\":3,\"message\":\"authentication failed\"}");
	assert_int_equal(etcd_revoke(lab->etcd, 7, &lab->e), -1);
	assert_int_equal(lab->e.kind, ERR_DENIED);
	assert_non_null(strstr(lab->e.message, "authentication failed"));
	assert_null(strstr(lab->e.message, "secret"));

	/* It is not tried again at once. */
	assert_int_equal(etcd_revoke(lab->etcd, 7, &lab->e), -1);
	assert_int_equal(lab->e.kind, ERR_DENIED);
	assert_non_null(strstr(lab->e.message, "authentication failed"));
	assert_int_equal(fake_request_count(lab->servers[0]), 1);
}

/* ------------------------------------------------------------------- watch */

static void hear(void *arg)
{
	struct lab *lab = arg;

	lab->news++;
}

/* A stream of chunks, and its end. */
static void streams(struct lab *lab, const char *chunk, const char *another)
{
	fake_answer(lab->servers[0], FAKE_CUT,
		    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		    "%zx\r\n%s\r\n%zx\r\n%s\r\n0\r\n\r\n",
		    strlen(chunk), chunk, strlen(another), another);
}

static void each_line_of_a_watch_is_news(void **state)
{
	struct lab *lab = *state;

	streams(lab, "{\"result\":{\"created\":true}}\n{\"result\":{\"eve",
		"nts\":[{\"kv\":{}}]}}\n{\"result\":{}}\n");
	assert_int_equal(etcd_watch(lab->etcd, SPAN("/p/"), hear, lab, &lab->e),
			 -1);
	assert_int_equal(lab->news, 3);
	assert_int_equal(lab->e.kind, ERR_UPSTREAM);
	assert_true(asked(lab, 0, 0, "POST /v3/watch "));
	assert_true(asked(lab, 0, 0,
			  "{\"create_request\":{\"key\":\"L3Av\","
			  "\"range_end\":\"L3Aw\"}}"));
}

static void a_watch_that_is_canceled_ends_with_the_reason(void **state)
{
	struct lab *lab = *state;

	streams(lab, "{\"result\":{\"created\":true}}\n",
		"{\"result\":{\"canceled\":true,"
		"\"cancel_reason\":\"invalid auth token\"}}\n");
	assert_int_equal(etcd_watch(lab->etcd, SPAN("/p/"), hear, lab, &lab->e),
			 -1);
	assert_int_equal(lab->news, 1);
	assert_int_equal(lab->e.kind, ERR_DENIED);
	assert_non_null(strstr(lab->e.message, "invalid auth token"));
}

static void a_watch_hears_that_etcd_stops_in_both_words(void **state)
{
	static const char *const rows[] = {
		"{\"error\":{\"grpc_code\":14,\"http_code\":503,"
		"\"message\":\"transport is closing\"}}\n",
		"{\"error\":{\"code\":14,"
		"\"message\":\"transport is closing\"}}\n",
		"{\"error\":\"x\",\"message\":\"transport is closing\","
		"\"code\":14}\n",
	};
	struct lab *lab = *state;

	lab->options.url_count = 1;
	for (size_t i = 0; i < array_size(rows); i++) {
		streams(lab, rows[i], "\n");
		assert_int_equal(etcd_watch(lab->etcd, SPAN("/p/"), hear, lab,
					    &lab->e),
				 -1);
		assert_int_equal(lab->e.kind, ERR_UNAVAILABLE);
		assert_non_null(strstr(lab->e.message, "transport is closing"));
	}
	assert_int_equal(lab->news, 0);
}

#define promise(name) cmocka_unit_test_setup_teardown(name, lab_open, lab_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(a_call_is_a_post_of_json),
		promise(a_lease_that_has_ended_is_told_in_three_ways),
		promise(what_was_done_before_is_fine),
		promise(a_list_is_read_with_its_leases),
		promise(who_cannot_decide_is_passed_over),
		promise(what_is_no_etcd_is_passed_over_and_named),
		promise(a_refusal_is_everybodys),
		promise(in_a_hurry_nobody_is_asked),
		promise(in_a_hurry_one_that_is_frozen_leaves_time_for_the_next),
		promise(after_an_abort_all_is_over),
		promise(a_token_is_fetched_and_sent_as_it_is),
		promise(a_token_that_has_ended_is_fetched_again_once),
		promise(where_nobody_logs_in_there_is_no_token),
		promise(a_token_cannot_bring_headers_of_its_own),
		promise(a_wrong_password_is_told),
		promise(each_line_of_a_watch_is_news),
		promise(a_watch_that_is_canceled_ends_with_the_reason),
		promise(a_watch_hears_that_etcd_stops_in_both_words),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
