/*
 * oci/listing.h: what other registries answer when they are asked for a list.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oci/listing.h"

#define SHA       \
	"sha256:" \
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define IMAGE "application/vnd.oci.image.manifest.v1+json"
#define ENTRY "\"mediaType\":\"" IMAGE "\",\"digest\":\"" SHA "\",\"size\":7"

/* An answer, and the lines that are made of it; null: it is refused. */
static void assert_lines(int (*read)(struct span, struct buf *, struct err *),
			 const char *answer, const char *lines)
{
	auto_buf struct buf got = { 0 };
	struct err e;

	if (read(span_of(answer), &got, &e) < 0) {
		if (lines)
			fail_msg("%s: %s", answer, e.message);
		assert_int_equal(e.kind, ERR_REQUEST);
		return;
	}
	if (!lines)
		fail_msg("taken: %s", answer);
	assert_string_equal(got.at ? got.at : "", lines);
}

static void tags_are_lines(void **state)
{
	static const struct {
		const char *answer;
		const char *lines;
	} rows[] = {
		{ "{\"name\":\"app\",\"tags\":[\"1\",\"b\"]}", "1\nb\n" },
		{ "{\"name\":\"app\",\"tags\":[]}", "" },
		{ "{\"name\":\"app\",\"tags\":null}", "" },
		{ "{}", "" },
		{ "{\"tags\":[\"a/b\",\"\",7,\"a\\nb\",\"ok\"]}", "ok\n" },
		{ "[\"1\"]", NULL },
		{ "<html>", NULL },
		{ "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++)
		assert_lines(listing_tags, rows[i].answer, rows[i].lines);
}

static void referrers_are_types_and_descriptors(void **state)
{
	static const struct {
		const char *answer;
		const char *lines;
	} rows[] = {
		{ "{\"manifests\":[{" ENTRY "}]}", "\t{" ENTRY "}\n" },
		{ "{\"manifests\":[{" ENTRY ",\"artifactType\":\"a/b\"}]}",
		  "a/b\t{" ENTRY ",\"artifactType\":\"a/b\"}\n" },
		{ "{\"manifests\":[{" ENTRY ",\"annotations\":{\"k\":\"v\\n\","
		  "\"n\":1},\"data\":\"x\",\"urls\":[\"http://evil\"]}]}",
		  "\t{" ENTRY ",\"annotations\":{\"k\":\"v\\u000a\"}}\n" },
		{ "{\"manifests\":[{" ENTRY ",\"artifactType\":\"a\\tb\"}]}",
		  "\t{" ENTRY "}\n" },
		{ "{\"manifests\":[{\"size\":1},7,{\"mediaType\":\"a/b\","
		  "\"digest\":\"sha256:00\",\"size\":1}]}",
		  "" },
		{ "{\"manifests\":[]}", "" },
		{ "{}", "" },
		{ "[]", NULL },
		{ "no", NULL },
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++)
		assert_lines(listing_referrers, rows[i].answer, rows[i].lines);
}

static void lines_are_sorted_by_their_bytes(void **state)
{
	static const struct {
		const char *lines;
		const char *sorted;
	} rows[] = {
		{ "b\na\n", "a\nb\n" },
		{ "1.9\n1.10\n1\nZeta\nbeta\n1.9\n",
		  "1\n1.10\n1.9\nZeta\nbeta\n" },
		{ "a\n", "a\n" },
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		auto_buf struct buf lines = { 0 };

		buf_add(&lines, span_of(rows[i].lines));
		bool sorted = strcmp(rows[i].lines, rows[i].sorted) == 0;
		assert_int_equal(listing_is_sorted(buf_span(&lines)), sorted);
		listing_sort(&lines);
		assert_string_equal(lines.at, rows[i].sorted);
	}
	assert_false(listing_is_sorted(SPAN("1\n1\n")));

	auto_buf struct buf none = { 0 };
	listing_sort(&none);
	assert_int_equal(none.len, 0);
	assert_true(listing_is_sorted(SPAN("")));
}

static void a_link_says_where_the_next_page_is(void **state)
{
	static const struct {
		const char *link;
		const char *target; /* null: nowhere */
	} rows[] = {
		{ "</v2/a/tags/list?last=b&n=2>; rel=\"next\"",
		  "/v2/a/tags/list?last=b&n=2" },
		{ "<?last=b>;rel=next", "?last=b" },
		{ "<https://host/v2/x?a,b>; title=\"t\"; REL = \"Next\"",
		  "https://host/v2/x?a,b" },
		{ "</first>; rel=\"first\", </next>; rel=\"next\"", "/next" },
		{ "</next>; rel=\"next\", </last>; rel=\"last\"", "/next" },
		{ "</first>; rel=\"first\"", NULL },
		{ "</no>", NULL },
		{ "</no; rel=\"next\"", NULL },
		{ "", NULL },
		{ NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		struct span target = listing_next(span_of(rows[i].link));

		if (!rows[i].target)
			assert_null(target.at);
		else if (!span_is(target, rows[i].target))
			fail_msg("%s: %.*s", rows[i].link, SPAN_ARG(target));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tags_are_lines),
		cmocka_unit_test(referrers_are_types_and_descriptors),
		cmocka_unit_test(lines_are_sorted_by_their_bytes),
		cmocka_unit_test(a_link_says_where_the_next_page_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
