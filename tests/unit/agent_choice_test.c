/*
 * Promises of agent/choice.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/choice.h"

/* Listed, and it has answered often, or failed often. */
#define WELL(name, where, load)                                            \
	{                                                                  \
		.id = name, .zone = where, .weight = load, .listed = true, \
		.leased = true, .answers = 9                               \
	}
#define ILL(name, is_listed, times)                                   \
	{                                                             \
		.id = name, .listed = is_listed, .leased = is_listed, \
		.failures = times                                     \
	}

#define expect(wanted, present, zone, ...)                                  \
	({                                                                  \
		const struct candidate all_[] = { __VA_ARGS__ };            \
		assert_int_equal(choose(all_, sizeof(all_) / sizeof(*all_), \
					zone, present),                     \
				 wanted);                                   \
	})

static void there_is_none_to_choose(void **state)
{
	(void)state;
	assert_int_equal(choose(NULL, 0, NULL, CHOICE_NONE), CHOICE_NONE);
	expect(CHOICE_NONE, CHOICE_NONE, NULL, ILL("a", true, 1));
}

static void the_nearest_then_the_heaviest_then_the_first(void **state)
{
	(void)state;
	expect(1, CHOICE_NONE, "z", WELL("a", "y", 200), WELL("b", "z", 1));
	expect(0, CHOICE_NONE, NULL, WELL("a", "y", 200), WELL("b", "z", 1));
	expect(1, CHOICE_NONE, "z", WELL("b", "z", 5), WELL("a", "z", 6));
	expect(1, CHOICE_NONE, "z", WELL("b", "z", 5), WELL("a", "z", 5));
}

static void among_equals_nothing_moves(void **state)
{
	(void)state;
	expect(0, 0, NULL, WELL("b", NULL, 5), WELL("a", NULL, 5));
	expect(1, 1, NULL, WELL("a", NULL, 5), WELL("b", NULL, 5));
}

static void a_better_one_has_to_be_sure(void **state)
{
	struct candidate all[] = { WELL("a", NULL, 5), WELL("b", NULL, 6) };

	(void)state;
	for (int answers = 0; answers < 5; answers++) {
		all[1].answers = answers;
		assert_int_equal(choose(all, 2, NULL, 0),
				 answers >= CHOICE_SURE);
	}
}

static void one_that_fell_has_to_be_surer(void **state)
{
	struct candidate all[] = { WELL("a", NULL, 5), WELL("b", NULL, 6) };

	(void)state;
	all[1].fell = true;
	for (int answers = 0; answers < 2 * CHOICE_CALM; answers++) {
		all[1].answers = answers;
		assert_int_equal(choose(all, 2, NULL, 0),
				 answers >= CHOICE_CALM);
	}
	all[0].answers = 0;
	all[1].answers = 1;
	assert_int_equal(choose(all, 2, NULL, 0), 1);
}

static void one_that_does_not_answer_is_left_at_once(void **state)
{
	struct candidate other = WELL("b", NULL, 0);

	(void)state;
	other.answers = 1;
	expect(1, 0, NULL, ILL("a", true, 1), other);
	other.answers = 0;
	expect(0, 0, NULL, ILL("a", true, 99), other);
}

static void without_another_it_stays_while_it_is_leased(void **state)
{
	(void)state;
	expect(0, 0, NULL, ILL("a", true, 99));
	expect(0, 0, NULL, ILL("a", false, CHOICE_GONE - 1));
	expect(CHOICE_NONE, 0, NULL, ILL("a", false, CHOICE_GONE));
}

static void a_name_alone_keeps_none_that_is_dead(void **state)
{
	struct candidate named = ILL("a", true, CHOICE_GONE - 1);

	(void)state;
	named.leased = false;
	expect(0, 0, NULL, named);
	named.failures = CHOICE_GONE;
	expect(CHOICE_NONE, 0, NULL, named);
}

static void one_that_answers_stays_although_nobody_lists_it(void **state)
{
	struct candidate unlisted = WELL("a", NULL, 9);

	(void)state;
	unlisted.listed = false;
	expect(0, 0, NULL, unlisted);
	expect(1, 0, NULL, unlisted, WELL("b", NULL, 0));
}

static void one_that_is_leaving_is_left_at_once(void **state)
{
	struct candidate leaving = WELL("a", "z", 9);
	struct candidate other = WELL("b", NULL, 0);

	(void)state;
	leaving.leaving = true;
	other.answers = 1;
	expect(1, 0, "z", leaving, other);
	expect(CHOICE_NONE, 0, "z", leaving);
	expect(CHOICE_NONE, CHOICE_NONE, "z", leaving);
	other.answers = 0;
	expect(CHOICE_NONE, 0, "z", leaving, other);
}

static void one_that_is_full_is_the_second_of_equals(void **state)
{
	struct candidate full = WELL("a", NULL, 5);

	(void)state;
	full.full = true;
	expect(1, CHOICE_NONE, NULL, full, WELL("b", NULL, 5));
	expect(1, 0, NULL, full, WELL("b", NULL, 5));
	expect(0, 0, NULL, full, WELL("b", NULL, 4));
	expect(0, 0, NULL, full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_is_none_to_choose),
		cmocka_unit_test(the_nearest_then_the_heaviest_then_the_first),
		cmocka_unit_test(among_equals_nothing_moves),
		cmocka_unit_test(a_better_one_has_to_be_sure),
		cmocka_unit_test(one_that_fell_has_to_be_surer),
		cmocka_unit_test(one_that_does_not_answer_is_left_at_once),
		cmocka_unit_test(without_another_it_stays_while_it_is_leased),
		cmocka_unit_test(
			one_that_answers_stays_although_nobody_lists_it),
		cmocka_unit_test(a_name_alone_keeps_none_that_is_dead),
		cmocka_unit_test(one_that_is_leaving_is_left_at_once),
		cmocka_unit_test(one_that_is_full_is_the_second_of_equals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
