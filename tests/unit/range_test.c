/*
 * Promises of oci/range.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "oci/range.h"

#define MAX "9223372036854775807"

struct row {
	const char *header;
	enum range_kind kind;
	struct range range;
};

static void assert_rows(const struct row *rows, size_t count, int64_t size)
{
	for (size_t i = 0; i < count; i++) {
		struct ranges ranges;
		enum range_kind kind =
			range_parse(span_of(rows[i].header), size, &ranges);

		if (kind != rows[i].kind)
			fail_msg("%s: %d", rows[i].header, (int)kind);
		if (kind != RANGE_PARTS)
			continue;
		assert_int_equal(ranges.count, 1);
		assert_int_equal(ranges.parts[0].start, rows[i].range.start);
		assert_int_equal(ranges.parts[0].length, rows[i].range.length);
	}
}

static void a_part_lies_inside_of_what_there_is(void **state)
{
	static const struct row rows[] = {
		{ "bytes=0-0", RANGE_PARTS, { 0, 1 } },
		{ "bytes=0-99", RANGE_PARTS, { 0, 100 } },
		{ "bytes=10-19", RANGE_PARTS, { 10, 10 } },
		{ "bytes=99-99", RANGE_PARTS, { 99, 1 } },
		{ "bytes=90-1000", RANGE_PARTS, { 90, 10 } },
		{ "bytes=90-" MAX, RANGE_PARTS, { 90, 10 } },
		{ "bytes=90-", RANGE_PARTS, { 90, 10 } },
		{ "bytes=0-", RANGE_PARTS, { 0, 100 } },
		{ "bytes=-1", RANGE_PARTS, { 99, 1 } },
		{ "bytes=-100", RANGE_PARTS, { 0, 100 } },
		{ "bytes=-1000", RANGE_PARTS, { 0, 100 } },
		{ "bytes=-" MAX, RANGE_PARTS, { 0, 100 } },
		{ "Bytes=0-0", RANGE_PARTS, { 0, 1 } },
		{ "bytes=0-1,", RANGE_PARTS, { 0, 2 } },
		{ "bytes= ,, 0-1 ,", RANGE_PARTS, { 0, 2 } },
		{ "bytes=0-1,100-,9-5", RANGE_PARTS, { 0, 2 } },
	};

	(void)state;
	assert_rows(rows, array_size(rows), 100);
}

static void what_starts_behind_the_end_is_outside(void **state)
{
	static const struct row rows[] = {
		{ "bytes=100-", RANGE_OUTSIDE, { 0, 0 } },
		{ "bytes=100-200", RANGE_OUTSIDE, { 0, 0 } },
		{ "bytes=" MAX "-", RANGE_OUTSIDE, { 0, 0 } },
		{ "bytes=-0", RANGE_OUTSIDE, { 0, 0 } },
		{ "bytes=9-5", RANGE_OUTSIDE, { 0, 0 } },
		{ "bytes=100-,-0,200-300", RANGE_OUTSIDE, { 0, 0 } },
	};

	(void)state;
	assert_rows(rows, array_size(rows), 100);
}

static void what_is_not_understood_is_ignored(void **state)
{
	static const struct row rows[] = {
		{ NULL, RANGE_WHOLE, { 0, 0 } },
		{ "", RANGE_WHOLE, { 0, 0 } },
		{ "bytes", RANGE_WHOLE, { 0, 0 } },
		{ "bytes=", RANGE_WHOLE, { 0, 0 } },
		{ "bytes=-", RANGE_WHOLE, { 0, 0 } },
		{ "bytes=5", RANGE_WHOLE, { 0, 0 } },
		{ "bytes=,", RANGE_WHOLE, { 0, 0 } },
		{ "bytes=0-1,x", RANGE_WHOLE, { 0, 0 } },
		{ "bytes=0-1;5-9", RANGE_WHOLE, { 0, 0 } },
		{ "bytes=0 -1", RANGE_WHOLE, { 0, 0 } },
		{ "bytes=+1-2", RANGE_WHOLE, { 0, 0 } },
		{ "bytes=--1", RANGE_WHOLE, { 0, 0 } },
		{ "bytes=0x1-2", RANGE_WHOLE, { 0, 0 } },
		{ "bytes 0-1", RANGE_WHOLE, { 0, 0 } },
		{ "lines=0-1", RANGE_WHOLE, { 0, 0 } },
		{ "bytes=9223372036854775808-", RANGE_WHOLE, { 0, 0 } },
		{ "bytes=0-9223372036854775808", RANGE_WHOLE, { 0, 0 } },
	};

	(void)state;
	assert_rows(rows, array_size(rows), 100);
}

static void several_parts_come_as_they_were_asked_for(void **state)
{
	struct ranges ranges;

	(void)state;
	assert_int_equal(range_parse(SPAN("bytes=50-59, 0-0 ,-10,200-"), 100,
				     &ranges),
			 RANGE_PARTS);
	assert_int_equal(ranges.count, 3);
	assert_int_equal(ranges.parts[0].start, 50);
	assert_int_equal(ranges.parts[0].length, 10);
	assert_int_equal(ranges.parts[1].start, 0);
	assert_int_equal(ranges.parts[1].length, 1);
	assert_int_equal(ranges.parts[2].start, 90);
	assert_int_equal(ranges.parts[2].length, 10);
}

static void who_asks_for_too_much_gets_the_whole(void **state)
{
	static const struct row rows[] = {
		{ "bytes=0-9,9-20", RANGE_WHOLE, { 0, 0 } },
		{ "bytes=0-,0-", RANGE_WHOLE, { 0, 0 } },
		{ "bytes=-1,-2", RANGE_WHOLE, { 0, 0 } },
		{ "bytes=10-20,0-99", RANGE_WHOLE, { 0, 0 } },
		{ "bytes=32-32,0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16,"
		  "18-18,20-20,22-22,24-24,26-26,28-28,30-30",
		  RANGE_WHOLE,
		  { 0, 0 } },
	};
	struct ranges ranges;

	(void)state;
	assert_rows(rows, array_size(rows), 100);
	assert_int_equal(
		range_parse(SPAN("bytes=30-30,0-0,2-2,4-4,6-6,8-8,10-10,12-12,"
				 "14-14,16-16,18-18,20-20,22-22,24-24,26-26,"
				 "28-28"),
			    100, &ranges),
		RANGE_PARTS);
	assert_int_equal(ranges.count, 16);
}

static void in_ascending_order_there_may_be_many(void **state)
{
	auto_buf struct buf header = { 0 };
	struct ranges ranges;

	(void)state;
	buf_add(&header, SPAN("bytes=0-0"));
	for (int i = 1; i < RANGES_MOST; i++)
		buf_addf(&header, ",%d-%d", 2 * i, 2 * i);
	assert_int_equal(range_parse(buf_span(&header), 10000, &ranges),
			 RANGE_PARTS);
	assert_int_equal(ranges.count, RANGES_MOST);
	buf_add(&header, SPAN(",9000-"));
	assert_int_equal(range_parse(buf_span(&header), 10000, &ranges),
			 RANGE_WHOLE);
}

static void of_nothing_there_is_no_part(void **state)
{
	static const struct row rows[] = {
		{ "bytes=0-", RANGE_OUTSIDE, { 0, 0 } },
		{ "bytes=0-0", RANGE_OUTSIDE, { 0, 0 } },
		{ "bytes=-5", RANGE_WHOLE, { 0, 0 } },
	};

	(void)state;
	assert_rows(rows, array_size(rows), 0);
}

static void of_an_unknown_size_the_whole_is_answered(void **state)
{
	static const struct row rows[] = {
		{ "bytes=0-0", RANGE_WHOLE, { 0, 0 } },
		{ "bytes=-5", RANGE_WHOLE, { 0, 0 } },
	};

	(void)state;
	assert_rows(rows, array_size(rows), -1);
}

static void the_largest_file_has_a_last_byte(void **state)
{
	static const struct row rows[] = {
		{ "bytes=0-", RANGE_PARTS, { 0, INT64_MAX } },
		{ "bytes=-1", RANGE_PARTS, { INT64_MAX - 1, 1 } },
		{ "bytes=-" MAX, RANGE_PARTS, { 0, INT64_MAX } },
		{ "bytes=" MAX "-", RANGE_OUTSIDE, { 0, 0 } },
	};

	(void)state;
	assert_rows(rows, array_size(rows), INT64_MAX);
}

static void a_chunk_says_where_it_goes(void **state)
{
	static const struct {
		const char *header;
		struct range range;
	} rows[] = {
		{ "0-0", { 0, 1 } },
		{ "5-9", { 5, 5 } },
		{ "bytes 5-9", { 5, 5 } },
		{ "bytes 5-9/10", { 5, 5 } },
		{ "5-9/10", { 5, 5 } },
		{ "5-9/*", { 5, 5 } },
		{ "1-" MAX, { 1, INT64_MAX } },
	};
	struct range range;
	struct err e;

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		if (range_parse_chunk(span_of(rows[i].header), &range, &e) < 0)
			fail_msg("%s", e.message);
		assert_int_equal(range.start, rows[i].range.start);
		assert_int_equal(range.length, rows[i].range.length);
	}
}

static void what_is_no_chunk_is_refused(void **state)
{
	static const char *const rows[] = {
		NULL,
		"",
		"-",
		"5",
		"5-",
		"-5",
		"9-5",
		"5 - 9",
		" 5-9",
		"5-9 ",
		"+5-9",
		"5--9",
		"5-9/9",
		"5-9/",
		"5-9/x",
		"5-9/-1",
		"bytes=5-9",
		"bytes  5-9",
		"0-" MAX,
		"5-9/10/10",
		"lines 5-9",
		"0-9223372036854775808",
		"18446744073709551616-18446744073709551617",
	};
	struct range range;
	struct err e;

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		if (range_parse_chunk(span_of(rows[i]), &range, &e) == 0)
			fail_msg("%s", rows[i]);
		assert_int_equal(e.kind, ERR_CHUNK_INVALID);
	}
}

static void a_part_from_upstream_says_what_it_is_of(void **state)
{
	static const struct {
		const char *header;
		struct range range;
		int64_t size;
	} rows[] = {
		{ "bytes 0-0/1", { 0, 1 }, 1 },
		{ "bytes 5-9/10", { 5, 5 }, 10 },
		{ "bytes 5-9/11", { 5, 5 }, 11 },
		{ "bytes 5-9/*", { 5, 5 }, -1 },
		{ "Bytes 5-9/" MAX, { 5, 5 }, INT64_MAX },
	};
	struct range range;
	int64_t size;
	struct err e;

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		if (range_parse_part(span_of(rows[i].header), &range, &size,
				     &e) < 0)
			fail_msg("%s", e.message);
		assert_int_equal(range.start, rows[i].range.start);
		assert_int_equal(range.length, rows[i].range.length);
		assert_int_equal(size, rows[i].size);
	}
}

static void what_is_no_part_is_upstreams_fault(void **state)
{
	static const char *const rows[] = {
		NULL,
		"",
		"bytes",
		"bytes 5-9",
		"5-9/10",
		"bytes 5-9/9",
		"bytes 5-9/5",
		"bytes 9-5/10",
		"bytes */10",
		"bytes 5-9/",
		"bytes 5-9/x",
		"bytes  5-9/10",
		"bytes=5-9/10",
		"bytes 5-9/ 10",
		"bytes 5-9/**",
		"bytes 5-9/9223372036854775808",
		"bytes 0-" MAX "/*",
	};
	struct range range;
	int64_t size;
	struct err e;

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		if (range_parse_part(span_of(rows[i]), &range, &size, &e) == 0)
			fail_msg("%s", rows[i]);
		assert_int_equal(e.kind, ERR_UPSTREAM);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_part_lies_inside_of_what_there_is),
		cmocka_unit_test(what_starts_behind_the_end_is_outside),
		cmocka_unit_test(what_is_not_understood_is_ignored),
		cmocka_unit_test(several_parts_come_as_they_were_asked_for),
		cmocka_unit_test(who_asks_for_too_much_gets_the_whole),
		cmocka_unit_test(in_ascending_order_there_may_be_many),
		cmocka_unit_test(of_nothing_there_is_no_part),
		cmocka_unit_test(of_an_unknown_size_the_whole_is_answered),
		cmocka_unit_test(the_largest_file_has_a_last_byte),
		cmocka_unit_test(a_chunk_says_where_it_goes),
		cmocka_unit_test(what_is_no_chunk_is_refused),
		cmocka_unit_test(a_part_from_upstream_says_what_it_is_of),
		cmocka_unit_test(what_is_no_part_is_upstreams_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
