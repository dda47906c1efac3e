/*
 * How images are written: oci/image.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oci/image.h"

#define SHA                                                           \
	"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495" \
	"991b7852b855"

static void an_image_is_a_name_and_a_reference(void **state)
{
	static const struct {
		const char *typed;
		const char *means; /* null: it is none */
	} rows[] = {
		{ "nginx", "nginx:latest" },
		{ "nginx:1.27", "nginx:1.27" },
		{ "ghcr.io/org/app:2", "ghcr.io/org/app:2" },
		{ "host:5000/app", "host:5000/app:latest" },
		{ "host:5000/app:1", "host:5000/app:1" },
		{ "app@" SHA, "app@" SHA },
		{ "app:1@" SHA, "app@" SHA },
		{ "", NULL },
		{ "App", NULL },
		{ "app:", NULL },
		{ "app@1", NULL },
		{ "app@", NULL },
		{ ":1", NULL },
		{ "app?n=1", NULL },
		{ "app/../x y", NULL },
		{ "app\n", NULL },
	};
	struct image image;
	struct err e;

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		int failed = image_parse(span_of(rows[i].typed), &image, &e);

		if (failed != (rows[i].means ? 0 : -1))
			fail_msg("%s", rows[i].typed);
		if (failed)
			assert_int_equal(e.kind, ERR_USAGE);
		else
			assert_string_equal(image_text(&image).s,
					    rows[i].means);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_image_is_a_name_and_a_reference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
