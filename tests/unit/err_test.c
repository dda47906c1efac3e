/*
 * Promises of base/err.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/err.h"

static void a_failure_is_one_statement(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(err_set(&e, ERR_RANGE, "%d of %d", 7, 5), -1);
	assert_int_equal(e.kind, ERR_RANGE);
	assert_int_equal(e.sys, 0);
	assert_string_equal(e.message, "7 of 5");
}

static void the_system_says_why(void **state)
{
	struct err e;

	(void)state;
	errno = ENOENT;
	assert_int_equal(err_sys(&e, "/data/%s", "x"), -1);
	assert_int_equal(e.kind, ERR_IO);
	assert_int_equal(e.sys, ENOENT);
	assert_string_equal(e.message, "/data/x: No such file or directory");
}

static void a_full_disk_is_told_from_a_broken_one(void **state)
{
	static const struct {
		int sys;
		enum err_kind kind;
	} rows[] = {
		{ ENOSPC, ERR_NO_SPACE },
		{ EDQUOT, ERR_NO_SPACE },
		{ EMFILE, ERR_BUSY },
		{ EIO, ERR_IO },
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		errno = rows[i].sys;
		err_sys(&e, "x");
		assert_int_equal(e.kind, rows[i].kind);
	}
}

static void each_floor_adds_a_clause_and_the_kind_stays(void **state)
{
	struct err e;

	(void)state;
	err_set(&e, ERR_NO_SPACE, "fsync");
	assert_int_equal(err_wrap(&e, "blob %d", 1), -1);
	assert_int_equal(err_wrap(&e, "app"), -1);
	assert_int_equal(e.kind, ERR_NO_SPACE);
	assert_string_equal(e.message, "app: blob 1: fsync");
}

static void a_message_may_quote_itself(void **state)
{
	struct err e;

	(void)state;
	err_set(&e, ERR_IO, "inner");
	err_set(&e, ERR_UPSTREAM, "outer (%s)", e.message);
	assert_string_equal(e.message, "outer (inner)");
}

static void a_message_stays_one_line_of_bounded_length(void **state)
{
	char wide[2000];
	struct err e;

	(void)state;
	memset(wide, 'w', sizeof(wide) - 1);
	wide[sizeof(wide) - 1] = '\0';
	err_set(&e, ERR_IO, "%s", wide);
	err_wrap(&e, "%s", wide);
	assert_int_equal(strlen(e.message), sizeof(e.message) - 1);

	err_set(&e, ERR_IO, "a\nb\rc\033[31m\x7f");
	assert_string_equal(e.message, "a?b?c?[31m?");
}

static void every_kind_has_a_text_of_its_own(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ERR_KINDS; i++) {
		const char *text = err_kind_text((enum err_kind)i);

		assert_non_null(text);
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(
				text, err_kind_text((enum err_kind)j));
	}
	assert_string_equal(err_kind_text(ERR_NO_SPACE), "no-space");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failure_is_one_statement),
		cmocka_unit_test(the_system_says_why),
		cmocka_unit_test(a_full_disk_is_told_from_a_broken_one),
		cmocka_unit_test(each_floor_adds_a_clause_and_the_kind_stays),
		cmocka_unit_test(a_message_may_quote_itself),
		cmocka_unit_test(a_message_stays_one_line_of_bounded_length),
		cmocka_unit_test(every_kind_has_a_text_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
