/*
 * Promises of oci/platform.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/attr.h"
#include "oci/platform.h"

static const struct {
	const char *text;
	bool valid;
	struct platform platform;
} rows[] = {
	{ "linux/amd64", true, { "linux", "amd64", "" } },
	{ "linux/x86_64", true, { "linux", "amd64", "" } },
	{ "linux/amd64/v1", true, { "linux", "amd64", "" } },
	{ "linux/amd64/v3", true, { "linux", "amd64", "v3" } },
	{ "linux/arm64", true, { "linux", "arm64", "" } },
	{ "linux/arm64/v8", true, { "linux", "arm64", "" } },
	{ "linux/aarch64", true, { "linux", "arm64", "" } },
	{ "linux/arm/v6", true, { "linux", "arm", "v6" } },
	{ "linux/arm/v7", true, { "linux", "arm", "" } },
	{ "windows/amd64", true, { "windows", "amd64", "" } },
	{ "linux", false, { "", "", "" } },
	{ "linux/", false, { "", "", "" } },
	{ "/amd64", false, { "", "", "" } },
	{ "", false, { "", "", "" } },
	{ "linux/arm/v7/x", false, { "", "", "" } },
	{ "linux/sixteen-letters-", false, { "", "", "" } },
};

static void a_platform_has_two_parts_or_three(void **state)
{
	struct platform platform;

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		bool valid = platform_parse(span_of(rows[i].text), &platform);

		if (valid != rows[i].valid)
			fail_msg("%s", rows[i].text);
		if (valid && !platform_eq(&platform, &rows[i].platform))
			fail_msg("%s: %s %s %s", rows[i].text, platform.os,
				 platform.architecture, platform.variant);
	}
}

static void nothing_is_the_platform_that_is_not_said(void **state)
{
	struct platform none = platform_make(SPAN_NONE, SPAN_NONE, SPAN_NONE);

	(void)state;
	assert_false(platform_eq(&none, &none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_platform_has_two_parts_or_three),
		cmocka_unit_test(nothing_is_the_platform_that_is_not_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
