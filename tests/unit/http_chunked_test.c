/*
 * Promises of http/frame.h: where a body ends, however its bytes are cut.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/buf.h"
#include "http/frame.h"

struct shape {
	const char *what;
	struct span bytes;
	enum frame_event end; /* FRAME_MORE: not there yet */
	const char *body;
	const char *rest;
};

/* Gives the bytes in pieces of `step`; what was not taken is `rest_out`. */
static enum frame_event read_all(struct frame *frame, struct span bytes,
				 size_t step, struct buf *body,
				 struct span *rest_out)
{
	enum frame_event event = FRAME_MORE;
	size_t given = 0;
	struct span in = span_make(bytes.at, 0), data;

	for (;;) {
		event = frame_next(frame, &in, 3, &data);
		if (event == FRAME_DATA) {
			buf_add(body, data);
		} else if (event != FRAME_MORE || given == bytes.len) {
			*rest_out = span_from(bytes, given - in.len);
			return event;
		} else {
			size_t len = bytes.len - given;

			in = span_make(bytes.at + given,
				       len < step ? len : step);
			given += in.len;
		}
	}
}

static void try(const struct shape *shape, int64_t size, size_t step)
{
	auto_buf struct buf body = { 0 };
	struct frame frame;
	struct span rest;

	frame_open(&frame, size);
	enum frame_event end =
		read_all(&frame, shape->bytes, step, &body, &rest);
	if (end != shape->end)
		fail_msg("%s, by %zu: event %d, not %d", shape->what, step, end,
			 shape->end);
	if (end == FRAME_BAD)
		return;
	assert_true(span_is(buf_span(&body), shape->body));
	assert_true(span_is(rest, shape->rest));
}

static void try_all(const struct shape *shapes, size_t count, int64_t size)
{
	for (size_t i = 0; i < count; i++)
		for (size_t step = 1; step < 12; step++)
			try(&shapes[i], size, step);
}

/* clang-format off */
static void chunks_end_with_an_empty_one(void **state)
{
	static const struct shape shapes[] = {
		{ "nothing", SPAN("0\r\n\r\n"), FRAME_END, "", "" },
		{ "one", SPAN("3\r\nabc\r\n0\r\n\r\n"), FRAME_END, "abc", "" },
		{ "two", SPAN("3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"), FRAME_END, "abcd", "" },
		{ "hexadecimal", SPAN("0A\r\n0123456789\r\n00\r\n\r\n"), FRAME_END, "0123456789", "" },
		{ "an extension", SPAN("1;a=\"b\"\r\nc\r\n0;d\r\n\r\n"), FRAME_END, "c", "" },
		{ "a trailer", SPAN("1\r\nc\r\n0\r\nA: b\r\nC: d\r\n\r\n"), FRAME_END, "c", "" },
		{ "the next request", SPAN("0\r\n\r\nGET /"), FRAME_END, "", "GET /" },
		{ "a chunk that is CR LF", SPAN("2\r\n\r\n\r\n0\r\n\r\n"), FRAME_END, "\r\n", "" },
		{ "half", SPAN("3\r\nab"), FRAME_MORE, "ab", "" },
		{ "no last line", SPAN("3\r\nabc\r\n0\r\n"), FRAME_MORE, "abc", "" },
	};

	(void)state;
	try_all(shapes, sizeof(shapes) / sizeof(*shapes), -1);
}

static void chunks_have_one_form(void **state)
{
	static const struct shape shapes[] = {
		{ "no size", SPAN("\r\nabc"), FRAME_BAD, 0, 0 },
		{ "only an extension", SPAN(";a\r\nabc"), FRAME_BAD, 0, 0 },
		{ "a sign", SPAN("+3\r\nabc\r\n"), FRAME_BAD, 0, 0 },
		{ "a minus sign", SPAN("-3\r\nabc\r\n"), FRAME_BAD, 0, 0 },
		{ "0x", SPAN("0x3\r\nabc\r\n"), FRAME_BAD, 0, 0 },
		{ "a blank before", SPAN(" 3\r\nabc\r\n"), FRAME_BAD, 0, 0 },
		{ "a blank behind", SPAN("3 \r\nabc\r\n"), FRAME_BAD, 0, 0 },
		{ "an overflow", SPAN("8000000000000000\r\nabc"), FRAME_BAD, 0, 0 },
		{ "an overflow to 3", SPAN("10000000000000003\r\nabc\r\n"), FRAME_BAD, 0, 0 },
		{ "LF behind the size", SPAN("3\nabc\r\n"), FRAME_BAD, 0, 0 },
		{ "CR behind the size", SPAN("3\rabc\r\n"), FRAME_BAD, 0, 0 },
		{ "LF in an extension", SPAN("3;a\nabc\r\n"), FRAME_BAD, 0, 0 },
		{ "NUL in an extension", SPAN("3;\0\r\nabc\r\n"), FRAME_BAD, 0, 0 },
		{ "LF behind the chunk", SPAN("3\r\nabc\n0\r\n\r\n"), FRAME_BAD, 0, 0 },
		{ "CR behind the chunk", SPAN("3\r\nabc\r0\r\n\r\n"), FRAME_BAD, 0, 0 },
		{ "nothing behind the chunk", SPAN("3\r\nabc0\r\n\r\n"), FRAME_BAD, 0, 0 },
		{ "a chunk that is longer", SPAN("3\r\nabcd\r\n0\r\n\r\n"), FRAME_BAD, 0, 0 },
		{ "LF at the very end", SPAN("0\r\n\n"), FRAME_BAD, 0, 0 },
		{ "CR at the very end", SPAN("0\r\n\rx"), FRAME_BAD, 0, 0 },
		{ "LF in the trailer", SPAN("0\r\nA: b\n\r\n"), FRAME_BAD, 0, 0 },
		{ "a folded trailer", SPAN("0\r\n A: b\r\n\r\n"), FRAME_BAD, 0, 0 },
	};

	(void)state;
	try_all(shapes, sizeof(shapes) / sizeof(*shapes), -1);
}

static void a_length_ends_where_it_says(void **state)
{
	static const struct shape shapes[] = {
		{ "whole", SPAN("abcd"), FRAME_END, "abcd", "" },
		{ "half", SPAN("ab"), FRAME_MORE, "ab", "" },
		{ "the next request", SPAN("0\r\n\r\nGET /"), FRAME_END, "0\r\n\r", "\nGET /" },
	};

	(void)state;
	try_all(shapes, sizeof(shapes) / sizeof(*shapes), 4);
}
/* clang-format on */

static void no_body_has_ended_at_once(void **state)
{
	struct frame frame;
	struct span in = SPAN("GET /"), data;

	(void)state;
	frame_open(&frame, 0);
	assert_int_equal(frame_next(&frame, &in, 1, &data), FRAME_END);
	assert_true(span_is(in, "GET /"));
}

/* A size line, or a trailer, may not go on for ever. */
static void what_is_not_body_is_bounded(void **state)
{
	static const char *const starts[] = { "1;", "0", "0\r\nA: " };

	(void)state;
	for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++) {
		auto_buf struct buf text = { 0 };
		auto_buf struct buf body = { 0 };
		struct frame frame;
		struct span rest;

		buf_add(&text, span_of(starts[i]));
		while (text.len < 5000)
			buf_add(&text, SPAN("0"));
		frame_open(&frame, -1);
		assert_int_equal(read_all(&frame, buf_span(&text), 999, &body,
					  &rest),
				 FRAME_BAD);
	}
}

static void what_surely_comes_may_be_read_past_it(void **state)
{
	struct frame frame;
	struct span in = SPAN("5\r\na"), data;

	(void)state;
	frame_open(&frame, -1);
	assert_int_equal(frame_sure(&frame), 0);
	assert_int_equal(frame_next(&frame, &in, 9, &data), FRAME_DATA);
	assert_int_equal(frame_sure(&frame), 4);
	frame_skip(&frame, 4);
	assert_int_equal(frame_sure(&frame), 0);
	in = SPAN("\r\n0\r\n\r\n");
	assert_int_equal(frame_next(&frame, &in, 9, &data), FRAME_END);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chunks_end_with_an_empty_one),
		cmocka_unit_test(chunks_have_one_form),
		cmocka_unit_test(a_length_ends_where_it_says),
		cmocka_unit_test(no_body_has_ended_at_once),
		cmocka_unit_test(what_is_not_body_is_bounded),
		cmocka_unit_test(what_surely_comes_may_be_read_past_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
