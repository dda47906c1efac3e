/*
 * A line with the Content-Type, which may be empty, then a manifest. What is
 * taken once is taken again under the type that it was given.
 */
#include <stdlib.h>

#include "oci/hash.h"
#include "oci/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static void check(bool promise)
{
	if (!promise)
		abort();
}

static void check_descriptor(const struct manifest *manifest, size_t i)
{
	const struct descriptor *descriptor = &manifest->descriptors[i];
	bool is_image = manifest->kind == MANIFEST_IMAGE;
	struct digest again;
	struct err e;

	check(descriptor->size >= 0);
	check((descriptor->role == DESCRIPTOR_CONFIG) == (is_image && i == 0));
	check(descriptor->role != DESCRIPTOR_MANIFEST || !is_image);
	check(digest_parse(span_of(digest_text(&descriptor->digest).s), &again,
			   &e) == 0);
}

static void check_manifest(const struct manifest *manifest, struct arena *arena)
{
	struct span media_type = span_of(manifest->media_type);
	struct manifest again;
	struct err e;

	for (size_t i = 0; i < manifest->count; i++)
		check_descriptor(manifest, i);
	check(manifest_parse(manifest->bytes, media_type, DIGEST_SHA256, arena,
			     &again, &e) == 0);
	check(again.kind == manifest->kind);
	check(again.count == manifest->count);
	check(digest_eq(&again.digest, &manifest->digest));
	check(span_is(media_type, again.media_type));
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct span bytes = span_make((const char *)input, size);
	struct span media_type = span_cut(&bytes, '\n');
	auto_of(arena) struct arena *arena = arena_open();
	struct manifest manifest;
	struct err e;

	if (media_type.len == 0)
		media_type = SPAN_NONE;
	if (manifest_parse(bytes, media_type, DIGEST_SHA256, arena, &manifest,
			   &e) == 0)
		check_manifest(&manifest, arena);
	else
		check(e.kind == ERR_MANIFEST_INVALID ||
		      e.kind == ERR_TOO_LARGE);
	return 0;
}
