/*
 * Promises of agent/tables.h: what is put in comes out again, and every other
 * byte stays.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/engine.h"
#include "agent/tables.h"

#define TABLES                       \
	"[registry.\"docker.io\"]\n" \
	"  mirrors = [\"10.0.0.5:5000/docker.io\"]\n"
#define KEY "config_path = \"/etc/containerd/certs.d\""
#define CRI2 "[plugins.\"io.containerd.grpc.v1.cri\""
#define CRI3 "[plugins.'io.containerd.cri.v1.images'"
#define MARK "# private-registry: "

static void expect(const struct kind *kind, const char *element,
		   const char *text, const char *wanted)
{
	auto_buf struct buf with = { 0 };
	auto_buf struct buf without = { 0 };
	struct span ours = span_of(element);
	struct err e;

	if (kind->put(span_of(text), ours, &with, &e) < 0)
		fail_msg("%s: %s", text, e.message);
	assert_string_equal(with.at, wanted);
	assert_true(kind->is_marked(buf_span(&with)));
	assert_true(kind->has(buf_span(&with), ours));
	assert_false(kind->has(buf_span(&with), SPAN("other")));
	kind->take(buf_span(&with), ours, &without);
	assert_true(!text || span_is(buf_span(&without), text));
	assert_false(kind->is_marked(buf_span(&without)));
}

/* ------------------------------------------------------------------ tables */

#define BLOCK \
	MARK "what follows is managed\n" TABLES MARK "what follows is not\n"

static void tables_stand_at_the_end_and_come_out_again(void **state)
{
	(void)state;
	expect(&kind_tables, TABLES, NULL, BLOCK);
	expect(&kind_tables, TABLES, "", BLOCK);
	expect(&kind_tables, TABLES, "debug = true\n",
	       "debug = true\n\n" BLOCK);
	expect(&kind_tables, TABLES, "[grpc]\r\n  gid = 1",
	       "[grpc]\r\n  gid = 1\n" BLOCK);
}

static void what_is_written_behind_tables_stays(void **state)
{
	auto_buf struct buf rest = { 0 };
	struct span text = SPAN("a = 1\n\n" BLOCK "[worker]\n");

	(void)state;
	kind_tables.take(text, SPAN(TABLES), &rest);
	assert_string_equal(rest.at, "a = 1\n[worker]\n");
	assert_true(span_is(tables_ours(text), "\n" BLOCK));
	assert_null(tables_ours(buf_span(&rest)).at);
}

static void a_nul_is_a_byte_like_others(void **state)
{
	auto_buf struct buf with = { 0 };
	auto_buf struct buf without = { 0 };
	struct span text = SPAN("a\0b");
	struct err e;

	(void)state;
	assert_int_equal(kind_tables.put(text, SPAN(TABLES), &with, &e), 0);
	kind_tables.take(buf_span(&with), SPAN(TABLES), &without);
	assert_true(span_eq(buf_span(&without), text));
}

static void half_of_what_is_ours_is_left_alone(void **state)
{
	auto_buf struct buf rest = { 0 };
	struct span text = SPAN(MARK "what follows is managed\n" TABLES);
	struct err e;

	(void)state;
	kind_tables.take(text, SPAN(TABLES), &rest);
	assert_true(span_eq(buf_span(&rest), text));
	assert_int_equal(kind_tables.put(text, SPAN(TABLES), &rest, &e), -1);
	assert_int_equal(e.kind, ERR_CONFLICT);
}

static void a_name_counts_in_any_line_but_a_comment(void **state)
{
	(void)state;
	assert_true(tables_name(SPAN("[registry.\"a.b\"]"), "a.b"));
	assert_true(tables_name(SPAN("x = 1\n  y = ['a.b']"), "a.b"));
	assert_false(tables_name(SPAN("  # a.b\n"), "a.b"));
	assert_false(tables_name(SPAN(""), "a.b"));
}

/* ------------------------------------------------------------- config_path */

#define LINE MARK "the next line is managed"
#define TWO MARK "the next two lines are managed\n"

static void config_path_goes_where_its_version_has_it(void **state)
{
	(void)state;
	expect(&kind_config_path, KEY, NULL,
	       "version = 2\n\n" TWO CRI2 ".registry]\n" KEY "\n");
	expect(&kind_config_path, KEY, "version = 2\n",
	       "version = 2\n\n" TWO CRI2 ".registry]\n" KEY "\n");
	expect(&kind_config_path, KEY, "version = 3",
	       "version = 3\n" TWO
	       "[plugins.\"io.containerd.cri.v1.images\".registry]\n" KEY "\n");
	expect(&kind_config_path, KEY,
	       "version = 2\n" CRI2 "]\n  x = 1\n" CRI2 ".registry]\n[y]\n",
	       "version = 2\n" CRI2 "]\n  x = 1\n" CRI2 ".registry]\n" LINE
	       "\n" KEY "\n[y]\n");
	expect(&kind_config_path, KEY,
	       "version=3\n " CRI3 " . registry ]\r\n y = 1\r\n",
	       "version=3\n " CRI3 " . registry ]\r\n" LINE "\n" KEY
	       "\n y = 1\r\n");
	expect(&kind_config_path, KEY, "version = 2\n" CRI2 ".registry]",
	       "version = 2\n" CRI2 ".registry]\n" LINE "\n" KEY);
}

static void an_empty_config_path_is_replaced(void **state)
{
	(void)state;
	expect(&kind_config_path, KEY,
	       "version = 2\n" CRI2 ".registry]\n  config_path = \"\"\n\n" CRI2
	       ".registry.mirrors]\n",
	       "version = 2\n" CRI2 ".registry]\n" LINE
	       ", in place of:   config_path = \"\"\n" KEY "\n\n" CRI2
	       ".registry.mirrors]\n");
	expect(&kind_config_path, KEY,
	       "version = 3\n" CRI3 ".registry]\nconfig_path=''",
	       "version = 3\n" CRI3 ".registry]\n" LINE
	       ", in place of: config_path=''\n" KEY);
}

static void what_containerd_would_not_take_is_not_written(void **state)
{
	static const char *const texts[] = {
		"",
		"# nothing\n",
		"version = 1\n",
		"disabled_plugins = []\n",
		"version = 2\n" CRI2 ".registry]\nconfig_path = '/a'\n",
		"version = 2\n" CRI2 ".registry.mirrors.\"a\"]\n",
		"version = 2\n" CRI2 ".registry.mirrors]\n x = 1\n",
		"version = 2\n" CRI2 ".registry.configs.'a'.tls]\n",
		"version = 3\n" CRI3 ".registry.configs]\n x = 1\n",
		"version = 2\n" CRI2 "]\n  registry.config_path = ''\n",
		"version = 2\nplugins = {}\n",
		"version = 2\nx = \"\"\"\na\"\"\"\n",
		"version = 2\n" LINE "\n" LINE "\n",
	};

	(void)state;
	for (size_t i = 0; i < array_size(texts); i++) {
		auto_buf struct buf out = { 0 };
		struct err e;

		if (kind_config_path.put(span_of(texts[i]), SPAN(KEY), &out,
					 &e) == 0)
			fail_msg("%s", texts[i]);
		assert_int_equal(e.kind, ERR_CONFLICT);
	}
}

static void edits_around_config_path_stay(void **state)
{
	auto_buf struct buf rest = { 0 };

	(void)state;
	kind_config_path.take(SPAN("version = 2\n" CRI2 ".registry]\n" LINE
				   "\n  config_path = \"/edited\"\n  y = 1\n"),
			      SPAN(KEY), &rest);
	assert_string_equal(rest.at,
			    "version = 2\n" CRI2 ".registry]\n  y = 1\n");
}

static void the_file_of_containerds_words_is_found(void **state)
{
	(void)state;
	assert_true(span_is(
		containerd_config_file(SPAN("containerd\0-c\0/a\0")), "/a"));
	assert_true(span_is(
		containerd_config_file(SPAN("containerd\0--config=/b\0")),
		"/b"));
	assert_null(containerd_config_file(SPAN("containerd\0-l\0x\0")).at);
	assert_null(containerd_config_file(SPAN("")).at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_stand_at_the_end_and_come_out_again),
		cmocka_unit_test(what_is_written_behind_tables_stays),
		cmocka_unit_test(a_nul_is_a_byte_like_others),
		cmocka_unit_test(half_of_what_is_ours_is_left_alone),
		cmocka_unit_test(a_name_counts_in_any_line_but_a_comment),
		cmocka_unit_test(config_path_goes_where_its_version_has_it),
		cmocka_unit_test(an_empty_config_path_is_replaced),
		cmocka_unit_test(what_containerd_would_not_take_is_not_written),
		cmocka_unit_test(edits_around_config_path_stay),
		cmocka_unit_test(the_file_of_containerds_words_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
