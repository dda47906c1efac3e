/*
 * Promises of base/base64.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/base64.h"

/* RFC 4648, section 10, and bytes that are no text. */
static const struct {
	struct span bytes;
	const char *text;
} rows[] = {
	{ SPAN(""), "" },
	{ SPAN("f"), "Zg==" },
	{ SPAN("fo"), "Zm8=" },
	{ SPAN("foo"), "Zm9v" },
	{ SPAN("foob"), "Zm9vYg==" },
	{ SPAN("fooba"), "Zm9vYmE=" },
	{ SPAN("foobar"), "Zm9vYmFy" },
	{ SPAN("\0\xff\xfe"), "AP/+" },
};

static void bytes_become_letters_and_bytes_again(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		auto_buf struct buf text = { 0 };
		auto_buf struct buf bytes = { 0 };

		base64_print(rows[i].bytes, &text);
		assert_true(span_is(buf_span(&text), rows[i].text));
		assert_true(base64_parse(span_of(rows[i].text), &bytes));
		assert_true(span_eq(buf_span(&bytes), rows[i].bytes));
	}
}

static void what_is_none_adds_nothing(void **state)
{
	static const char *const wrong[] = {
		"Z",	"Zg",	"Zg=",	"Zg===",    "====",
		"=Zg=", "Zh==", "Zm9=", "Zg==Zg==", "Zm9v\nZg",
		"Zm9-", "Zm_v", "Z g=", "Zm9vZm9!",
	};
	auto_buf struct buf bytes = { 0 };

	(void)state;
	for (size_t i = 0; i < array_size(wrong); i++)
		if (base64_parse(span_of(wrong[i]), &bytes))
			fail_msg("%s", wrong[i]);
	assert_false(base64_parse(SPAN("Zm9\0"), &bytes));
	assert_false(base64_parse(SPAN_NONE, &bytes));
	assert_int_equal(bytes.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_become_letters_and_bytes_again),
		cmocka_unit_test(what_is_none_adds_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
