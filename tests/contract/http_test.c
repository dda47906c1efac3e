/*
 * Promises of http/http.h about requests and responses.
 */
#include "http_lab.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

static void a_connection_is_used_again(void **state)
{
	auto_client struct client client = client_open(*state, PLAIN);

	for (int i = 0; i < 3; i++) {
		auto_answer struct answer answer =
			client_get(&client, "/small");

		assert_true(answer_is(&answer, 200, "small"));
		assert_int_equal(answer_header(&answer, "X-Request-Id").len,
				 16);
		assert_int_equal(answer_header(&answer, "Date").len, 29);
		assert_null(answer_header(&answer, "Connection").at);
	}
}

static void pipelined_requests_are_answered_in_order(void **state)
{
	static const char *const bodies[] = { "small", "later", "abc", "xyz",
					      "small" };
	auto_client struct client client = client_open(*state, PLAIN);

	client_say(&client, "GET /small HTTP/1.1\r\nHost: a\r\n\r\n"
			    "GET /later HTTP/1.1\r\nHost: a\r\n\r\n"
			    "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n"
			    "PUT /echo HTTP/1.1\r\nHost: a\r\n"
			    "Content-Length: 3\r\n\r\nxyz"
			    "GET /small HTTP/1.1\r\nHost: a\r\n\r\n");
	for (size_t i = 0; i < array_size(bodies); i++) {
		auto_answer struct answer answer =
			client_answer(&client, false);

		assert_true(answer_is(&answer, 200, bodies[i]));
	}
}

static void head_gets_the_headers_of_get_and_no_body(void **state)
{
	static const struct {
		const char *path;
		const char *length;
	} cases[] = {
		{ "/small", "5" },	   { "/file", "3145728" },
		{ "/growing", "3145728" }, { "/later", "5" },
		{ "/unsized", NULL },	   { "/stream", NULL },
	};
	auto_client struct client client = client_open(*state, PLAIN);

	for (size_t i = 0; i < array_size(cases); i++) {
		client_say(&client, "HEAD %s HTTP/1.1\r\nHost: a\r\n\r\n",
			   cases[i].path);
		auto_answer struct answer answer = client_answer(&client, true);
		struct span length = answer_header(&answer, "Content-Length");

		assert_int_equal(answer.status, 200);
		if (cases[i].length)
			assert_true(span_is(length, cases[i].length));
		else
			assert_null(length.at);
	}
	/* Had there been a body, this answer would not be the next. */
	auto_answer struct answer answer = client_get(&client, "/small");
	assert_true(answer_is(&answer, 200, "small"));
}

static void http_1_0_is_answered_and_closed(void **state)
{
	auto_client struct client client = client_open(*state, PLAIN);

	client_say(&client, "GET /small HTTP/1.0\r\n\r\n");
	auto_answer struct answer answer = client_answer(&client, false);
	assert_true(answer_is(&answer, 200, "small"));
	assert_true(client_sees_fin(&client));
}

static void http_1_0_gets_a_stream_without_chunks(void **state)
{
	auto_client struct client client = client_open(*state, PLAIN);

	client_say(&client, "GET /stream HTTP/1.0\r\n"
			    "Connection: keep-alive\r\n\r\n");
	auto_answer struct answer answer = client_answer(&client, false);
	assert_true(answer_is(&answer, 200, "abc"));
	assert_null(answer_header(&answer, "Transfer-Encoding").at);
}

static void bodies_in_memory_and_in_files_come_whole(void **state)
{
	static const char *const paths[] = { "/large", "/file", "/cold" };

	for (unsigned door = 0; door < LAB_DOORS; door++) {
		auto_client struct client client = client_open(*state, door);

		for (size_t i = 0; i < array_size(paths); i++) {
			auto_answer struct answer answer =
				client_get(&client, paths[i]);

			assert_true(answer.whole);
			assert_true(answer_is_pattern(&answer, LARGE));
		}
	}
}

/* As the head says it. */
static struct span boundary(const struct answer *answer)
{
	struct span type = answer_header(answer, "Content-Type");
	ptrdiff_t equals = span_find(type, '=');

	assert_true(span_starts(type, "multipart/byteranges; boundary="));
	return span_from(type, (size_t)equals + 1);
}

static void parts_of_a_file_come_in_one_answer(void **state)
{
	for (unsigned door = 0; door < LAB_DOORS; door++) {
		auto_client struct client client = client_open(*state, door);
		auto_buf struct buf body = { 0 };
		auto_answer struct answer answer =
			client_get(&client, "/parts");
		struct span line = boundary(&answer);

		buf_addf(&body,
			 "\r\n--%.*s\r\nContent-Type: text/plain\r\n"
			 "Content-Range: bytes 0-0/%d\r\n\r\n%c"
			 "\r\n--%.*s\r\nContent-Type: text/plain\r\n"
			 "Content-Range: bytes %d-%d/%d\r\n\r\n%c"
			 "\r\n--%.*s--\r\n",
			 SPAN_ARG(line), LARGE, pattern(0), SPAN_ARG(line),
			 LARGE - 1, LARGE - 1, LARGE, pattern(LARGE - 1),
			 SPAN_ARG(line));
		assert_true(answer_is(&answer, 206, body.at));
		auto_answer struct answer next = client_get(&client, "/small");
		assert_true(answer_is(&next, 200, "small"));
	}
}

static void a_body_is_read_in_both_framings(void **state)
{
	auto_client struct client client = client_open(*state, PLAIN);

	client_say(&client, "PUT /echo HTTP/1.1\r\nHost: a\r\n"
			    "Transfer-Encoding: chunked\r\n\r\n"
			    "3;x=y\r\nabc\r\n2\r\n\r\n\r\n0\r\nA: b\r\n\r\n");
	auto_answer struct answer chunked = client_answer(&client, false);
	assert_true(answer_is(&chunked, 200, "abc\r\n"));

	client_say(&client, "PUT /echo HTTP/1.1\r\nHost: a\r\n"
			    "Content-Length: 0\r\n\r\n");
	auto_answer struct answer empty = client_answer(&client, false);
	assert_true(answer_is(&empty, 200, ""));
}

static void send_large(struct lab *lab, struct client *client, bool chunked)
{
	if (!chunked) {
		client_say(client,
			   "PUT /count HTTP/1.1\r\nHost: a\r\n"
			   "Content-Length: %d\r\n\r\n",
			   LARGE);
		assert_int_equal(client_send(client, lab->large, LARGE), LARGE);
		return;
	}
	client_say(client, "PUT /count HTTP/1.1\r\nHost: a\r\n"
			   "Transfer-Encoding: chunked\r\n\r\n");
	for (size_t at = 0; at < LARGE; at += LARGE / 3) {
		client_say(client, "%x\r\n", LARGE / 3);
		client_send(client, lab->large + at, LARGE / 3);
		client_say(client, "\r\n");
	}
	client_say(client, "0\r\n\r\n");
}

static void large_bodies_are_read_over_both_doors(void **state)
{
	struct lab *lab = *state;

	for (unsigned door = 0; door < LAB_DOORS; door++) {
		auto_client struct client client = client_open(lab, door);

		for (int chunked = 0; chunked < 2; chunked++) {
			send_large(lab, &client, chunked);
			auto_answer struct answer answer =
				client_answer(&client, false);
			assert_true(answer_is(&answer, 200, "3145728"));
		}
	}
	assert_int_equal(lab_await_done(lab, 4).received, LARGE);
}

static void broken_chunks_are_the_handlers_error(void **state)
{
	auto_client struct client client = client_open(*state, PLAIN);

	client_say(&client, "PUT /echo HTTP/1.1\r\nHost: a\r\n"
			    "Transfer-Encoding: chunked\r\n\r\n3\nabc");
	auto_answer struct answer answer = client_answer(&client, false);
	assert_true(answer_is(&answer, 400, "request"));
	assert_true(client_sees_fin(&client));
}

static void a_client_may_wait_for_100_continue(void **state)
{
	auto_client struct client client = client_open(*state, PLAIN);

	client_say(&client,
		   "PUT /echo HTTP/1.1\r\nHost: a\r\n"
		   "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n");
	auto_answer struct answer go = client_answer(&client, true);
	assert_int_equal(go.status, 100);
	client_say(&client, "abc");
	auto_answer struct answer answer = client_answer(&client, false);
	assert_true(answer_is(&answer, 200, "abc"));
}

static void a_refused_client_is_not_told_to_continue(void **state)
{
	auto_client struct client client = client_open(*state, PLAIN);

	client_say(&client,
		   "PUT /refuse HTTP/1.1\r\nHost: a\r\n"
		   "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n");
	auto_answer struct answer answer = client_answer(&client, false);
	assert_true(answer_is(&answer, 403, "no"));
	assert_true(client_sees_fin(&client));
}

/* The client is still sending; a reset could swallow the answer. */
static void an_early_answer_is_seen_and_ends_by_fin(void **state)
{
	struct lab *lab = *state;
	auto_client struct client client = client_open(lab, PLAIN);

	client_say(&client,
		   "PUT /refuse HTTP/1.1\r\nHost: a\r\n"
		   "Content-Length: %d\r\n\r\n",
		   2 * LARGE);
	assert_int_equal(client_send(&client, lab->large, LARGE), LARGE);
	auto_answer struct answer answer = client_answer(&client, false);
	assert_true(answer_is(&answer, 403, "no"));
	assert_true(span_is(answer_header(&answer, "Connection"), "close"));
	assert_true(client_sees_fin(&client));
}

static void who_reads_only_after_writing_sees_the_answer(void **state)
{
	struct lab *lab = *state;
	enum { TIMES = 40 }; /* more than any buffer holds */

	for (unsigned door = 0; door < LAB_DOORS; door++) {
		auto_client struct client client = client_open(lab, door);

		client_say(&client,
			   "PUT /refuse HTTP/1.1\r\nHost: a\r\n"
			   "Content-Length: %d\r\n\r\n",
			   TIMES * LARGE);
		for (int i = 0; i < TIMES; i++)
			assert_int_equal(
				client_send(&client, lab->large, LARGE), LARGE);
		auto_answer struct answer answer =
			client_answer(&client, false);
		assert_true(answer_is(&answer, 403, "no"));
		assert_true(client_sees_fin(&client));
	}
}

static void an_unread_body_that_is_here_costs_no_connection(void **state)
{
	auto_client struct client client = client_open(*state, PLAIN);

	client_say(&client, "PUT /refuse HTTP/1.1\r\nHost: a\r\n"
			    "Content-Length: 3\r\n\r\nabc");
	auto_answer struct answer refused = client_answer(&client, false);
	assert_true(answer_is(&refused, 403, "no"));
	auto_answer struct answer answer = client_get(&client, "/small");
	assert_true(answer_is(&answer, 200, "small"));
}

static void a_stream_that_breaks_has_no_end(void **state)
{
	struct lab *lab = *state;
	auto_client struct client client = client_open(lab, PLAIN);
	auto_answer struct answer answer = client_get(&client, "/broken");

	assert_int_equal(answer.status, 200);
	assert_false(answer.whole);
	assert_true(client_sees_fin(&client));
	assert_true(lab_await_done(lab, 1).cut);
}

static void a_file_that_is_too_short_has_no_end(void **state)
{
	struct lab *lab = *state;

	for (unsigned door = 0; door < LAB_DOORS; door++) {
		auto_client struct client client = client_open(lab, door);
		auto_answer struct answer answer =
			client_get(&client, "/short");

		assert_int_equal(answer.status, 200);
		assert_false(answer.whole);
		assert_true(client_sees_fin(&client));
		assert_true(lab_await_done(lab, door + 1).cut);
	}
}

static void a_value_does_not_split_a_response(void **state)
{
	auto_client struct client client = client_open(*state, PLAIN);
	auto_answer struct answer answer = client_get(&client, "/split");

	assert_int_equal(answer.status, 204);
	assert_true(span_is(answer_header(&answer, "X-Split"), "a??X-Evil: ?"));
	assert_null(answer_header(&answer, "X-Evil").at);
	assert_null(answer_header(&answer, "Content-Length").at);
	auto_answer struct answer next = client_get(&client, "/small");
	assert_true(answer_is(&next, 200, "small"));
}

static void a_peer_is_shown_as_ipv4(void **state)
{
	auto_client struct client client = client_open(*state, PLAIN);
	auto_answer struct answer answer = client_get(&client, "/peer");

	assert_true(span_starts(buf_span(&answer.body), "127.0.0.1:"));
}

static void connections_are_spread_evenly(void **state)
{
	struct client clients[8];
	struct span first = SPAN_NONE;
	struct answer answers[8];
	unsigned same = 0;

	for (size_t i = 0; i < array_size(clients); i++) {
		clients[i] = client_open(*state, PLAIN);
		answers[i] = client_get(&clients[i], "/reactor");
		if (i == 0)
			first = buf_span(&answers[0].body);
		same += span_eq(buf_span(&answers[i].body), first);
	}
	for (size_t i = 0; i < array_size(clients); i++) {
		client_close(&clients[i]);
		answer_free(&answers[i]);
	}
	assert_int_equal(same, 4);
}

/* ------------------------------------------------------------ growing files */

static void a_growing_file_is_sent_as_it_grows(void **state)
{
	struct lab *lab = *state;
	auto_client struct client client = client_open(lab, PLAIN);

	client_say(&client, "GET /growing HTTP/1.1\r\nHost: a\r\n\r\n");
	lab_grow(lab, 10);
	assert_true(client_receives(&client, 100)); /* the head, at least */
	lab_grow(lab, LARGE / 2);
	assert_true(client_receives(&client, LARGE / 2));
	lab_grow(lab, LARGE);
	auto_answer struct answer answer = client_answer(&client, false);
	assert_true(answer.whole);
	assert_true(answer_is_pattern(&answer, LARGE));
}

/* A byte a call, too often for a bell each: then nothing more is written. */
static void what_came_before_a_silence_is_sent(void **state)
{
	struct lab *lab = *state;
	auto_client struct client client = client_open(lab, PLAIN);

	client_say(&client, "GET /growing HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(client_receives(&client, 20));
	size_t head = client.in.len;
	for (int i = 1; i <= 1000; i++)
		lab_grow(lab, i);
	assert_true(client_receives(&client, head + 1000));
	lab_grow(lab, LARGE);
	auto_answer struct answer answer = client_answer(&client, false);
	assert_true(answer_is_pattern(&answer, LARGE));
}

static void a_file_of_unknown_size_comes_in_chunks(void **state)
{
	struct lab *lab = *state;
	auto_client struct client client = client_open(lab, SECURE);

	client_say(&client, "GET /unsized HTTP/1.1\r\nHost: a\r\n\r\n");
	lab_grow(lab, 1000);
	assert_true(client_receives(&client, 1000));
	lab_grow(lab, LARGE / 2);
	growing_finish(lab->growing, LARGE / 2);
	auto_answer struct answer answer = client_answer(&client, false);
	assert_true(answer.whole);
	assert_true(answer_is_pattern(&answer, LARGE / 2));
}

static void a_file_that_breaks_ends_by_fin_before_the_last_byte(void **state)
{
	struct lab *lab = *state;
	auto_client struct client client = client_open(lab, PLAIN);
	struct err why;

	client_say(&client, "GET /growing HTTP/1.1\r\nHost: a\r\n\r\n");
	/* Unread bytes on our side must not make a reset of it. */
	client_say(&client, "GET /small HTTP/1.1\r\nHost: a\r\n\r\n");
	lab_grow(lab, LARGE - 1);
	assert_true(client_receives(&client, LARGE - 1));
	(void)err_set(&why, ERR_CORRUPT, "as it was meant to");
	growing_break(lab->growing, &why);
	auto_answer struct answer answer = client_answer(&client, false);
	assert_int_equal(answer.status, 200);
	assert_false(answer.whole);
	assert_true(answer_is_pattern(&answer, LARGE - 1));
	assert_true(client_sees_fin(&client));
	assert_true(lab_await_done(lab, 1).cut);
}

/* Without chunks a FIN would be the end of the file. */
static void an_http_1_0_client_sees_a_reset_when_a_file_breaks(void **state)
{
	struct lab *lab = *state;
	auto_client struct client client = client_open(lab, PLAIN);
	struct err why;

	client_say(&client, "GET /unsized HTTP/1.0\r\n\r\n");
	lab_grow(lab, 1000);
	assert_true(client_receives(&client, 1000));
	(void)err_set(&why, ERR_CORRUPT, "as it was meant to");
	growing_break(lab->growing, &why);
	assert_false(client_sees_fin(&client));
	assert_true(lab_await_done(lab, 1).cut);
}

static void a_file_shorter_than_promised_is_cut(void **state)
{
	struct lab *lab = *state;
	auto_client struct client client = client_open(lab, PLAIN);

	client_say(&client, "GET /growing HTTP/1.1\r\nHost: a\r\n\r\n");
	lab_grow(lab, 100);
	growing_finish(lab->growing, 100);
	auto_answer struct answer answer = client_answer(&client, false);
	assert_false(answer.whole);
	assert_true(client_sees_fin(&client));
}

static void a_client_that_leaves_while_waiting_is_noticed(void **state)
{
	struct lab *lab = *state;

	{
		auto_client struct client client = client_open(lab, PLAIN);
		struct linger reset = { .l_onoff = 1 };

		client_say(&client, "GET /growing HTTP/1.1\r\nHost: a\r\n\r\n");
		assert_true(client_receives(&client, 100));
		setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &reset,
			   sizeof(reset));
	}
	assert_true(lab_await_done(lab, 1).cut);
}

static void more_cores_than_64_are_no_trouble(void **state)
{
	struct lab *lab = *state;

	lab_reopen(lab, &(struct http_options){ .reactors = 65 });
	auto_client struct client client = client_open(lab, PLAIN);
	auto_answer struct answer answer = client_get(&client, "/small");
	assert_true(answer_is(&answer, 200, "small"));
}

static unsigned entries(const char *path)
{
	DIR *folder = opendir(path);
	unsigned count = 0;

	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

static unsigned threads(void)
{
	return entries("/proc/self/task");
}

/* A file that is deleted meanwhile must not live on in an idle engine. */
static void a_file_is_let_go_when_it_was_sent(void **state)
{
	auto_client struct client client = client_open(*state, PLAIN);
	auto_answer struct answer first = client_get(&client, "/small");
	int64_t deadline_ms = clock_ms() + PATIENCE_MS;
	unsigned before = entries("/proc/self/fd");

	assert_int_equal(first.status, 200);
	auto_answer struct answer answer = client_get(&client, "/file");
	assert_true(answer_is_pattern(&answer, LARGE));
	while (entries("/proc/self/fd") > before)
		assert_true(clock_ms() < deadline_ms);
}

/* Twice as many descriptors are open in this one process. */
enum { READERS = 1000 };

static void a_thousand_readers_need_no_thread(void **state)
{
	struct lab *lab = *state;
	struct client *readers = mem_array(READERS, sizeof(*readers));
	unsigned before = threads();

	for (int i = 0; i < READERS; i++) {
		readers[i] = client_open(lab, PLAIN);
		client_say(&readers[i],
			   "GET /unsized HTTP/1.1\r\nHost: a\r\n\r\n");
	}
	for (int i = 0; i < READERS; i++)
		assert_true(client_receives(&readers[i], 100));
	for (int step = 1; step <= 4; step++)
		lab_grow(lab, step * 1000);
	growing_finish(lab->growing, 4000);
	for (int i = 0; i < READERS; i++) {
		auto_answer struct answer answer =
			client_answer(&readers[i], false);

		assert_true(answer.whole);
		assert_true(answer_is_pattern(&answer, 4000));
	}
	assert_int_equal(threads(), before);
	for (int i = 0; i < READERS; i++)
		client_close(&readers[i]);
	free(readers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(a_connection_is_used_again),
		promise(pipelined_requests_are_answered_in_order),
		promise(head_gets_the_headers_of_get_and_no_body),
		promise(http_1_0_is_answered_and_closed),
		promise(http_1_0_gets_a_stream_without_chunks),
		promise(bodies_in_memory_and_in_files_come_whole),
		promise(parts_of_a_file_come_in_one_answer),
		promise(a_body_is_read_in_both_framings),
		promise(large_bodies_are_read_over_both_doors),
		promise(broken_chunks_are_the_handlers_error),
		promise(a_client_may_wait_for_100_continue),
		promise(a_refused_client_is_not_told_to_continue),
		promise(an_early_answer_is_seen_and_ends_by_fin),
		promise(who_reads_only_after_writing_sees_the_answer),
		promise(an_unread_body_that_is_here_costs_no_connection),
		promise(a_stream_that_breaks_has_no_end),
		promise(a_file_that_is_too_short_has_no_end),
		promise(a_value_does_not_split_a_response),
		promise(a_peer_is_shown_as_ipv4),
		promise(connections_are_spread_evenly),
		promise(a_growing_file_is_sent_as_it_grows),
		promise(what_came_before_a_silence_is_sent),
		promise(a_file_of_unknown_size_comes_in_chunks),
		promise(a_file_that_breaks_ends_by_fin_before_the_last_byte),
		promise(an_http_1_0_client_sees_a_reset_when_a_file_breaks),
		promise(a_file_shorter_than_promised_is_cut),
		promise(a_client_that_leaves_while_waiting_is_noticed),
		promise(more_cores_than_64_are_no_trouble),
		promise(a_file_is_let_go_when_it_was_sent),
		promise(a_thousand_readers_need_no_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
