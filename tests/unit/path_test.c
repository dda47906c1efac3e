/*
 * Paths of the API: what matches, what it is taken apart into, and which
 * tricks match nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/path.h"

#define MANIFEST "/v2/<name>/manifests/<reference>"
#define BLOB "/v2/<name>/blobs/<digest>"
#define UPLOADS "/v2/<name>/blobs/uploads/"
#define UPLOAD "/v2/<name>/blobs/uploads/<upload>"

static const struct {
	const char *path;
	const char *pattern;
	const char *name;
	const char *part; /* reference, digest or upload */
	const char *bound;
} matches[] = {
	{ "/v2/app/manifests/v1", MANIFEST, "app", "v1", NULL },
	{ "/v2/a/b/c/manifests/v1", MANIFEST, "a/b/c", "v1", NULL },
	{ "/v2/app/blobs/sha256:ab", BLOB, "app", "sha256:ab", NULL },
	{ "/v2/app/blobs/sha256%3Aab", BLOB, "app", "sha256:ab", NULL },
	{ "/v2/app/blobs/uploads/", UPLOADS, "app", NULL, NULL },
	{ "/v2/app/blobs/uploads/k", UPLOAD, "app", "k", NULL },
	{ "/v2/blobs/uploads/blobs/uploads/k", UPLOAD, "blobs/uploads", "k",
	  NULL },
	{ "/v2/app/tags/list", "/v2/<name>/tags/list", "app", NULL, NULL },
	{ "/v2/", "/v2/", NULL, NULL, NULL },
	{ "/v2", "/v2/", NULL, NULL, NULL },
	{ "/healthz", "/healthz", NULL, NULL, NULL },
	{ "/mirror/docker.io/v2/", "/v2/", NULL, NULL, "docker.io" },
	{ "/mirror/ghcr.io/v2/a/manifests/v1", MANIFEST, "a", "v1", "ghcr.io" },
};

static const struct {
	const char *path;
	const char *pattern;
} misses[] = {
	{ "/v2/manifests/v1", MANIFEST },
	{ "/v2//manifests/v1", MANIFEST },
	{ "/v2/app/manifests/", MANIFEST },
	{ "/v2/app/manifests/v1/", MANIFEST },
	{ "/v1/app/manifests/v1", MANIFEST },
	{ "/v2/app/blobs/uploads/k", BLOB },
	{ "/v2/app%2fmanifests/v1", MANIFEST },
	{ "/v2/app/manifests/v%00", MANIFEST },
	{ "/v2/app/manifests/v%2", MANIFEST },
	{ "/v2/app/manifests/v%zz", MANIFEST },
	{ "/v2/app/manifests/%252e", MANIFEST },
	{ "/mirror//v2/", "/v2/" },
	{ "/mirror/docker.io", "/v2/" },
	{ "/mirror/docker.io/healthz", "/healthz" },
	{ "", "/v2/" },
};

static bool match(const char *text, const char *pattern, struct path_parts *out,
		  struct arena *arena)
{
	return path_match(path_decode(span_of(text), arena), pattern, out);
}

static struct span part_of(const struct path_parts *parts)
{
	if (parts->reference.at)
		return parts->reference;
	return parts->digest.at ? parts->digest : parts->upload;
}

static bool says(struct span have, const char *want)
{
	return want ? span_is(have, want) : !have.at;
}

static void a_path_is_taken_apart_from_its_end(void **state)
{
	struct arena *arena = arena_open();
	struct path_parts parts;

	(void)state;
	for (size_t i = 0; i < array_size(matches); i++) {
		print_message("%s\n", matches[i].path);
		assert_true(match(matches[i].path, matches[i].pattern, &parts,
				  arena));
		assert_true(says(parts.name, matches[i].name));
		assert_true(says(part_of(&parts), matches[i].part));
		assert_true(says(parts.bound, matches[i].bound));
	}
	arena_close(&arena);
}

static void what_has_another_form_matches_nothing(void **state)
{
	struct arena *arena = arena_open();
	struct path_parts parts;

	(void)state;
	for (size_t i = 0; i < array_size(misses); i++) {
		print_message("%s\n", misses[i].path);
		assert_false(match(misses[i].path, misses[i].pattern, &parts,
				   arena));
	}
	arena_close(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_is_taken_apart_from_its_end),
		cmocka_unit_test(what_has_another_form_matches_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
