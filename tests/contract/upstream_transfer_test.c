/*
 * Promises of upstream/upstream.h: a broken transfer is invisible.
 */
#include "base/clock.h"
#include "upstream_lab.h"

/* --------------------------------------------------------------- resuming */

static void a_cut_transfer_resumes(void **state)
{
	struct lab *lab = *state;

	lab_connect(lab, NULL, false);
	fake_answer(lab->server, FAKE_CUT, WHOLE "012");
	fake_answer(lab->server, FAKE_CUT,
		    PART("3-9/10") "Content-Length: 7\r\n\r\n3");
	fake_answer(lab->server, FAKE_KEEP,
		    PART("4-9/10") "Content-Length: 6\r\n\r\n456789");
	assert_fetched(lab);
	assert_not_asked(lab->server, 0, "Range");
	assert_asked(lab->server, 1, "Range: bytes=3-\r\n");
	assert_asked(lab->server, 2, "Range: bytes=4-\r\n");
	assert_int_equal(lab->basket.size, 10);
	assert_int_equal(lab->basket.restarts, 0);
}

static void a_transfer_goes_on_where_another_stopped(void **state)
{
	struct lab *lab = *state;

	lab_connect(lab, NULL, false);
	fake_answer(lab->server, FAKE_KEEP,
		    PART("4-9/10") "Content-Length: 6\r\n\r\n456789");
	assert_int_equal(lab_fetch(lab, 4), 0);
	assert_asked(lab->server, 0, "Range: bytes=4-\r\n");
	assert_true(span_is(buf_span(&lab->basket.bytes), "456789"));
	assert_int_equal(lab->basket.size, 10);
}

static void exactly_the_part_that_is_wanted_is_asked_for(void **state)
{
	struct lab *lab = *state;

	lab_connect(lab, NULL, false);
	lab->end = 7;
	fake_answer(lab->server, FAKE_CUT,
		    PART("4-6/10") "Content-Length: 3\r\n\r\n45");
	fake_answer(lab->server, FAKE_KEEP,
		    PART("6-6/10") "Content-Length: 1\r\n\r\n6");
	assert_int_equal(lab_fetch(lab, 4), 0);
	assert_asked(lab->server, 0, "Range: bytes=4-6\r\n");
	assert_asked(lab->server, 1, "Range: bytes=6-6\r\n");
	assert_true(span_is(buf_span(&lab->basket.bytes), "456"));

	fake_answer(lab->server, FAKE_KEEP,
		    PART("0-6/10") "Content-Length: 7\r\n\r\n0123456");
	assert_int_equal(lab_fetch(lab, 0), 0);
	assert_asked(lab->server, 2, "Range: bytes=0-6\r\n");
	assert_true(span_is(buf_span(&lab->basket.bytes), "0123456"));
}

static void more_than_the_part_that_is_wanted_is_not_taken(void **state)
{
	struct lab *lab = *state;

	lab_connect(lab, NULL, false);
	lab->end = 7;
	fake_answer(lab->server, FAKE_KEEP, WHOLE BLOB);
	assert_int_equal(lab_fetch(lab, 4), 0);
	assert_int_equal(lab->basket.restarts, 1);
	assert_true(span_is(buf_span(&lab->basket.bytes), "0123456"));
	assert_int_equal(fake_request_count(lab->server), 1);
}

static void a_known_size_shows_where_an_answer_without_one_broke(void **state)
{
	struct lab *lab = *state;

	lab_connect(lab, NULL, false);
	lab->size = 10;
	fake_answer(lab->server, FAKE_CUT, OK "\r\n01234");
	fake_answer(lab->server, FAKE_KEEP,
		    PART("5-9/10") "Content-Length: 5\r\n\r\n56789");
	assert_fetched(lab);
	assert_asked(lab->server, 1, "Range: bytes=5-\r\n");
}

static void another_size_than_the_known_one_is_refused(void **state)
{
	struct lab *lab = *state;

	lab_connect(lab, fake_url(lab->elsewhere), false);
	lab->size = 10;
	fake_answer(lab->elsewhere, FAKE_CUT,
		    OK "Content-Length: 4\r\n\r\n0123");
	fake_answer(lab->server, FAKE_KEEP, WHOLE BLOB);
	assert_fetched(lab);
}

static void an_answer_that_ends_early_resumes(void **state)
{
	struct lab *lab = *state;

	lab_connect(lab, NULL, false);
	fake_answer(lab->server, FAKE_CUT, WHOLE "01");
	fake_answer(lab->server, FAKE_KEEP,
		    PART("2-4/10") "Content-Length: 3\r\n\r\n234");
	fake_answer(lab->server, FAKE_KEEP,
		    PART("5-9/10") "Content-Length: 5\r\n\r\n56789");
	assert_fetched(lab);
	assert_asked(lab->server, 2, "Range: bytes=5-\r\n");
}

static void an_ignored_range_starts_again(void **state)
{
	struct lab *lab = *state;

	lab_connect(lab, NULL, false);
	fake_answer(lab->server, FAKE_CUT, WHOLE "01234");
	fake_answer(lab->server, FAKE_KEEP, WHOLE BLOB);
	assert_fetched(lab);
	assert_asked(lab->server, 1, "Range: bytes=5-\r\n");
	assert_int_equal(lab->basket.restarts, 1);
}

/* The last attempt may have had no time left for its answer. */
static void assert_gives_up(struct lab *lab)
{
	assert_int_equal(lab_fetch(lab, 0), -1);
	assert_true(lab->e.kind == ERR_UPSTREAM || lab->e.kind == ERR_TIMEOUT);
}

static void breaking_at_the_same_place_comes_to_an_end(void **state)
{
	struct lab *lab = *state;

	lab_connect(lab, NULL, false);
	for (int i = 0; i < 100; i++)
		fake_answer(lab->server, FAKE_CUT, WHOLE "01234");
	assert_gives_up(lab);
	assert_true(fake_request_count(lab->server) < 10);
}

static void another_range_is_refused_and_asked_again(void **state)
{
	static const char *const parts[] = {
		PART("0-9/10") "Content-Length: 10\r\n\r\n" BLOB,
		PART("6-9/10") "Content-Length: 4\r\n\r\n6789",
		PART("5-9/11") "Content-Length: 5\r\n\r\n56789",
		PART("5-9/9") "Content-Length: 5\r\n\r\n56789",
		"HTTP/1.1 206 P\r\nContent-Length: 5\r\n\r\n56789",
		OK "Content-Length: 11\r\n\r\n" BLOB "x",
	};
	struct lab *lab = *state;

	lab_connect(lab, NULL, false);
	for (size_t i = 0; i < array_size(parts); i++) {
		size_t asked_before = fake_request_count(lab->server);

		fake_answer(lab->server, FAKE_CUT, WHOLE "01234");
		fake_answer(lab->server, FAKE_CUT, "%s", parts[i]);
		fake_answer(lab->server, FAKE_KEEP,
			    PART("5-9/10") "Content-Length: 5\r\n\r\n56789");
		assert_fetched(lab);
		assert_int_equal(lab->basket.restarts, 0);
		assert_int_equal(fake_request_count(lab->server) - asked_before,
				 3);
	}
}

static void a_part_that_was_not_asked_is_refused(void **state)
{
	struct lab *lab = *state;

	lab_connect(lab, NULL, false);
	fake_answer(lab->server, FAKE_CUT,
		    PART("0-9/10") "Content-Length: 10\r\n\r\n" BLOB);
	fake_answer(lab->server, FAKE_KEEP, WHOLE BLOB);
	assert_fetched(lab);
}

static void nothing_behind_the_last_byte_is_the_whole(void **state)
{
	struct lab *lab = *state;

	lab_connect(lab, NULL, false);
	fake_answer(lab->server, FAKE_KEEP,
		    EMPTY("416 R") "Content-Range: bytes */10\r\n\r\n");
	assert_int_equal(lab_fetch(lab, 10), 0);
	assert_int_equal(lab->basket.size, 10);
	assert_int_equal(lab->basket.starts, 1);
	assert_int_equal(lab->basket.restarts, 0);
}

static void more_than_upstream_has_starts_again(void **state)
{
	struct lab *lab = *state;

	lab_connect(lab, NULL, false);
	fake_answer(lab->server, FAKE_KEEP,
		    EMPTY("416 R") "Content-Range: bytes */10\r\n\r\n");
	fake_answer(lab->server, FAKE_KEEP, WHOLE BLOB);
	assert_int_equal(lab_fetch(lab, 12), 0);
	assert_not_asked(lab->server, 1, "Range");
	assert_int_equal(lab->basket.restarts, 1);
	assert_true(span_is(buf_span(&lab->basket.bytes), BLOB));
}

static void silence_is_a_break(void **state)
{
	struct lab *lab = *state;
	int64_t start = clock_ms();

	lab_connect(lab, NULL, false);
	fake_answer(lab->server, FAKE_SILENCE, WHOLE "012");
	fake_answer(lab->server, FAKE_KEEP,
		    PART("3-9/10") "Content-Length: 7\r\n\r\n3456789");
	assert_fetched(lab);
	assert_true(clock_ms() - start >= 200);
	assert_true(clock_ms() - start < 2000);
}

static void who_sends_too_slowly_makes_place_for_the_next(void **state)
{
	struct lab *lab = *state;
	int64_t start = clock_ms();

	lab->pace_ms = 1000;
	lab_connect(lab, fake_url(lab->elsewhere), false);
	fake_answer(lab->elsewhere, FAKE_SILENCE, WHOLE "012");
	fake_answer(lab->server, FAKE_KEEP,
		    PART("3-9/10") "Content-Length: 7\r\n\r\n3456789");
	assert_fetched(lab);
	assert_true(clock_ms() - start >= 1000);
	assert_true(clock_ms() - start < 8000); /* silence is no break here */
	assert_int_equal(fake_request_count(lab->elsewhere), 1);
	assert_asked(lab->server, 0, "Range: bytes=3-\r\n");
}

static void without_progress_it_gives_up(void **state)
{
	struct lab *lab = *state;
	int64_t start = clock_ms();

	lab_connect(lab, NULL, false);
	fake_answer(lab->server, FAKE_CUT, WHOLE "012");
	for (int i = 0; i < 50; i++)
		fake_answer(lab->server, FAKE_KEEP, EMPTY("500 B") "\r\n");
	assert_gives_up(lab);
	assert_true(clock_ms() - start >= 500);
	assert_true(clock_ms() - start < 3000);
	assert_true(fake_request_count(lab->server) > 2);
	assert_true(span_is(buf_span(&lab->basket.bytes), "012"));
}

/* Between two attempts is a tenth of a second: these take 0.9 s. */
static void a_byte_at_a_time_is_no_progress(void **state)
{
	struct lab *lab = *state;

	lab->pace_ms = 300;
	lab_connect(lab, NULL, false);
	fake_answer(lab->server, FAKE_CUT, WHOLE "0");
	for (int i = 1; i < 10; i++)
		fake_answer(lab->server, FAKE_CUT,
			    PART("%d-9/10") "Content-Length: %d\r\n\r\n%c", i,
			    10 - i, BLOB[i]);
	assert_fails(lab, lab_fetch(lab, 0), ERR_TIMEOUT);
	assert_non_null(strstr(lab->e.message, "breaks again and again"));
}

static void more_bytes_than_the_size_are_refused(void **state)
{
	struct lab *lab = *state;

	lab_connect(lab, NULL, false);
	fake_answer(lab->server, FAKE_CUT, WHOLE "01234");
	fake_answer(
		lab->server, FAKE_KEEP,
		PART("5-9/10") "Transfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n0\r\n\r\n");
	fake_answer(lab->server, FAKE_KEEP,
		    PART("5-9/10") "Content-Length: 5\r\n\r\n56789");
	assert_fetched(lab);
}

static void a_blob_of_unknown_size_ends_with_its_last_chunk(void **state)
{
	struct lab *lab = *state;

	lab_connect(lab, NULL, false);
	fake_answer(lab->server, FAKE_KEEP,
		    "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" OK
		    "Transfer-Encoding: chunked\r\nTrailer: X\r\n\r\n"
		    "4\r\n0123\r\n6\r\n456789\r\n0\r\nX: y\r\n\r\n");
	assert_fetched(lab);
	assert_int_equal(lab->basket.size, -1);
}

static void a_cut_chunked_blob_is_not_whole(void **state)
{
	struct lab *lab = *state;

	lab_connect(lab, NULL, false);
	fake_answer(lab->server, FAKE_CUT,
		    OK "Transfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n");
	fake_answer(lab->server, FAKE_KEEP,
		    PART("4-9/10") "Content-Length: 6\r\n\r\n456789");
	assert_fetched(lab);
}

static void an_empty_blob_is_a_blob(void **state)
{
	struct lab *lab = *state;

	lab_connect(lab, NULL, false);
	fake_answer(lab->server, FAKE_KEEP, EMPTY("200 OK") "\r\n");
	assert_int_equal(lab_fetch(lab, 0), 0);
	assert_int_equal(lab->basket.size, 0);
	assert_int_equal(lab->basket.starts, 1);
}

static void a_full_disk_ends_the_transfer_at_once(void **state)
{
	struct lab *lab = *state;

	lab_connect(lab, NULL, false);
	lab->basket.room = 4;
	fake_answer(lab->server, FAKE_KEEP, WHOLE BLOB);
	assert_fails(lab, lab_fetch(lab, 0), ERR_NO_SPACE);
	assert_string_equal(lab->e.message, "the basket is full");
	assert_int_equal(fake_request_count(lab->server), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(a_cut_transfer_resumes),
		promise(a_transfer_goes_on_where_another_stopped),
		promise(exactly_the_part_that_is_wanted_is_asked_for),
		promise(more_than_the_part_that_is_wanted_is_not_taken),
		promise(a_known_size_shows_where_an_answer_without_one_broke),
		promise(another_size_than_the_known_one_is_refused),
		promise(an_answer_that_ends_early_resumes),
		promise(an_ignored_range_starts_again),
		promise(breaking_at_the_same_place_comes_to_an_end),
		promise(another_range_is_refused_and_asked_again),
		promise(a_part_that_was_not_asked_is_refused),
		promise(nothing_behind_the_last_byte_is_the_whole),
		promise(more_than_upstream_has_starts_again),
		promise(silence_is_a_break),
		promise(who_sends_too_slowly_makes_place_for_the_next),
		promise(without_progress_it_gives_up),
		promise(a_byte_at_a_time_is_no_progress),
		promise(more_bytes_than_the_size_are_refused),
		promise(a_blob_of_unknown_size_ends_with_its_last_chunk),
		promise(a_cut_chunked_blob_is_not_whole),
		promise(an_empty_blob_is_a_blob),
		promise(a_full_disk_ends_the_transfer_at_once),
	};

	lab_prepare();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
