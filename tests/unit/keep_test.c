/*
 * Promises of oci/keep.h, and of docs/keeping.md.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oci/keep.h"

#define DAY INT64_C(86400000)
#define MOST 3

/* The rules that fit are all that are not empty. */
static void choose(const struct keep_rule *rules, struct keep_rules *out,
		   const struct keep_rule **room)
{
	out->at = room;
	out->count = 0;
	for (size_t i = 0; i < MOST; i++)
		if (rules[i].repositories[0])
			room[out->count++] = &rules[i];
}

static const struct {
	const char *name;
	bool fits[3];
} names[] = {
	{ "ci/app", { true, false, true } },
	{ "ci/nightly", { true, true, true } },
	{ "team/app", { false, false, true } },
	{ "ci", { false, false, true } },
};

static void rules_are_for_the_repositories_that_fit(void **state)
{
	static const struct keep_rule rules[] = {
		{ .repositories = "ci/**" },
		{ .repositories = "ci/nightly" },
		{ .repositories = "**" },
	};
	const struct keep_rule *room[3];
	struct keep_rules fit = { .at = room };

	(void)state;
	for (size_t i = 0; i < array_size(names); i++) {
		struct name name = { 0 };
		size_t count = 0;

		span_copy(span_of(names[i].name), name.s, sizeof(name.s));
		keep_choose(rules, 3, &name, &fit);
		for (size_t j = 0; j < 3; j++)
			if (names[i].fits[j])
				assert_ptr_equal(fit.at[count++], &rules[j]);
		assert_int_equal(fit.count, count);
	}
}

/* ------------------------------------------------------------------- tags */

#define ALL .repositories = "**"

static const struct tag_row {
	struct keep_rule rules[MOST];
	struct keep_tag tag;
	bool stays;
} tag_rows[] = {
	/* clang-format off */
	/* nothing about tags */
	{ { { ALL } }, { "x", false, 9 * DAY, 9 * DAY }, true },
	{ { { ALL, .untagged_after = 1 } }, { "x", false, DAY, DAY }, true },
	/* last */
	{ { { ALL, .last = 2 } }, { "x", true, 9 * DAY, 9 * DAY }, true },
	{ { { ALL, .last = 2 } }, { "x", false, 0, 0 }, false },
	/* tags */
	{ { { ALL, .tags = "v*" } }, { "v1", false, 9 * DAY, 9 * DAY }, true },
	{ { { ALL, .tags = "v*" } }, { "x", false, 0, 0 }, false },
	{ { { ALL, .tags = "v*" } }, { "x", true, 0, 0 }, false },
	/* pushed_within */
	{ { { ALL, .pushed_within = DAY } }, { "x", false, DAY, DAY }, true },
	{ { { ALL, .pushed_within = DAY } }, { "x", false, DAY + 1, 0 }, false },
	/* pulled_within */
	{ { { ALL, .pulled_within = DAY } }, { "x", false, 9 * DAY, DAY }, true },
	{ { { ALL, .pulled_within = DAY } },
	  { "x", false, 9 * DAY, DAY + 1 }, false },
	/* any clause is enough, of one rule or another */
	{ { { ALL, .last = 2, .tags = "v*", .pulled_within = DAY } },
	  { "v1", false, 9 * DAY, 9 * DAY }, true },
	{ { { ALL, .last = 2, .tags = "v*", .pulled_within = DAY } },
	  { "x", false, 9 * DAY, DAY }, true },
	{ { { ALL, .last = 2, .tags = "v*", .pulled_within = DAY } },
	  { "x", false, 9 * DAY, 2 * DAY }, false },
	{ { { ALL, .last = 2 }, { ALL, .tags = "x" } },
	  { "x", false, 9 * DAY, 9 * DAY }, true },
	{ { { ALL, .last = 2 }, { ALL, .tags = "y" } },
	  { "x", false, 9 * DAY, 9 * DAY }, false },
	{ { { ALL, .last = 2 }, { ALL, .untagged_after = 1 } },
	  { "x", false, 9 * DAY, 9 * DAY }, false },
	/* clang-format on */
};

static void a_tag_stays_if_any_clause_keeps_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_size(tag_rows); i++) {
		const struct keep_rule *room[MOST];
		struct keep_rules fit;

		choose(tag_rows[i].rules, &fit, room);
		if (keep_tag_stays(&fit, &tag_rows[i].tag) != tag_rows[i].stays)
			fail_msg("row %zu", i);
	}
}

static void the_largest_last_counts(void **state)
{
	static const struct keep_rule rules[MOST] = { { ALL, .last = 3 },
						      { ALL, .last = 7 },
						      { ALL, .tags = "x" } };
	const struct keep_rule *room[MOST];
	struct keep_rules fit;

	(void)state;
	choose(rules, &fit, room);
	assert_int_equal(keep_last(&fit), 7);
}

/* -------------------------------------------------------------- manifests */

static const struct manifest_row {
	struct keep_rule rules[MOST];
	struct keep_manifest manifest;
	bool stays;
} manifest_rows[] = {
	/* clang-format off */
	{ { { ALL, .last = 1 } }, { false, 9 * DAY }, true },
	{ { { ALL, .untagged_after = DAY } }, { false, DAY - 1 }, true },
	{ { { ALL, .untagged_after = DAY } }, { false, DAY }, false },
	{ { { ALL, .untagged_after = DAY }, { ALL, .untagged_after = 9 * DAY } },
	  { false, 2 * DAY }, true },
	{ { { ALL, .untagged_after = DAY }, { ALL, .last = 1 } },
	  { false, 2 * DAY }, false },
	/* what has a subject that is not here */
	{ { { ALL, .untagged_after = DAY } }, { true, 9 * DAY }, true },
	{ { { ALL, .untagged_after = DAY, .orphans = true } },
	  { true, DAY - 1 }, true },
	{ { { ALL, .untagged_after = DAY, .orphans = true } },
	  { true, DAY }, false },
	{ { { ALL, .untagged_after = DAY, .orphans = true },
	    { ALL, .untagged_after = 9 * DAY } }, { true, 2 * DAY }, false },
	{ { { ALL, .untagged_after = DAY, .orphans = true },
	    { ALL, .untagged_after = 9 * DAY, .orphans = true } },
	  { true, 2 * DAY }, true },
	/* clang-format on */
};

static void a_manifest_goes_only_after_the_longest_time(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_size(manifest_rows); i++) {
		const struct keep_rule *room[MOST];
		struct keep_rules fit;

		choose(manifest_rows[i].rules, &fit, room);
		if (keep_manifest_stays(&fit, &manifest_rows[i].manifest) !=
		    manifest_rows[i].stays)
			fail_msg("row %zu", i);
	}
}

/* ---------------------------------------------------------------- the rest */

static void a_reason_names_what_counted_and_the_rules_asked(void **state)
{
	static const struct keep_rule rules[MOST] = {
		{ ALL, .last = 10, .number = 0 },
		{ ALL, .untagged_after = 1, .number = 1 },
		{ ALL, .tags = "v*", .untagged_after = 1, .number = 4 },
	};
	struct keep_tag tag = { "x", false, 41 * DAY, 3 * DAY / 24 };
	struct keep_manifest manifest = { false, 130 * 1000 };
	const struct keep_rule *room[MOST];
	auto_buf struct buf why = { 0 };
	struct keep_rules fit;

	(void)state;
	choose(rules, &fit, room);
	keep_tag_why(&fit, &tag, &why);
	assert_string_equal(why.at, "not of the last 10, pushed 41 days ago, "
				    "used 3 hours ago (keep[0], keep[4])");
	buf_clear(&why);
	keep_manifest_why(&fit, &manifest, &why);
	assert_string_equal(why.at, "untagged and unused for 2 minutes "
				    "(keep[1], keep[4])");
}

#define HEX64                              \
	"0123456789abcdef0123456789abcdef" \
	"0123456789abcdef0123456789abcdef"

static void a_tag_may_be_attached_to_a_manifest(void **state)
{
	struct digest subject;

	(void)state;
	assert_true(keep_is_attached("sha256-" HEX64, &subject));
	assert_true(keep_is_attached("sha256-" HEX64 ".sig", &subject));
	assert_string_equal(digest_text(&subject).s, "sha256:" HEX64);
	assert_false(keep_is_attached("sha256-" HEX64 "0", &subject));
	assert_false(keep_is_attached("sha256-0123.sig", &subject));
	assert_false(keep_is_attached("v1", &subject));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_are_for_the_repositories_that_fit),
		cmocka_unit_test(a_tag_stays_if_any_clause_keeps_it),
		cmocka_unit_test(the_largest_last_counts),
		cmocka_unit_test(a_manifest_goes_only_after_the_longest_time),
		cmocka_unit_test(
			a_reason_names_what_counted_and_the_rules_asked),
		cmocka_unit_test(a_tag_may_be_attached_to_a_manifest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
