/*
 * Promises of base/current.h.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/current.h"
#include "base/mem.h"

/* Two numbers that are always the same, until they end. */
struct pair {
	unsigned one, two;
};

static unsigned ended; /* by the thread that replaces */

static struct pair *pair(unsigned number)
{
	struct pair *pair = mem_alloc(sizeof(*pair));

	pair->one = pair->two = number;
	return pair;
}

static void pair_end(void *arg)
{
	struct pair *pair = arg;

	pair->one = 0;
	ended++;
	free(pair);
}

static unsigned number_of(const struct version *version)
{
	const struct pair *pair = version_value(version);

	return pair->one;
}

static int begin(void **state)
{
	(void)state;
	ended = 0;
	return 0;
}

static void who_holds_a_version_sees_no_other(void **state)
{
	(void)state;
	struct current *current = current_open(pair(1), pair_end);
	struct version *first = current_hold(current);

	current_replace(current, pair(2));
	struct version *second = current_hold(current);
	assert_int_equal(number_of(first), 1);
	assert_int_equal(number_of(second), 2);
	assert_int_equal(ended, 0);
	version_release(&first);
	version_release(&second);
	current_close(&current);
	assert_int_equal(ended, 2);
}

static void what_nobody_holds_ends_at_the_next_replacement(void **state)
{
	(void)state;
	struct current *current = current_open(pair(1), pair_end);
	struct version *first = current_hold(current);

	current_replace(current, pair(2));
	current_replace(current, pair(3));
	assert_int_equal(ended, 1); /* the second, which nobody ever held */
	version_release(&first);
	current_replace(current, pair(4));
	assert_int_equal(ended, 3);
	current_close(&current);
}

enum { READERS = 3, REPLACEMENTS = 20000 };

static atomic_bool over;

static void *read_on(void *arg)
{
	struct current *current = arg;
	unsigned last = 0;

	while (!over) {
		struct version *version = current_hold(current);
		const struct pair *seen = version_value(version);

		if (seen->one < last || seen->one != seen->two)
			return NULL;
		last = seen->one;
		version_release(&version);
	}
	return arg;
}

static void readers_see_whole_values_in_their_order(void **state)
{
	(void)state;
	struct current *current = current_open(pair(1), pair_end);
	pthread_t threads[READERS];

	over = false;
	for (size_t i = 0; i < array_size(threads); i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, read_on, current), 0);
	for (unsigned i = 2; i < REPLACEMENTS; i++)
		current_replace(current, pair(i));
	over = true;
	for (size_t i = 0; i < array_size(threads); i++) {
		void *fine;

		pthread_join(threads[i], &fine);
		assert_non_null(fine);
	}
	current_close(&current);
	assert_int_equal(ended, REPLACEMENTS - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(who_holds_a_version_sees_no_other,
				       begin),
		cmocka_unit_test_setup(
			what_nobody_holds_ends_at_the_next_replacement, begin),
		cmocka_unit_test_setup(readers_see_whole_values_in_their_order,
				       begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
