/*
 * Promises of upstream/budget.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "upstream/budget.h"

#define NOW 1800000000 /* Fri, 15 Jan 2027 08:00:00 GMT */
#define HOUR_MS INT64_C(3600000)

static void a_count_and_a_window_are_read(void **state)
{
	static const struct {
		const char *header;
		int64_t count, window_s; /* count -1: refused */
	} rows[] = {
		{ "100;w=21600", 100, 21600 },
		{ "76", 76, 0 },
		{ " 0 ; w=60", 0, 60 },
		{ "100, 100;w=10, 1000;w=3600", 100, 0 },
		{ "100;comment=\"x\";w=60", 100, 60 },
		{ "100;w=", 100, 0 },
		{ "100;w=-1", 100, 0 },
		{ "100;w=999999999", 100, 86400 },
		{ "99999999999", 1000000, 0 },
		{ "", -1, 0 },
		{ "-1", -1, 0 },
		{ "many", -1, 0 },
		{ "1.5", -1, 0 },
		{ ";w=60", -1, 0 },
		{ "99999999999999999999", -1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		struct budget_part part;
		bool good = budget_parse(span_of(rows[i].header), &part);

		if (good != (rows[i].count >= 0))
			fail_msg("%s", rows[i].header);
		if (good && (part.count != rows[i].count ||
			     part.window_s != rows[i].window_s))
			fail_msg("%s: %lld, %lld", rows[i].header,
				 (long long)part.count,
				 (long long)part.window_s);
	}
}

static void when_to_ask_again_is_seconds_or_a_date(void **state)
{
	static const struct {
		const char *header;
		int64_t ms;
	} rows[] = {
		{ "0", 0 },
		{ "120", 120000 },
		{ " 5 ", 5000 },
		{ "Fri, 15 Jan 2027 08:01:00 GMT", 60000 },
		{ "Fri, 15 Jan 2027 07:00:00 GMT", 0 },
		{ "Sat, 16 Jan 2027 08:00:00 GMT", 6 * HOUR_MS },
		{ "86400", 6 * HOUR_MS },
		{ "1800000090", 90000 },
		{ "1700000000", 0 },
		{ "", -1 },
		{ "-5", -1 },
		{ "soon", -1 },
		{ "Fri, 15 Jan 2027 08:01:00", -1 },
		{ "Fri, 15 Jan 2027 08:01:00 GMT and more than there is room "
		  "for",
		  -1 },
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		int64_t ms = budget_retry_ms(span_of(rows[i].header), NOW);

		if (ms != rows[i].ms)
			fail_msg("%s: %lld", rows[i].header, (long long)ms);
	}
}

static struct budget heard(const char *limit, const char *remaining)
{
	struct budget budget = { 0 };

	budget_hear(&budget, span_of(limit), span_of(remaining), 1000);
	return budget;
}

static void what_is_left_is_as_it_was_last_said(void **state)
{
	struct budget budget = heard("100;w=60", "76;w=60");

	(void)state;
	assert_int_equal(budget_left(&budget, 1000), 76);
	budget_hear(&budget, SPAN_NONE, SPAN_NONE, 2000);
	budget_hear(&budget, SPAN("x"), SPAN("1"), 2000);
	budget_hear(&budget, SPAN("0"), SPAN("0"), 2000);
	assert_int_equal(budget_left(&budget, 60999), 76);
	assert_int_equal(budget_left(&budget, 61000), 100);
	budget_hear(&budget, SPAN("100;w=60"), SPAN("200"), 2000);
	assert_int_equal(budget_left(&budget, 2000), 100);
	budget = heard("", "");
	assert_int_equal(budget_left(&budget, 2000), -1);
}

static void a_lifetime_stretches_below_half_of_the_budget(void **state)
{
	static const struct {
		const char *left;
		int64_t factor;
	} rows[] = {
		{ "100", 1 }, { "50", 1 }, { "49", 2 },
		{ "24", 4 },  { "9", 10 }, { "0", 100 },
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		struct budget budget = heard("100;w=60", rows[i].left);

		assert_int_equal(budget_stretch(&budget, 300000, 1000),
				 300000 * rows[i].factor);
		assert_int_equal(budget_stretch(&budget, 300000, 61000),
				 300000);
	}
	struct budget unknown = { 0 };
	assert_int_equal(budget_stretch(&unknown, 300000, 1000), 300000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_count_and_a_window_are_read),
		cmocka_unit_test(when_to_ask_again_is_seconds_or_a_date),
		cmocka_unit_test(what_is_left_is_as_it_was_last_said),
		cmocka_unit_test(a_lifetime_stretches_below_half_of_the_budget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
