/*
 * The law of names (6), over a real store: they are keys, never dial targets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "mirror_lab.h"

struct named_case {
	const char *name;
	const char *ns;
	const char *bound;
	bool push;
	const char *means; /* null: refused with `kind` */
	enum err_kind kind;
};

static const struct named_case names[] = {
	/* clang-format off */
	{ "redis",               NULL, NULL, false, "docker.io/library/redis", 0 },
	{ "team/app",            NULL, NULL, false, "docker.io/team/app",      0 },
	{ "team/app",            NULL, NULL, true,  "team/app",                0 },
	{ "redis",               NULL, NULL, true,  "redis",                   0 },
	{ "docker.io/redis",     NULL, NULL, false, "docker.io/library/redis", 0 },
	{ "docker.io/a/b",       NULL, NULL, false, "docker.io/a/b",           0 },
	{ "index.docker.io/a/b", NULL, NULL, false, "docker.io/a/b",           0 },
	{ "a/b", "docker.io",            NULL, false, "docker.io/a/b",         0 },
	{ "a/b", "registry-1.docker.io", NULL, false, "docker.io/a/b",         0 },
	{ "docker.io/a/b", "docker.io",  NULL, false, "docker.io/a/b",         0 },
	{ "mirror/docker.io/a/b", "docker.io", NULL, false, "docker.io/a/b",   0 },
	{ "mirror/docker.io/a", "index.docker.io", NULL, false,
						   "docker.io/library/a",      0 },
	{ "mirror/docker.io/a", "docker.io", "docker.io", false,
						   "docker.io/library/a",      0 },
	{ "mirror/a",     "docker.io",   NULL, false, "docker.io/mirror/a",    0 },
	{ "mirror/ghcr.io/a", "docker.io", NULL, false,
						   "docker.io/mirror/ghcr.io/a", 0 },
	{ "mirror/docker.io/a",   NULL,  NULL, false,
						   "docker.io/mirror/docker.io/a", 0 },
	{ "mirror/docker.io/a",   NULL,  NULL, true, "mirror/docker.io/a",     0 },
	{ "mirror/docker.io/a", "docker.io", NULL, true, NULL, ERR_DENIED },
	{ "a/b", "10.0.0.1:5000",        NULL, false, "docker.io/a/b",         0 },
	{ "10.0.0.1:5000/a", NULL,       NULL, false, "docker.io/library/a",   0 },
	{ "10.0.0.1:5000/a", NULL,       NULL, true,  "a",                     0 },
	{ "10.0.0.1:5000/docker.io/a", NULL, NULL, true, NULL, ERR_DENIED },
	{ "a", NULL, "docker.io",              false, "docker.io/library/a",   0 },
	{ "a", "index.docker.io", "docker.io", false, "docker.io/library/a",   0 },
	{ "a", "10.0.0.1:5000",   "docker.io", false, "docker.io/library/a",   0 },
	{ "a", "Docker.IO",       "docker.io", false, "docker.io/library/a",   0 },
	{ "a", "ghcr.io",         "docker.io", false, NULL, ERR_NAME_UNKNOWN },
	{ "a/b",           "evil.test", NULL, false, NULL, ERR_NAME_UNKNOWN },
	{ "evil.test/a",        NULL,   NULL, false, NULL, ERR_NAME_UNKNOWN },
	{ "127.0.0.1/a",        NULL,   NULL, false, NULL, ERR_NAME_UNKNOWN },
	{ "localhost/a",        NULL,   NULL, false, NULL, ERR_NAME_UNKNOWN },
	{ "a", NULL, "evil.test",             false, NULL, ERR_NAME_UNKNOWN },
	{ "docker.io/a/b",      NULL,   NULL, true,  NULL, ERR_DENIED },
	{ "evil.test/a",        NULL,   NULL, true,  NULL, ERR_DENIED },
	{ "library/redis",      NULL,   NULL, true,  NULL, ERR_DENIED },
	{ "a/b", "docker.io",           NULL, true,  NULL, ERR_DENIED },
	{ "a", NULL, "docker.io",             true,  NULL, ERR_DENIED },
	{ "A/b",                NULL,   NULL, false, NULL, ERR_NAME_INVALID },
	{ "docker.io/../x",     NULL,   NULL, false, NULL, ERR_NAME_INVALID },
	/* clang-format on */
};

static void check_names(struct lab *lab, const struct named_case *cases,
			size_t count)
{
	struct mirror_target target;
	struct err e;

	for (size_t i = 0; i < count; i++) {
		struct mirror_question question = {
			.rules = &rules,
			.name = span_of(cases[i].name),
			.ns = span_of(cases[i].ns),
			.host = SPAN("10.0.0.1:5000"),
			.bound = span_of(cases[i].bound),
			.push = cases[i].push,
		};
		int failed =
			mirror_resolve(lab->mirror, &question, &target, &e);

		print_message("%s ns=%s\n", cases[i].name, cases[i].ns);
		assert_int_equal(failed, cases[i].means ? 0 : -1);
		if (failed)
			assert_int_equal(e.kind, cases[i].kind);
		else
			assert_string_equal(
				repository_text(&target.repository).s,
				cases[i].means);
	}
	assert_int_equal(fake_connection_count(lab->server), 0);
}

static void a_name_is_a_key_and_never_a_dial_target(void **state)
{
	check_names(*state, names, array_size(names));
}

static char *const ours[] = { "ours/**", "library/mine", "old.test/**",
			      "docker.io/**" };
static char *const reserved[] = { "corp/**", "ours/base", "*" };
static char *const allow[] = { "library/*", "team/**" };
static char *const deny[] = { "team/secret*", "library/telnet" };

#define PATTERNS(array)                  \
	{                                \
		array, array_size(array) \
	}

/* With the patterns above. */
static const struct named_case ruled[] = {
	/* clang-format off */
	{ "ours/app",            NULL, NULL, false, "ours/app",                0 },
	{ "ours/app",            NULL, NULL, true,  "ours/app",                0 },
	{ "ours/app", "docker.io",     NULL, false, NULL, ERR_NAME_UNKNOWN },
	{ "ours/app", "docker.io",     NULL, true,  NULL, ERR_DENIED },
	{ "library/mine",        NULL, NULL, false, "library/mine",            0 },
	{ "library/mine",        NULL, NULL, true,  "library/mine",            0 },
	{ "library/redis",       NULL, NULL, true,  NULL, ERR_DENIED },
	{ "mine",                NULL, NULL, false, "docker.io/library/mine",  0 },
	{ "old.test/a/b",        NULL, NULL, false, "old.test/a/b",            0 },
	{ "old.test/a/b",        NULL, NULL, true,  "old.test/a/b",            0 },
	{ "10.0.0.1:5000/old.test/a", NULL, NULL, true, "old.test/a",          0 },
	{ "old.test/a", "docker.io",   NULL, true,  NULL, ERR_DENIED },
	{ "new.test/a",          NULL, NULL, true,  NULL, ERR_DENIED },
	{ "docker.io/team/a",    NULL, NULL, false, "docker.io/team/a",        0 },
	{ "docker.io/team/a",    NULL, NULL, true,  NULL, ERR_DENIED },
	{ "index.docker.io/team/a", NULL, NULL, true, NULL, ERR_DENIED },
	{ "corp/a/b",            NULL, NULL, true,  NULL, ERR_DENIED },
	{ "ours/base",           NULL, NULL, true,  NULL, ERR_DENIED },
	{ "ours/base",           NULL, NULL, false, "ours/base",               0 },
	{ "redis",               NULL, NULL, true,  NULL, ERR_DENIED },
	{ "redis",               NULL, NULL, false, "docker.io/library/redis", 0 },
	{ "team/a/b",            NULL, NULL, false, "docker.io/team/a/b",      0 },
	{ "team/secrets",        NULL, NULL, false, NULL, ERR_NAME_UNKNOWN },
	{ "team/secrets/a",      NULL, NULL, false, "docker.io/team/secrets/a", 0 },
	{ "telnet",              NULL, NULL, false, NULL, ERR_NAME_UNKNOWN },
	{ "docker.io/telnet",    NULL, NULL, false, NULL, ERR_NAME_UNKNOWN },
	{ "other/a",             NULL, NULL, false, NULL, ERR_NAME_UNKNOWN },
	{ "other/a",             NULL, NULL, true,  "other/a",                 0 },
	{ "ghcr.io/other/a",     NULL, NULL, false, "ghcr.io/other/a",         0 },
	/* clang-format on */
};

static void patterns_decide_what_is_ours_and_what_is_mirrored(void **state)
{
	struct lab *lab = *state;

	rules.local = (struct mirror_patterns)PATTERNS(ours);
	rules.reserved = (struct mirror_patterns)PATTERNS(reserved);
	upstream_rules[0].allow = (struct mirror_patterns)PATTERNS(allow);
	upstream_rules[0].deny = (struct mirror_patterns)PATTERNS(deny);
	check_names(lab, ruled, array_size(ruled));
}

static bool is_same_network(const void *arg, const struct mirror_reader *reader)
{
	return arg == reader;
}

static void what_is_for_readers_is_unknown_to_others(void **state)
{
	static const struct mirror_reader readers[3];
	static const struct mirror_asker askers[] = {
		{ is_same_network, &readers[1] },
		{ is_same_network, &readers[2] },
	};
	struct lab *lab = *state;
	struct mirror_question question = { .rules = &rules };
	struct mirror_target target;
	const char *upstream;
	struct err e;

	upstream_rules[1].readers = readers;
	upstream_rules[1].reader_count = 2;
	for (size_t i = 0; i < 2; i++) {
		int expected = i == 0 ? 0 : -1;

		question.asker = &askers[i];
		question.ns = SPAN("ghcr.io");
		question.name = SPAN("team/app");
		assert_int_equal(mirror_resolve(lab->mirror, &question, &target,
						&e),
				 expected);
		assert_int_equal(mirror_resolve_registry(lab->mirror, &question,
							 &upstream, &e),
				 expected);
		if (expected)
			assert_int_equal(e.kind, ERR_NAME_UNKNOWN);
		question.ns = SPAN_NONE;
		assert_int_equal(
			mirror_resolve(lab->mirror, &question, &target, &e), 0);
	}
	question.asker = NULL;
	question.ns = SPAN("ghcr.io");
	assert_int_equal(mirror_resolve(lab->mirror, &question, &target, &e),
			 0);
}

/* As a service is called in a cluster: Docker takes no such word for a host. */
static void a_word_that_is_our_name_is_no_host(void **state)
{
	struct lab *lab = *state;
	struct mirror_question question = {
		.rules = &rules,
		.name = SPAN("registry/app"),
		.host = SPAN("registry"),
		.push = true,
	};
	struct mirror_target target;
	struct err e;

	assert_int_equal(mirror_resolve(lab->mirror, &question, &target, &e),
			 0);
	assert_string_equal(repository_text(&target.repository).s,
			    "registry/app");
}

static void push_image(struct lab *lab, const char *name)
{
	struct repository local = { 0 };
	struct incoming *incoming;
	struct manifest manifest;
	struct reference one = { .kind = REFERENCE_TAG, .tag = { "1" } };
	struct meta_put put = {
		.repository = &local,
		.manifest = &manifest,
		.reference = &one,
	};
	struct err e;

	strcpy(local.name.s, name);
	assert_int_equal(
		incoming_open_upload(lab->store, &local, &incoming, &e), 0);
	assert_int_equal(incoming_write(incoming,
					span_make(lab->blob, BLOB_SIZE), &e),
			 0);
	assert_int_equal(incoming_commit(&incoming, &lab->digest, &e), 0);
	assert_int_equal(manifest_parse(span_of(image(lab, "mine")), SPAN_NONE,
					DIGEST_SHA256, lab->arena, &manifest,
					&e),
			 0);
	assert_int_equal(store_put_manifest(lab->store, &put, &e), 0);
}

static bool means_local(struct lab *lab, const char *name)
{
	struct mirror_question question = { .rules = &rules,
					    .name = span_of(name) };
	struct mirror_target target;
	struct err e;

	assert_int_equal(mirror_resolve(lab->mirror, &question, &target, &e),
			 0);
	return repository_is_local(&target.repository);
}

static void a_bare_name_is_local_for_good_once_it_was_pushed(void **state)
{
	struct lab *lab = *state;
	struct repository local = { .name = { "redis" } };
	struct reference one = tag("1");
	struct err e;

	assert_false(means_local(lab, "redis"));
	push_image(lab, "redis");
	assert_true(means_local(lab, "redis"));
	assert_int_equal(
		store_drop_manifest(lab->store, &local, &one, NULL, &e), 0);
	assert_true(means_local(lab, "redis"));
	assert_false(means_local(lab, "docker.io/redis"));
}

#define promise(function) \
	cmocka_unit_test_setup_teardown(function, lab_open, lab_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(a_name_is_a_key_and_never_a_dial_target),
		promise(patterns_decide_what_is_ours_and_what_is_mirrored),
		promise(what_is_for_readers_is_unknown_to_others),
		promise(a_word_that_is_our_name_is_no_host),
		promise(a_bare_name_is_local_for_good_once_it_was_pushed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
