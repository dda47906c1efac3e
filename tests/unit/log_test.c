/*
 * Promises of base/log.h. Standard error is a pipe while they are kept.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/thread.h"

struct capture {
	int saved; /* the real standard error */
	int reading;
	struct buf text;
	struct thread reader;
};

static void capture_read(void *arg)
{
	struct capture *capture = arg;
	char piece[4096];
	ssize_t got;

	while ((got = read(capture->reading, piece, sizeof(piece))) > 0)
		buf_add(&capture->text, span_make(piece, (size_t)got));
}

static void capture_begin(struct capture *capture)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	*capture = (struct capture){ .reading = ends[0] };
	capture->saved = dup(STDERR_FILENO);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
}

/* From here on somebody reads the pipe. */
static void capture_drain(struct capture *capture)
{
	thread_start(&capture->reader, "reader", capture_read, capture);
}

static void capture_end(struct capture *capture)
{
	dup2(capture->saved, STDERR_FILENO);
	close(capture->saved);
	thread_join(&capture->reader);
	close(capture->reading);
}

/* What stands behind "event=" in the only line that `line` becomes. */
static char *sent(struct log_line *line)
{
	struct capture capture;
	const char *event;

	capture_begin(&capture);
	log_send(line);
	capture_drain(&capture);
	capture_end(&capture);
	event = capture.text.len ? strstr(capture.text.at, "event=") : "";
	assert_non_null(event);
	char *copy = strdup(event);
	buf_free(&capture.text);
	return copy;
}

static char *sent_value(struct span value)
{
	struct log_line line;

	log_begin(&line, LOG_INFO, "e");
	log_span(&line, "v", value);
	return sent(&line);
}

static void a_line_is_built_field_by_field(void **state)
{
	struct log_line line;
	struct err e;

	(void)state;
	log_begin(&line, LOG_WARN, "pull");
	log_text(&line, "repository", "library/nginx");
	log_number(&line, "bytes", -5);
	err_set(&e, ERR_NO_SPACE, "disk full");
	log_err(&line, &e);
	auto_free char *text = sent(&line);
	assert_string_equal(text, "event=pull repository=library/nginx "
				  "bytes=-5 error=\"disk full\" "
				  "kind=no-space\n");
}

static void a_line_begins_with_time_and_level(void **state)
{
	struct capture capture;

	(void)state;
	capture_begin(&capture);
	log_say(LOG_ERROR, "started", "port %d", 5000);
	capture_drain(&capture);
	capture_end(&capture);
	assert_memory_equal(capture.text.at, "time=2", 6);
	assert_true(span_ends(buf_span(&capture.text),
			      "Z level=error event=started "
			      "message=\"port 5000\"\n"));
	buf_free(&capture.text);
}

static void values_are_quoted_where_needed(void **state)
{
	static const struct {
		struct span value;
		const char *line;
	} rows[] = {
		{ SPAN("sha256:ab/c?d"), "event=e v=sha256:ab/c?d\n" },
		{ SPAN(""), "event=e v=\"\"\n" },
		{ SPAN_NONE, "event=e v=\"\"\n" },
		{ SPAN("a b"), "event=e v=\"a b\"\n" },
		{ SPAN("a=b"), "event=e v=\"a=b\"\n" },
		{ SPAN("say \"x\""), "event=e v=\"say \\\"x\\\"\"\n" },
		{ SPAN("a\\b"), "event=e v=\"a\\\\b\"\n" },
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		auto_free char *text = sent_value(rows[i].value);
		assert_string_equal(text, rows[i].line);
	}
}

static void no_control_character_reaches_the_terminal(void **state)
{
	auto_free char *text = sent_value(SPAN("\n\033[2J\x9b\x7f\0"));

	(void)state;
	assert_string_equal(text,
			    "event=e v=\"\\x0a\\x1b[2J\\x9b\\x7f\\x00\"\n");
}

static void a_field_that_does_not_fit_is_left_out(void **state)
{
	char wide[2000];
	struct log_line line;

	(void)state;
	memset(wide, 'w', sizeof(wide));
	log_begin(&line, LOG_INFO, "e");
	log_span(&line, "wide", span_make(wide, sizeof(wide)));
	log_number(&line, "still", 1);
	auto_free char *text = sent(&line);
	assert_string_equal(text, "event=e still=1\n");
}

static void a_line_may_be_full_to_its_last_byte(void **state)
{
	struct log_line line;

	(void)state;
	log_begin(&line, LOG_INFO, "e");
	for (int i = 0; i < 1000; i++)
		log_text(&line, "k", "");
	for (int i = 0; i < 1000; i++)
		log_text(&line, "", "v");
	auto_free char *text = sent(&line);
	assert_int_equal(text[strlen(text) - 1], '\n');
	assert_in_range(line.len, sizeof(line.text) - 3, sizeof(line.text));
}

static void lines_below_the_level_are_not_sent(void **state)
{
	struct log_line line;

	(void)state;
	log_begin(&line, LOG_DEBUG, "e");
	log_text(&line, "k", "v");
	auto_free char *text = sent(&line);
	assert_string_equal(text, "");
}

static void closing_writes_out_what_is_queued_in_order(void **state)
{
	struct capture capture;

	(void)state;
	capture_begin(&capture);
	capture_drain(&capture);
	log_open(LOG_DEBUG);
	for (int i = 0; i < 1000; i++)
		log_say(LOG_DEBUG, "queued", "%d", i);
	log_close();
	capture_end(&capture);

	struct span rest = buf_span(&capture.text);
	for (int i = 0; i < 1000; i++) {
		char last[32];

		snprintf(last, sizeof(last), "message=%d", i);
		assert_true(span_ends(span_cut(&rest, '\n'), last));
	}
	assert_int_equal(rest.len, 0);
	buf_free(&capture.text);
}

static long dropped_said(const char *text)
{
	long sum = 0;
	static const char notice[] = "level=warn event=log-dropped lines=";

	while ((text = strstr(text, notice))) {
		text += strlen(notice);
		sum += strtol(text, NULL, 10);
	}
	return sum;
}

static long lines_of(const struct buf *text, const char *part)
{
	long count = 0;

	for (const char *at = text->at; (at = strstr(at, part)); at++)
		count++;
	return count;
}

/* 4 MiB of lines go into a pipe that nobody reads. */
static void nobody_waits_for_a_pipe_that_is_full(void **state)
{
	struct capture capture;
	int64_t before = metric_read(METRIC_LOG_DROPPED);

	(void)state;
	capture_begin(&capture);
	log_open(LOG_INFO);
	for (int i = 0; i < 4096; i++)
		log_say(LOG_INFO, "flood", "%01000d", i);
	assert_true(metric_read(METRIC_LOG_DROPPED) > before);

	capture_drain(&capture);
	log_close();
	capture_end(&capture);

	int64_t dropped = metric_read(METRIC_LOG_DROPPED) - before;
	assert_int_equal(dropped_said(capture.text.at), dropped);
	assert_int_equal(lines_of(&capture.text, "event=flood"),
			 4096 - dropped);
	buf_free(&capture.text);
}

static void say_many(void *arg)
{
	for (int i = 0; i < 500; i++)
		log_say(LOG_INFO, "crowd", "%s", (const char *)arg);
}

static void lines_of_many_threads_do_not_mix(void **state)
{
	static char names[4][8] = { "one", "two", "three", "four" };
	struct thread threads[4];
	struct capture capture;

	(void)state;
	capture_begin(&capture);
	capture_drain(&capture);
	log_open(LOG_INFO);
	for (size_t i = 0; i < array_size(threads); i++)
		thread_start(&threads[i], names[i], say_many, names[i]);
	for (size_t i = 0; i < array_size(threads); i++)
		thread_join(&threads[i]);
	log_close();
	capture_end(&capture);

	struct span rest = buf_span(&capture.text);
	int count = 0;
	for (; rest.len; count++) {
		struct span line = span_cut(&rest, '\n');

		assert_true(span_starts(line, "time="));
		assert_true(
			span_ends(line, "=one") || span_ends(line, "=two") ||
			span_ends(line, "=three") || span_ends(line, "=four"));
	}
	assert_int_equal(count, 2000);
	buf_free(&capture.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_built_field_by_field),
		cmocka_unit_test(a_line_begins_with_time_and_level),
		cmocka_unit_test(values_are_quoted_where_needed),
		cmocka_unit_test(no_control_character_reaches_the_terminal),
		cmocka_unit_test(a_field_that_does_not_fit_is_left_out),
		cmocka_unit_test(a_line_may_be_full_to_its_last_byte),
		cmocka_unit_test(lines_below_the_level_are_not_sent),
		cmocka_unit_test(closing_writes_out_what_is_queued_in_order),
		cmocka_unit_test(nobody_waits_for_a_pipe_that_is_full),
		cmocka_unit_test(lines_of_many_threads_do_not_mix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
