/*
 * How quantities are told: cli/say.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/say.h"

static void time_is_told_in_its_two_largest_units(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} rows[] = {
		{ -5, "0 s" },
		{ 0, "0 s" },
		{ 999, "0 s" },
		{ 1000, "1 s" },
		{ 61000, "1 min 1 s" },
		{ 60000, "1 min" },
		{ 11520000, "3 h 12 min" },
		{ 86399999, "23 h 59 min" },
		{ 90000000, "1 d 1 h" },
		{ 86460000, "1 d" },
		{ INT64_MAX, "106751991167 d 7 h" },
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++)
		assert_string_equal(time_text(rows[i].ms).s, rows[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(time_is_told_in_its_two_largest_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
