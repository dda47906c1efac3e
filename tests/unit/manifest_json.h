/*
 * Manifests as text, for the tests of oci/manifest.h.
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/buf.h"
#include "oci/hash.h"
#include "oci/manifest.h"

#define OCI_IMAGE "application/vnd.oci.image.manifest.v1+json"
#define OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define DOCKER_IMAGE "application/vnd.docker.distribution.manifest.v2+json"
#define DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define LAYER_TYPE "application/vnd.oci.image.layer.v1.tar+gzip"

#define DIGEST_A                                                    \
	"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aaaaaaaaaaaaaa"
#define DIGEST_B                                                    \
	"sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb" \
	"bbbbbbbbbbbbbb"

/* A descriptor as JSON. */
#define NAMES(type, digest, size)                                              \
	"{\"mediaType\":\"" type "\",\"digest\":\"" digest "\",\"size\":" size \
	"}"
#define CONFIG_TYPE "application/vnd.oci.image.config.v1+json"
#define CONFIG NAMES(CONFIG_TYPE, DIGEST_A, "2")
#define LAYER NAMES(LAYER_TYPE, DIGEST_B, "9223372036854775807")

#define VERSION "\"schemaVersion\":2"
#define TYPE(type) ",\"mediaType\":\"" type "\""
#define IMAGE_MEMBERS ",\"config\":" CONFIG ",\"layers\":[" LAYER "]"
#define INDEX_MEMBERS ",\"manifests\":[" NAMES(OCI_IMAGE, DIGEST_A, "7") "]"

#define IMAGE "{" VERSION IMAGE_MEMBERS "}"
#define INDEX "{" VERSION INDEX_MEMBERS "}"

static inline int arena_begin(void **state)
{
	*state = arena_open();
	return 0;
}

static inline int arena_end(void **state)
{
	struct arena *arena = *state;

	arena_close(&arena);
	return 0;
}

static inline struct manifest parsed(struct arena *arena, struct span bytes,
				     struct span media_type)
{
	struct manifest manifest;
	struct err e;

	if (manifest_parse(bytes, media_type, DIGEST_SHA256, arena, &manifest,
			   &e) < 0)
		fail_msg("%s", e.message);
	return manifest;
}

static inline void assert_refused(struct arena *arena, struct span bytes,
				  struct span media_type, const char *message)
{
	struct manifest manifest;
	struct err e;

	assert_int_equal(manifest_parse(bytes, media_type, DIGEST_SHA256, arena,
					&manifest, &e),
			 -1);
	assert_int_equal(e.kind, ERR_MANIFEST_INVALID);
	assert_string_equal(e.message, message);
}

#define promise(name) \
	cmocka_unit_test_setup_teardown(name, arena_begin, arena_end)
