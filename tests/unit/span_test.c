/*
 * Promises of base/span.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/span.h"

static void not_there_is_not_empty(void **state)
{
	(void)state;
	assert_true(span_eq(SPAN_NONE, SPAN_NONE));
	assert_true(span_eq(SPAN(""), SPAN("")));
	assert_false(span_eq(SPAN_NONE, SPAN("")));
	assert_true(span_is(SPAN_NONE, NULL));
	assert_false(span_is(SPAN_NONE, ""));
	assert_false(span_is_nocase(SPAN_NONE, ""));
}

static void equal_means_every_byte(void **state)
{
	(void)state;
	assert_true(span_is(SPAN("bytes"), "bytes"));
	assert_false(span_is(SPAN("bytes"), "byte"));
	assert_false(span_is(SPAN("byte"), "bytes"));
	assert_false(span_is(SPAN("Bytes"), "bytes"));
	assert_true(span_is_nocase(SPAN("BYTES"), "bytes"));
	assert_true(span_eq_nocase(SPAN("a.B:1"), SPAN("A.b:1")));
	assert_false(span_eq_nocase(SPAN("a.B:1"), SPAN("A.b:12")));
	assert_false(span_eq_nocase(SPAN_NONE, SPAN("")));
	assert_false(span_is_nocase(SPAN("bytez"), "bytes"));
	assert_true(span_eq(SPAN("a\0b"), SPAN("a\0b")));
	assert_false(span_eq(SPAN("a\0b"), SPAN("a\0c")));
}

static void ends_are_seen_from_both_sides(void **state)
{
	(void)state;
	assert_true(span_starts(SPAN("sha256:x"), "sha256:"));
	assert_false(span_starts(SPAN("sha"), "sha256:"));
	assert_true(span_starts(SPAN("x"), ""));
	assert_false(span_starts(SPAN_NONE, ""));
	assert_true(span_ends(SPAN("x+json"), "+json"));
	assert_false(span_ends(SPAN("json"), "+json"));
	assert_false(span_ends(SPAN_NONE, ""));
}

static void what_is_sought_is_found_first_and_last(void **state)
{
	(void)state;
	assert_int_equal(span_find(SPAN("a/b/c"), '/'), 1);
	assert_int_equal(span_find_last(SPAN("a/b/c"), '/'), 3);
	assert_int_equal(span_find(SPAN("abc"), '/'), -1);
	assert_int_equal(span_find_last(SPAN("abc"), '/'), -1);
	assert_int_equal(span_find(SPAN_NONE, '/'), -1);
	assert_int_equal(span_find_last(SPAN(""), '/'), -1);
}

static void a_cut_walks_through_a_list(void **state)
{
	struct span rest = SPAN("a,,b");

	(void)state;
	assert_true(span_is(span_cut(&rest, ','), "a"));
	assert_true(span_is(span_cut(&rest, ','), ""));
	assert_true(span_is(span_cut(&rest, ','), "b"));
	assert_null(rest.at);
	assert_null(span_cut(&rest, ',').at);
}

static void a_cut_at_the_end_leaves_an_empty_rest(void **state)
{
	struct span rest = SPAN("a,");

	(void)state;
	assert_true(span_is(span_cut(&rest, ','), "a"));
	assert_true(span_is(rest, ""));
}

static void a_start_behind_the_end_is_the_end(void **state)
{
	(void)state;
	assert_true(span_is(span_from(SPAN("abc"), 1), "bc"));
	assert_true(span_is(span_from(SPAN("abc"), 9), ""));
	assert_null(span_from(SPAN_NONE, 1).at);
}

static void blanks_are_trimmed_at_both_ends_only(void **state)
{
	(void)state;
	assert_true(span_is(span_trim(SPAN(" \t a b\t ")), "a b"));
	assert_true(span_is(span_trim(SPAN(" \t ")), ""));
	assert_true(span_is(span_trim(SPAN("\na")), "\na"));
	assert_null(span_trim(SPAN_NONE).at);
}

static void a_number_is_digits_and_fits(void **state)
{
	static const struct {
		struct span text;
		int64_t value;
	} rows[] = {
		{ SPAN("0"), 0 },
		{ SPAN("007"), 7 },
		{ SPAN("9223372036854775807"), INT64_MAX },
		{ SPAN("9223372036854775808"), -1 },
		{ SPAN("99999999999999999999999"), -1 },
		{ SPAN(""), -1 },
		{ SPAN_NONE, -1 },
		{ SPAN("-1"), -1 },
		{ SPAN("+1"), -1 },
		{ SPAN(" 1"), -1 },
		{ SPAN("1 "), -1 },
		{ SPAN("1\0"), -1 },
		{ SPAN("0x1"), -1 },
		{ SPAN("1e3"), -1 },
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++)
		assert_int_equal(span_decimal(rows[i].text), rows[i].value);
}

static void a_number_becomes_its_digits(void **state)
{
	char room[SPAN_NUMBER_ROOM];

	(void)state;
	assert_true(span_is(span_number(0, room), "0"));
	assert_true(span_is(span_number(5000, room), "5000"));
	assert_true(span_is(span_number(-7, room), "-7"));
	assert_true(
		span_is(span_number(INT64_MAX, room), "9223372036854775807"));
	assert_true(
		span_is(span_number(INT64_MIN, room), "-9223372036854775808"));
}

static void a_copy_fits_with_its_nul_or_not_at_all(void **state)
{
	char out[4] = "...";

	(void)state;
	assert_true(span_copy(SPAN("abc"), out, sizeof(out)));
	assert_string_equal(out, "abc");
	assert_false(span_copy(SPAN("abcd"), out, sizeof(out)));
	assert_string_equal(out, "abc");
	assert_true(span_copy(SPAN_NONE, out, sizeof(out)));
	assert_string_equal(out, "");
	assert_false(span_copy(SPAN(""), out, 0));
}

static void letters_are_all_of_a_set_or_not(void **state)
{
	(void)state;
	assert_true(span_made_of(SPAN("abba"), "ab"));
	assert_false(span_made_of(SPAN("abc"), "ab"));
	assert_false(span_made_of(SPAN("a\0"), "ab"));
	assert_false(span_made_of(SPAN(""), "ab"));
	assert_false(span_made_of(SPAN_NONE, "ab"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(not_there_is_not_empty),
		cmocka_unit_test(equal_means_every_byte),
		cmocka_unit_test(ends_are_seen_from_both_sides),
		cmocka_unit_test(what_is_sought_is_found_first_and_last),
		cmocka_unit_test(a_cut_walks_through_a_list),
		cmocka_unit_test(a_cut_at_the_end_leaves_an_empty_rest),
		cmocka_unit_test(a_start_behind_the_end_is_the_end),
		cmocka_unit_test(blanks_are_trimmed_at_both_ends_only),
		cmocka_unit_test(letters_are_all_of_a_set_or_not),
		cmocka_unit_test(a_number_is_digits_and_fits),
		cmocka_unit_test(a_number_becomes_its_digits),
		cmocka_unit_test(a_copy_fits_with_its_nul_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
