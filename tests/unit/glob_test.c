/*
 * Promises of base/glob.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/glob.h"

static const struct {
	const char *pattern;
	const char *text;
	bool fits;
} rows[] = {
	/* clang-format off */
	{ "app",      "app",         true },
	{ "app",      "apps",        false },
	{ "apps",     "app",         false },
	{ "",         "",            true },
	{ "",         "a",           false },
	{ "*",        "",            true },
	{ "*",        "app",         true },
	{ "*",        "ci/app",      false },
	{ "**",       "ci/team/app", true },
	{ "**",       "",            true },
	{ "ci/*",     "ci/app",      true },
	{ "ci/*",     "ci",          false },
	{ "ci/*",     "ci/team/app", false },
	{ "ci/**",    "ci/team/app", true },
	{ "ci/**",    "ci",          false },
	{ "ci/**",    "cid/app",     false },
	{ "*/app",    "ci/app",      true },
	{ "*/app",    "ci/team/app", false },
	{ "**/app",   "ci/team/app", true },
	{ "**/app",   "app",         false },
	{ "**/app",   "ci/app/app",  true },
	{ "**/a*",    "x/ab/ac/ad",  true },
	{ "**/a*",    "x/ab/ac/d",   false },
	{ "*/x/**/y", "a/x/b/c/y",   true },
	{ "*/x/**/y", "a/b/x/c/y",   false },
	{ "**x*y",    "a/x/by/xcy",  true },
	{ "**x*y",    "a/x/b",       false },
	{ "v*.*",     "v1.2",        true },
	{ "v*.*",     "v12",         false },
	{ "a*b*c",    "aXbYbZc",     true },
	{ "a*b*c",    "aXbYbZ",      false },
	{ "***",      "a/b",         true },
	{ "v1.2",     "v1x2",        false },
	/* clang-format on */
};

static void each_pattern_fits_what_it_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (glob_match(span_of(rows[i].pattern),
			       span_of(rows[i].text)) != rows[i].fits)
			fail_msg("\"%s\" and \"%s\"", rows[i].pattern,
				 rows[i].text);
}

static void many_stars_do_not_take_long(void **state)
{
	static char stars[255], letters[255];

	(void)state;
	for (size_t i = 0; i < sizeof(stars); i++)
		stars[i] = i % 2 ? 'a' : '*';
	memset(letters, 'a', sizeof(letters));
	stars[254] = 'b';
	assert_false(
		glob_match(span_make(stars, 255), span_make(letters, 255)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_pattern_fits_what_it_says),
		cmocka_unit_test(many_stars_do_not_take_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
