/*
 * Promises of oci/name.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "oci/name.h"

#define DIGEST_ABC                                                  \
	"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb4" \
	"10ff61f20015ad"

static bool is_name(struct span span)
{
	struct name name;
	struct err e;

	if (name_parse(span, &name, &e) < 0) {
		assert_int_equal(e.kind, ERR_NAME_INVALID);
		return false;
	}
	assert_true(span_is(span, name.s));
	return true;
}

static bool is_tag(struct span span)
{
	struct tag tag;
	struct err e;

	if (tag_parse(span, &tag, &e) < 0) {
		assert_int_equal(e.kind, ERR_TAG_INVALID);
		return false;
	}
	assert_true(span_is(span, tag.s));
	return true;
}

static void names_of_the_grammar_are_taken(void **state)
{
	static const char *const rows[] = {
		"a",
		"0",
		"app",
		"library/nginx",
		"a/b/c/d/e/f/g/h",
		"a.b",
		"a_b",
		"a__b",
		"a-b",
		"a-----b",
		"a.b_c__d-e--f/g",
		"ghcr.io/org/app",
		"0/0",
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++)
		if (!is_name(span_of(rows[i])))
			fail_msg("%s", rows[i]);
}

static void other_names_are_refused(void **state)
{
	static const char *const rows[] = {
		"",	 "/",	 "a/",	  "/a",	       "a//b",
		"A",	 "aB",	 ".a",	  "a.",	       "a..b",
		"a___b", "_a",	 "a_",	  "-a",	       "a-",
		"a._b",	 "a-_b", "a.-b",  "a b",       " a",
		"a ",	 "a:b",	 "a@b",	  "a/../b",    "../a",
		"a/.",	 "a\\b", "a%2fb", "a\xc3\xa9", "a\n",
		"a/-b",	 "a-/b", "a+b",	  "~a",	       "localhost:5000/a",
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++)
		if (is_name(span_of(rows[i])))
			fail_msg("%s", rows[i]);
	assert_false(is_name(SPAN_NONE));
	assert_false(is_name(SPAN("a\0")));
	assert_false(is_name(SPAN("a\0b")));
}

static void a_name_has_at_most_255_characters(void **state)
{
	char wide[256];

	(void)state;
	memset(wide, 'a', sizeof(wide));
	assert_true(is_name(span_make(wide, 255)));
	assert_false(is_name(span_make(wide, 256)));
}

static void tags_of_the_grammar_are_taken(void **state)
{
	static const char *const rows[] = {
		"latest", "v1.0", "1", "_", "_.-", "A-b_C.9", "sha256-abc.sig",
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++)
		if (!is_tag(span_of(rows[i])))
			fail_msg("%s", rows[i]);
}

static void other_tags_are_refused(void **state)
{
	static const char *const rows[] = {
		"",    ".",   "-",   ".a", "-a",       "a b",  "a/b",
		"a:b", "a+b", "a\n", "..", "\xc3\xa9", "a%41",
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++)
		if (is_tag(span_of(rows[i])))
			fail_msg("%s", rows[i]);
	assert_false(is_tag(SPAN_NONE));
	assert_false(is_tag(SPAN("a\0")));
}

static void a_tag_has_at_most_128_characters(void **state)
{
	char wide[129];

	(void)state;
	memset(wide, 'a', sizeof(wide));
	assert_true(is_tag(span_make(wide, 128)));
	assert_false(is_tag(span_make(wide, 129)));
}

static void a_reference_with_a_colon_is_a_digest(void **state)
{
	struct reference reference;
	struct err e;

	(void)state;
	assert_int_equal(reference_parse(SPAN("v1"), &reference, &e), 0);
	assert_int_equal(reference.kind, REFERENCE_TAG);
	assert_string_equal(reference_text(&reference).s, "v1");

	assert_int_equal(reference_parse(SPAN(DIGEST_ABC), &reference, &e), 0);
	assert_int_equal(reference.kind, REFERENCE_DIGEST);
	assert_string_equal(reference_text(&reference).s, DIGEST_ABC);

	assert_int_equal(reference_parse(SPAN("a:b"), &reference, &e), -1);
	assert_int_equal(e.kind, ERR_DIGEST_INVALID);
	assert_int_equal(reference_parse(SPAN("a b"), &reference, &e), -1);
	assert_int_equal(e.kind, ERR_TAG_INVALID);
}

static void a_digest_is_a_reference(void **state)
{
	struct reference parsed, made;
	struct err e;

	(void)state;
	assert_int_equal(reference_parse(SPAN(DIGEST_ABC), &parsed, &e), 0);
	made = reference_to_digest(&parsed.digest);
	assert_int_equal(made.kind, REFERENCE_DIGEST);
	assert_true(digest_eq(&made.digest, &parsed.digest));
}

static void a_repository_is_local_or_an_upstreams(void **state)
{
	struct repository local = { .name = { "app" } };
	struct repository hub = { "docker.io", { "library/nginx" } };

	(void)state;
	assert_true(repository_is_local(&local));
	assert_false(repository_is_local(&hub));
	assert_string_equal(repository_text(&local).s, "app");
	assert_string_equal(repository_text(&hub).s, "docker.io/library/nginx");
}

static void hosts_are_told_as_docker_tells_them(void **state)
{
	static const char *const hosts[] = {
		"ghcr.io", "localhost", "host:5000", "10.0.0.1", "[::1]:5000",
	};
	static const char *const others[] = {
		"", "library", "localhosts", "my-org", "org_1", "Org",
	};

	(void)state;
	for (size_t i = 0; i < array_size(hosts); i++)
		assert_true(name_looks_like_host(span_of(hosts[i])));
	for (size_t i = 0; i < array_size(others); i++)
		assert_false(name_looks_like_host(span_of(others[i])));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_the_grammar_are_taken),
		cmocka_unit_test(other_names_are_refused),
		cmocka_unit_test(a_name_has_at_most_255_characters),
		cmocka_unit_test(tags_of_the_grammar_are_taken),
		cmocka_unit_test(other_tags_are_refused),
		cmocka_unit_test(a_tag_has_at_most_128_characters),
		cmocka_unit_test(a_reference_with_a_colon_is_a_digest),
		cmocka_unit_test(a_digest_is_a_reference),
		cmocka_unit_test(a_repository_is_local_or_an_upstreams),
		cmocka_unit_test(hosts_are_told_as_docker_tells_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
