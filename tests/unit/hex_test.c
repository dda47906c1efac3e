/*
 * Promises of base/hex.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hex.h"

static void bytes_become_lower_case_digits(void **state)
{
	static const uint8_t bytes[] = { 0x00, 0x9f, 0xab, 0xff };
	char text[9];

	(void)state;
	hex_print(bytes, sizeof(bytes), text);
	assert_string_equal(text, "009fabff");
}

static void digits_become_the_same_bytes(void **state)
{
	uint8_t bytes[4];
	char text[9];

	(void)state;
	assert_true(hex_parse(SPAN("009fabff"), bytes, sizeof(bytes)));
	hex_print(bytes, sizeof(bytes), text);
	assert_string_equal(text, "009fabff");
}

static void a_digit_has_two_cases(void **state)
{
	(void)state;
	assert_int_equal(hex_digit('9'), 9);
	assert_int_equal(hex_digit('f'), 15);
	assert_int_equal(hex_digit('F'), 15);
	assert_int_equal(hex_digit('g'), -1);
	assert_int_equal(hex_digit('/'), -1);
	assert_int_equal(hex_digit(':'), -1);
}

static void anything_else_is_refused(void **state)
{
	uint8_t bytes[2];

	(void)state;
	assert_false(hex_parse(SPAN("abc"), bytes, 2));
	assert_false(hex_parse(SPAN("abcde"), bytes, 2));
	assert_false(hex_parse(SPAN("ABCD"), bytes, 2));
	assert_false(hex_parse(SPAN("abcg"), bytes, 2));
	assert_false(hex_parse(SPAN(" bcd"), bytes, 2));
	assert_false(hex_parse(SPAN_NONE, bytes, 2));
}

static void random_bytes_fill_all_of_it(void **state)
{
	static const uint8_t zero[16];
	uint8_t seen[1000] = { 0 };

	(void)state;
	random_bytes(seen, sizeof(seen));
	for (size_t i = 0; i + sizeof(zero) <= sizeof(seen); i++)
		assert_memory_not_equal(seen + i, zero, sizeof(zero));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_become_lower_case_digits),
		cmocka_unit_test(digits_become_the_same_bytes),
		cmocka_unit_test(a_digit_has_two_cases),
		cmocka_unit_test(anything_else_is_refused),
		cmocka_unit_test(random_bytes_fill_all_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
