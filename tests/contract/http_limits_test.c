/*
 * Promises of http/http.h about what goes wrong: refusals, deadlines, full
 * lanes, and the end.
 */
#include "http_lab.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

/* ------------------------------------------------------------ refusals */

static void a_malformed_request_is_refused_and_closed(void **state)
{
	struct lab *lab = *state;
	auto_client struct client client = client_open(lab, PLAIN);

	client_say(&client, "GET /small HTTP/1.1\r\n\r\n");
	auto_answer struct answer answer = client_answer(&client, false);
	assert_int_equal(answer.status, 400);
	assert_true(answer.whole);
	assert_true(client_sees_fin(&client));
	assert_int_equal(lab_await_done(lab, 1).status, 400);
	assert_true(
		span_is(answer_header(&answer, "X-Request-Id"), lab->last_id));
}

static void what_follows_a_refused_request_is_not_read(void **state)
{
	struct lab *lab = *state;
	auto_client struct client client = client_open(lab, PLAIN);

	client_say(&client, "PUT /echo HTTP/1.1\r\nHost: a\r\n"
			    "Content-Length: 5\r\n"
			    "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
			    "GET /small HTTP/1.1\r\nHost: a\r\n\r\n");
	auto_answer struct answer answer = client_answer(&client, false);
	assert_int_equal(answer.status, 400);
	assert_true(client_sees_fin(&client));
	assert_int_equal(client.in.len, 0);
}

static void a_head_may_have_12_kib_and_not_17(void **state)
{
	static const struct {
		int size;
		int status;
	} cases[] = { { 12 * 1024, 200 }, { 17 * 1024, 431 } };

	for (size_t i = 0; i < array_size(cases); i++) {
		auto_client struct client client = client_open(*state, PLAIN);

		client_say(&client,
			   "GET /small HTTP/1.1\r\nHost: a\r\nX: %0*d\r\n\r\n",
			   cases[i].size, 0);
		auto_answer struct answer answer =
			client_answer(&client, false);
		assert_int_equal(answer.status, cases[i].status);
	}
}

static void tls_on_the_plain_port_is_refused_at_once(void **state)
{
	auto_client struct client client = client_open(*state, PLAIN);
	int64_t start_ms = clock_ms();

	client_send(&client, "\x16\x03\x01\x02\x00\x01\x00", 7);
	auto_answer struct answer answer = client_answer(&client, false);
	assert_int_equal(answer.status, 400);
	assert_true(clock_ms() - start_ms < 5000);
	assert_true(client_sees_fin(&client));
}

/* ------------------------------------------------------------ deadlines */

static void a_slow_head_is_cut(void **state)
{
	struct lab *lab = *state;

	lab_reopen(lab, &(struct http_options){ .head_ms = 100 });
	auto_client struct client client = client_open(lab, PLAIN);
	client_say(&client, "GET /small HTTP/1.1\r\nHost: a\r\n");
	auto_answer struct answer answer = client_answer(&client, false);
	assert_int_equal(answer.status, 408);
	assert_true(client_sees_fin(&client));
}

static void an_idle_connection_is_closed(void **state)
{
	struct lab *lab = *state;

	lab_reopen(lab, &(struct http_options){ .idle_ms = 100 });
	for (unsigned door = 0; door < LAB_DOORS; door++) {
		auto_client struct client client = client_open(lab, door);
		auto_answer struct answer answer =
			client_get(&client, "/small");

		assert_int_equal(answer.status, 200);
		assert_true(client_sees_fin(&client));
	}
}

static void a_client_that_does_not_read_is_cut(void **state)
{
	struct lab *lab = *state;

	lab_reopen(lab, &(struct http_options){ .stall_ms = 100 });
	for (unsigned door = 0; door < LAB_DOORS; door++) {
		auto_client struct client client = client_open(lab, door);

		/* More than fits into the buffers of both sides. */
		for (int i = 0; i < 20; i++)
			client_say(&client,
				   "GET /file HTTP/1.1\r\nHost: a\r\n\r\n");
		int64_t deadline_ms = clock_ms() + PATIENCE_MS;
		while (!lab_await_done(lab, 1).cut)
			assert_true(clock_ms() < deadline_ms);
		assert_true(client_sees_fin(&client));
		lab->last.cut = false;
	}
}

/* More than fits into the buffers of both sides. */
enum { HELD = 3 * LARGE };

/* The server has to keep its answer until it is read. */
static struct client client_holds(struct lab *lab)
{
	struct client client = client_open(lab, PLAIN);

	client_say(&client,
		   "PUT /echo HTTP/1.1\r\nHost: a\r\n"
		   "Content-Length: %d\r\n\r\n",
		   HELD);
	for (int sent = 0; sent < HELD; sent += LARGE)
		client_send(&client, lab->large, LARGE);
	assert_true(client_receives(&client, 1));
	return client;
}

static void who_does_not_read_holds_no_more_than_there_may_be(void **state)
{
	struct lab *lab = *state;

	lab_reopen(lab, &(struct http_options){ .held_most = 2 * HELD });
	auto_client struct client first = client_holds(lab);
	for (unsigned more = 1; more <= 3; more++) {
		auto_client struct client second = client_holds(lab);

		assert_true(lab_await_done(lab, more).cut);
		assert_true(client_sees_fin(&second));
	}
	auto_answer struct answer answer = client_answer(&first, false);
	assert_int_equal(answer.status, 200);
	assert_int_equal(answer.body.len, HELD);
	assert_false(lab_await_done(lab, 4).cut);
}

static void a_body_that_stops_coming_is_a_timeout(void **state)
{
	struct lab *lab = *state;

	lab_reopen(lab, &(struct http_options){ .stall_ms = 100 });
	auto_client struct client client = client_open(lab, PLAIN);
	client_say(&client, "PUT /count HTTP/1.1\r\nHost: a\r\n"
			    "Content-Length: 10\r\n\r\nabc");
	auto_answer struct answer answer = client_answer(&client, false);
	assert_true(answer_is(&answer, 408, "slow"));
	assert_true(client_sees_fin(&client));
}

/* A KB a second is a byte a millisecond. */
static void a_body_that_hardly_comes_is_slow(void **state)
{
	struct lab *lab = *state;
	ssize_t sent = 1;

	lab_reopen(lab, &(struct http_options){ .stall_ms = 200 });
	auto_client struct client client = client_open(lab, PLAIN);
	client_say(&client, "PUT /count HTTP/1.1\r\nHost: a\r\n"
			    "Content-Length: 1000000\r\n\r\n");
	while (sent > 0) {
		struct pollfd answer = { .fd = client.fd, .events = POLLIN };

		if (poll(&answer, 1, 20) > 0)
			break;
		sent = send(client.fd, "x", 1, MSG_NOSIGNAL);
	}
	auto_answer struct answer answer = client_answer(&client, false);
	assert_true(answer_is(&answer, 408, "slow"));
	assert_true(client_sees_fin(&client));
}

static void a_body_that_ends_early_is_closed(void **state)
{
	struct lab *lab = *state;
	auto_client struct client client = client_open(lab, PLAIN);

	client_say(&client, "PUT /count HTTP/1.1\r\nHost: a\r\n"
			    "Content-Length: 10\r\n\r\nabc");
	shutdown(client.fd, SHUT_WR);
	auto_answer struct answer answer = client_answer(&client, false);
	assert_true(answer_is(&answer, 400, "closed"));
}

/* ------------------------------------------------------------ lanes */

static void over_the_limit_requests_wait_for_their_turn(void **state)
{
	struct lab *lab = *state;

	lab_reopen(lab, &(struct http_options){ .lanes[LANE_WRITE] = 1 });
	auto_client struct client first = client_open(lab, PLAIN);
	auto_client struct client second = client_open(lab, PLAIN);
	auto_client struct client other = client_open(lab, PLAIN);

	client_say(&first, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
	lab_await_holding(lab, 1);
	client_say(&second, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
	auto_answer struct answer elsewhere = client_get(&other, "/later");
	assert_true(answer_is(&elsewhere, 200, "later"));
	assert_int_equal(lab->holding, 1);
	lab_release(lab);
	auto_answer struct answer one = client_answer(&first, false);
	auto_answer struct answer two = client_answer(&second, false);
	assert_true(answer_is(&one, 200, "held!"));
	assert_true(answer_is(&two, 200, "held!"));
}

static void
who_waits_for_one_is_in_nobodys_way_who_waits_for_another(void **state)
{
	struct lab *lab = *state;
	struct client crowd[4];

	lab_reopen(lab, &(struct http_options){ .lanes[LANE_READ] = 1,
						.others = 2 });
	for (size_t i = 0; i < array_size(crowd); i++) {
		crowd[i] = client_open(lab, PLAIN);
		client_say(&crowd[i],
			   "GET /hold/one HTTP/1.1\r\nHost: a\r\n\r\n");
	}
	lab_await_holding(lab, 1);
	auto_client struct client client = client_open(lab, PLAIN);
	auto_answer struct answer other = client_get(&client, "/later/other");
	assert_true(answer_is(&other, 200, "later"));
	auto_answer struct answer nobody = client_get(&client, "/later");
	assert_true(answer_is(&nobody, 200, "later"));
	lab_release(lab);
	for (size_t i = 0; i < array_size(crowd); i++) {
		auto_answer struct answer answer =
			client_answer(&crowd[i], false);

		assert_true(answer_is(&answer, 200, "held!"));
		client_close(&crowd[i]);
	}
}

static void who_waits_too_long_for_a_lane_gets_503(void **state)
{
	struct lab *lab = *state;

	lab_reopen(lab, &(struct http_options){ .lanes[LANE_WRITE] = 1,
						.queue_ms = 100 });
	auto_client struct client first = client_open(lab, PLAIN);
	auto_client struct client second = client_open(lab, PLAIN);

	client_say(&first, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
	lab_await_holding(lab, 1);
	auto_answer struct answer late = client_get(&second, "/hold");
	assert_int_equal(late.status, 503);
	assert_true(span_is(answer_header(&late, "Retry-After"), "5"));
	lab_release(lab);
	auto_answer struct answer one = client_answer(&first, false);
	assert_true(answer_is(&one, 200, "held!"));
}

static void slow_uploads_do_not_disturb_pulls(void **state)
{
	enum { UPLOADS = 4 };
	struct lab *lab = *state;
	struct client uploads[UPLOADS * 2];

	lab_reopen(lab,
		   &(struct http_options){ .lanes[LANE_UPLOAD] = UPLOADS });
	for (size_t i = 0; i < array_size(uploads); i++) {
		uploads[i] = client_open(lab, PLAIN);
		client_say(&uploads[i], "PUT /count HTTP/1.1\r\nHost: a\r\n"
					"Content-Length: 3\r\n\r\na");
	}
	auto_client struct client client = client_open(lab, PLAIN);
	auto_answer struct answer pull = client_get(&client, "/file");
	assert_true(answer_is_pattern(&pull, LARGE));
	auto_answer struct answer miss = client_get(&client, "/later");
	assert_true(answer_is(&miss, 200, "later"));
	for (size_t i = 0; i < array_size(uploads); i++)
		client_say(&uploads[i], "bc");
	for (size_t i = 0; i < array_size(uploads); i++) {
		auto_answer struct answer answer =
			client_answer(&uploads[i], false);
		assert_true(answer_is(&answer, 200, "3"));
		client_close(&uploads[i]);
	}
}

/* ------------------------------------------------------------ opening */

static void refuse_to_open(const struct http_door *door, const char *because)
{
	struct http_options options = { .doors = door, .door_count = 1 };
	struct http *http;
	struct err e;

	assert_int_equal(http_open(&options, &http, &e), -1);
	assert_int_equal(e.kind, ERR_USAGE);
	if (!strstr(e.message, because))
		fail_msg("%s", e.message);
}

static void refuse_to_certify(const char *certificate, const char *key,
			      const char *because)
{
	struct http_certificate wrong = { certificate, key };

	refuse_to_open(&(struct http_door){ .address = "127.0.0.1:0",
					    .certificates = &wrong,
					    .certificate_count = 1 },
		       because);
}

static void what_cannot_be_opened_is_named(void **state)
{
	struct lab *lab = *state;
	char taken[32];

	snprintf(taken, sizeof(taken), "127.0.0.1:%u",
		 http_port(lab->http, SECURE));
	refuse_to_open(&(struct http_door){ .address = taken }, taken);
	refuse_to_open(&(struct http_door){ .address = "5000" }, "HOST:PORT");
	refuse_to_open(&(struct http_door){ .address = "::1:5000" },
		       "[IPV6]:PORT");
	refuse_to_open(&(struct http_door){ .address = "192.0.2.1:0" },
		       "192.0.2.1:0");
	refuse_to_certify(lab->certificate, NULL, "key");
	refuse_to_certify("/nowhere", lab->key, "/nowhere");
	refuse_to_certify(lab->certificate, lab->certificate, lab->certificate);
}

/* ------------------------------------------------------------ the end */

static void *drain_for_long(void *http)
{
	http_drain(http, PATIENCE_MS);
	return NULL;
}

static void draining_lets_requests_end(void **state)
{
	struct lab *lab = *state;
	auto_client struct client idle = client_open(lab, PLAIN);
	auto_client struct client held = client_open(lab, PLAIN);
	auto_client struct client growing = client_open(lab, PLAIN);
	pthread_t drain;

	auto_answer struct answer before = client_get(&idle, "/small");
	assert_int_equal(before.status, 200);
	client_say(&held, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
	client_say(&growing, "GET /unsized HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(client_receives(&growing, 100));
	lab_await_holding(lab, 1);
	pthread_create(&drain, NULL, drain_for_long, lab->http);
	assert_true(client_sees_fin(&idle));
	lab_release(lab);
	lab_grow(lab, 100);
	growing_finish(lab->growing, 100);
	auto_answer struct answer one = client_answer(&held, false);
	assert_true(answer_is(&one, 200, "held!"));
	assert_true(span_is(answer_header(&one, "Connection"), "close"));
	auto_answer struct answer two = client_answer(&growing, false);
	assert_true(two.whole);
	assert_true(client_sees_fin(&held));
	assert_true(client_sees_fin(&growing));
	client_close(&held);
	client_close(&growing);
	pthread_join(drain, NULL);
}

static void draining_cuts_what_is_left_by_fin(void **state)
{
	struct lab *lab = *state;
	auto_client struct client growing = client_open(lab, PLAIN);
	auto_client struct client upload = client_open(lab, PLAIN);

	client_say(&growing, "GET /growing HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(client_receives(&growing, 100));
	client_say(&upload, "PUT /count HTTP/1.1\r\nHost: a\r\n"
			    "Content-Length: 3\r\n"
			    "Expect: 100-continue\r\n\r\n");
	auto_answer struct answer go = client_answer(&upload, true);
	assert_int_equal(go.status, 100);
	http_drain(lab->http, 1);
	auto_answer struct answer answer = client_answer(&growing, false);
	assert_int_equal(answer.status, 200);
	assert_false(answer.whole);
	assert_true(client_sees_fin(&growing));
	assert_true(client_sees_fin(&upload));
}

static void nobody_new_comes_in_while_draining(void **state)
{
	struct lab *lab = *state;
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)http_port(lab->http, PLAIN)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	auto_fd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	http_drain(lab->http, 1);
	assert_int_equal(connect(fd, (void *)&address, sizeof(address)), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(a_malformed_request_is_refused_and_closed),
		promise(what_follows_a_refused_request_is_not_read),
		promise(a_head_may_have_12_kib_and_not_17),
		promise(tls_on_the_plain_port_is_refused_at_once),
		promise(a_slow_head_is_cut),
		promise(an_idle_connection_is_closed),
		promise(a_client_that_does_not_read_is_cut),
		promise(who_does_not_read_holds_no_more_than_there_may_be),
		promise(a_body_that_stops_coming_is_a_timeout),
		promise(a_body_that_hardly_comes_is_slow),
		promise(a_body_that_ends_early_is_closed),
		promise(over_the_limit_requests_wait_for_their_turn),
		promise(who_waits_for_one_is_in_nobodys_way_who_waits_for_another),
		promise(who_waits_too_long_for_a_lane_gets_503),
		promise(slow_uploads_do_not_disturb_pulls),
		promise(what_cannot_be_opened_is_named),
		promise(draining_lets_requests_end),
		promise(draining_cuts_what_is_left_by_fin),
		promise(nobody_new_comes_in_while_draining),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
