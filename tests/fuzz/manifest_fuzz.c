/*
 * A line with the Content-Type, which may be empty, then a manifest. What is
 * taken once is taken again under the type that it was given.
 */
#include <stdlib.h>

#include "base/json.h"
#include "oci/hash.h"
#include "oci/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static void check(bool promise)
{
	if (!promise)
		abort();
}

/* RFC 3629, by value: a sequence is the shortest for what it means. */
static size_t character_length(const unsigned char *at, size_t room)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = at[0] < 0x80 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
	uint32_t value = len == 1 ? at[0] : at[0] & (0x7f >> len);

	check(len <= room && (len == 1 || (at[0] & 0xc0) == 0xc0));
	check(at[0] < 0xf8);
	for (size_t i = 1; i < len; i++) {
		check((at[i] & 0xc0) == 0x80);
		value = value << 6 | (at[i] & 0x3f);
	}
	check(value >= least[len] && value <= 0x10ffff);
	check(value < 0xd800 || value > 0xdfff);
	return len;
}

static void check_text(struct span text)
{
	const unsigned char *at = (const unsigned char *)text.at;

	for (size_t i = 0; i < text.len;)
		i += character_length(at + i, text.len - i);
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

/* Its descriptor is JSON with its digest, and is what an index may hold. */
static void check_described(const struct manifest *manifest)
{
	static const struct json_limits limits = { 8 << 20, 100000, 9 };
	auto_of(json) struct json *json = NULL;
	auto_buf struct buf text = { 0 };
	struct err e;

	manifest_describe(manifest, &text);
	check(json_parse(buf_span(&text), &limits, &json, &e) == 0);
	check(span_is(json_text(json_get(json_root(json), "digest")),
		      digest_text(&manifest->digest).s));
}

static void check_manifest(const struct manifest *manifest, struct arena *arena)
{
	struct span media_type = span_of(manifest->media_type);
	struct manifest again;
	struct err e;

	check_text(manifest->bytes);
	for (size_t i = 0; i < manifest->count; i++)
		check_descriptor(manifest, i);
	check_described(manifest);
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
