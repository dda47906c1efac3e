/*
 * Promises of cluster/told.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cluster/told.h"

static const struct err refused = { .kind = ERR_UNAVAILABLE };
static const struct err denied = { .kind = ERR_DENIED };
static const struct err full = { .kind = ERR_IO, .sys = 28 };
static const struct err broken = { .kind = ERR_IO, .sys = 5 };

static void the_same_is_told_once(void **state)
{
	struct told told = { 0 };

	(void)state;
	assert_true(told_is_news(&told, &refused, 7));
	assert_false(told_is_news(&told, &refused, 8));
	assert_false(told_is_news(&told, &refused, 1000000));
}

static void another_reason_is_news(void **state)
{
	struct told told = { 0 };

	(void)state;
	assert_true(told_is_news(&told, &refused, 0));
	assert_true(told_is_news(&told, &denied, 10000));
	assert_true(told_is_news(&told, &full, 20000));
	assert_true(told_is_news(&told, &broken, 30000));
}

static void reasons_that_take_turns_fill_no_log(void **state)
{
	struct told told = { 0 };
	int count = 0;

	(void)state;
	for (int64_t s = 0; s < 60; s++)
		count += told_is_news(&told, s % 2 ? &denied : &refused,
				      s * 1000);
	assert_int_equal(count, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_is_told_once),
		cmocka_unit_test(another_reason_is_news),
		cmocka_unit_test(reasons_that_take_turns_fill_no_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
