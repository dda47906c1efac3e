/*
 * Promises of oci/manifest.h.
 */
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
#define CONFIG NAMES("application/vnd.oci.image.config.v1+json", DIGEST_A, "2")
#define LAYER NAMES(LAYER_TYPE, DIGEST_B, "9223372036854775807")

#define VERSION "\"schemaVersion\":2"
#define TYPE(type) ",\"mediaType\":\"" type "\""
#define IMAGE_MEMBERS ",\"config\":" CONFIG ",\"layers\":[" LAYER "]"
#define INDEX_MEMBERS ",\"manifests\":[" NAMES(OCI_IMAGE, DIGEST_A, "7") "]"

#define IMAGE "{" VERSION IMAGE_MEMBERS "}"
#define INDEX "{" VERSION INDEX_MEMBERS "}"

static int arena_begin(void **state)
{
	*state = arena_open();
	return 0;
}

static int arena_end(void **state)
{
	struct arena *arena = *state;

	arena_close(&arena);
	return 0;
}

static struct manifest parsed(struct arena *arena, struct span bytes,
			      struct span media_type)
{
	struct manifest manifest;
	struct err e;

	if (manifest_parse(bytes, media_type, DIGEST_SHA256, arena, &manifest,
			   &e) < 0)
		fail_msg("%s", e.message);
	return manifest;
}

static void assert_refused(struct arena *arena, struct span bytes,
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

static void an_image_names_its_config_and_layers(void **state)
{
	struct manifest manifest = parsed(*state, SPAN(IMAGE), SPAN(OCI_IMAGE));
	const struct descriptor *config = &manifest.descriptors[0];
	const struct descriptor *layer = &manifest.descriptors[1];

	assert_int_equal(manifest.kind, MANIFEST_IMAGE);
	assert_string_equal(manifest.media_type, OCI_IMAGE);
	assert_string_equal(manifest.artifact_type, "");
	assert_false(manifest.has_subject);
	assert_int_equal(manifest.count, 2);
	assert_int_equal(config->role, DESCRIPTOR_CONFIG);
	assert_string_equal(digest_text(&config->digest).s, DIGEST_A);
	assert_int_equal(config->size, 2);
	assert_int_equal(layer->role, DESCRIPTOR_LAYER);
	assert_string_equal(digest_text(&layer->digest).s, DIGEST_B);
	assert_int_equal(layer->size, INT64_MAX);
	assert_false(layer->foreign);
}

static void an_index_names_manifests(void **state)
{
	struct manifest manifest = parsed(*state, SPAN(INDEX), SPAN(OCI_INDEX));

	assert_int_equal(manifest.kind, MANIFEST_INDEX);
	assert_int_equal(manifest.count, 1);
	assert_int_equal(manifest.descriptors[0].role, DESCRIPTOR_MANIFEST);
	assert_int_equal(manifest.descriptors[0].size, 7);
}

static void dockers_own_types_are_taken(void **state)
{
	struct manifest image = parsed(
		*state, SPAN("{" VERSION TYPE(DOCKER_IMAGE) IMAGE_MEMBERS "}"),
		SPAN(DOCKER_IMAGE));
	struct manifest list = parsed(
		*state, SPAN("{" VERSION TYPE(DOCKER_LIST) INDEX_MEMBERS "}"),
		SPAN(DOCKER_LIST));

	assert_int_equal(image.kind, MANIFEST_IMAGE);
	assert_string_equal(image.media_type, DOCKER_IMAGE);
	assert_int_equal(list.kind, MANIFEST_INDEX);
	assert_string_equal(list.media_type, DOCKER_LIST);
}

static void the_digest_is_of_the_bytes_as_they_came(void **state)
{
	struct span bytes = SPAN(" \n" IMAGE "\n");
	struct manifest manifest = parsed(*state, bytes, SPAN_NONE);
	struct digest digest = hash_of(DIGEST_SHA256, bytes);

	assert_ptr_equal(manifest.bytes.at, bytes.at);
	assert_int_equal(manifest.bytes.len, bytes.len);
	assert_true(digest_eq(&manifest.digest, &digest));
}

static void the_algorithm_is_the_callers(void **state)
{
	struct manifest manifest;
	struct digest digest = hash_of(DIGEST_SHA512, SPAN(IMAGE));
	struct err e;

	assert_int_equal(manifest_parse(SPAN(IMAGE), SPAN_NONE, DIGEST_SHA512,
					*state, &manifest, &e),
			 0);
	assert_true(digest_eq(&manifest.digest, &digest));
}

static void without_a_type_the_members_decide(void **state)
{
	struct manifest image = parsed(*state, SPAN(IMAGE), SPAN_NONE);
	struct manifest index = parsed(*state, SPAN(INDEX), SPAN_NONE);
	struct manifest inside = parsed(
		*state, SPAN("{" VERSION TYPE(DOCKER_LIST) INDEX_MEMBERS "}"),
		SPAN_NONE);

	assert_string_equal(image.media_type, OCI_IMAGE);
	assert_string_equal(index.media_type, OCI_INDEX);
	assert_string_equal(inside.media_type, DOCKER_LIST);
}

static void an_unknown_type_is_kept_if_the_members_are_known(void **state)
{
	struct manifest image =
		parsed(*state, SPAN(IMAGE), SPAN("application/vnd.new+json"));
	struct manifest index =
		parsed(*state, SPAN(INDEX), SPAN("application/vnd.new+json"));

	assert_int_equal(image.kind, MANIFEST_IMAGE);
	assert_int_equal(index.kind, MANIFEST_INDEX);
	assert_string_equal(index.media_type, "application/vnd.new+json");
	assert_refused(*state, SPAN("{" VERSION ",\"blobs\":[]}"),
		       SPAN("application/vnd.new+json"),
		       "neither an image manifest nor an index");
	assert_refused(*state, SPAN("{" VERSION "}"), SPAN_NONE,
		       "neither an image manifest nor an index");
}

/* CVE-2021-41190 */
static void nothing_is_an_image_and_an_index_at_once(void **state)
{
	static const char both[] = "both an image's members and an index's";

	assert_refused(*state,
		       SPAN("{" VERSION IMAGE_MEMBERS INDEX_MEMBERS "}"),
		       SPAN_NONE, both);
	assert_refused(*state,
		       SPAN("{" VERSION TYPE(OCI_INDEX) INDEX_MEMBERS
			    ",\"layers\":[]}"),
		       SPAN(OCI_INDEX), both);
	assert_refused(*state,
		       SPAN("{" VERSION TYPE(OCI_IMAGE) IMAGE_MEMBERS
			    ",\"manifests\":[]}"),
		       SPAN(OCI_IMAGE), both);
}

static void members_must_be_those_of_the_type(void **state)
{
	assert_refused(*state, SPAN(INDEX), SPAN(OCI_IMAGE),
		       "its members are not those of " OCI_IMAGE);
	assert_refused(*state, SPAN(IMAGE), SPAN(DOCKER_LIST),
		       "its members are not those of " DOCKER_LIST);
	assert_refused(*state, SPAN("{" VERSION ",\"layers\":[]}"),
		       SPAN(OCI_IMAGE), "config: no descriptor");
}

static void both_types_must_agree(void **state)
{
	assert_refused(*state,
		       SPAN("{" VERSION TYPE(OCI_IMAGE) IMAGE_MEMBERS "}"),
		       SPAN(DOCKER_IMAGE),
		       "mediaType is " OCI_IMAGE
		       ", but Content-Type " DOCKER_IMAGE);
	assert_refused(*state,
		       SPAN("{" VERSION ",\"mediaType\":7" IMAGE_MEMBERS "}"),
		       SPAN(OCI_IMAGE), "mediaType is no text");
}

static void a_media_type_is_safe_in_a_header(void **state)
{
	static const char *const rows[] = {
		"",	   "x",	    "/",       "a/",	      "/b",
		"a/b/c",   "a/b c", "a/b;c=d", "a/b\r\nX: y", "a/\xc3\xa9",
		"a/b,c/d",
	};

	for (size_t i = 0; i < array_size(rows); i++)
		assert_refused(*state, SPAN(IMAGE), span_of(rows[i]),
			       "mediaType is no media type");
}

static void a_media_type_has_at_most_127_characters(void **state)
{
	char wide[129] = "a/";
	struct manifest manifest;

	memset(wide + 2, 'b', 126);
	manifest = parsed(*state, SPAN(IMAGE), span_make(wide, 127));
	assert_int_equal(strlen(manifest.media_type), 127);
	assert_refused(*state, SPAN(IMAGE), span_make(wide, 128),
		       "mediaType is no media type");
}

static void schema_1_is_refused_with_advice(void **state)
{
	static const char advice[] =
		"Docker's image manifest schema 1 is not supported: "
		"push it as schema 2 or OCI";

	assert_refused(*state, SPAN("{\"schemaVersion\":1,\"fsLayers\":[]}"),
		       SPAN_NONE, advice);
	assert_refused(*state, SPAN(IMAGE),
		       SPAN("application/vnd.docker.distribution.manifest."
			    "v1+prettyjws"),
		       advice);
}

static void the_schema_version_is_2(void **state)
{
	assert_refused(*state, SPAN("{\"config\":" CONFIG "}"), SPAN_NONE,
		       "schemaVersion is missing or no number");
	assert_refused(*state, SPAN("{\"schemaVersion\":\"2\"}"), SPAN_NONE,
		       "schemaVersion is missing or no number");
	assert_refused(*state, SPAN("{\"schemaVersion\":3}"), SPAN_NONE,
		       "schemaVersion is not 2");
	assert_refused(*state, SPAN("[2]"), SPAN_NONE,
		       "the manifest is not an object");
}

static void a_wrong_descriptor_says_where(void **state)
{
#define WITH_LAYER(layer)                                                      \
	SPAN("{" VERSION ",\"config\":" CONFIG ",\"layers\":[" LAYER "," layer \
	     "]}")
	static const struct {
		struct span bytes;
		const char *message;
	} rows[] = {
		{ WITH_LAYER("7"), "layers[1]: no descriptor" },
		{ WITH_LAYER("null"), "layers[1]: no descriptor" },
		{ WITH_LAYER("[]"), "layers[1]: no descriptor" },
		{ WITH_LAYER("{\"size\":1}"),
		  "layers[1]: digest is missing or no text" },
		{ WITH_LAYER("{\"digest\":7,\"size\":1}"),
		  "layers[1]: digest is missing or no text" },
		{ WITH_LAYER("{\"digest\":\"sha256:A\",\"size\":1}"),
		  "layers[1]: \"sha256:A\" is no digest" },
		{ WITH_LAYER("{\"digest\":\"blake3:a\",\"size\":1}"),
		  "layers[1]: digests by blake3 are not supported" },
		{ WITH_LAYER("{\"digest\":\"" DIGEST_A "\"}"),
		  "layers[1]: size is missing or no number of bytes" },
		{ WITH_LAYER(NAMES("a/b", DIGEST_A, "-1")),
		  "layers[1]: size is missing or no number of bytes" },
		{ WITH_LAYER(NAMES("a/b", DIGEST_A, "1.5")),
		  "layers[1]: size is missing or no number of bytes" },
		{ WITH_LAYER(NAMES("a/b", DIGEST_A, "\"1\"")),
		  "layers[1]: size is missing or no number of bytes" },
		{ SPAN("{" VERSION ",\"config\":{},\"layers\":[]}"),
		  "config: digest is missing or no text" },
		{ SPAN("{" VERSION ",\"config\":" CONFIG ",\"layers\":{}}"),
		  "layers is no list" },
		{ SPAN("{" VERSION ",\"manifests\":7}"),
		  "manifests is no list" },
		{ SPAN("{" VERSION ",\"manifests\":[{}]}"),
		  "manifests[0]: digest is missing or no text" },
		{ SPAN("{" VERSION ",\"manifests\":[],\"subject\":7}"),
		  "subject: no descriptor" },
	};

	for (size_t i = 0; i < array_size(rows); i++)
		assert_refused(*state, rows[i].bytes, SPAN_NONE,
			       rows[i].message);
}

static void an_image_without_layers_is_an_image(void **state)
{
	static const char *const rows[] = {
		"{" VERSION ",\"config\":" CONFIG "}",
		"{" VERSION ",\"config\":" CONFIG ",\"layers\":[]}",
		"{" VERSION ",\"config\":" CONFIG ",\"layers\":null}",
	};

	for (size_t i = 0; i < array_size(rows); i++) {
		struct manifest manifest =
			parsed(*state, span_of(rows[i]), SPAN_NONE);

		assert_int_equal(manifest.kind, MANIFEST_IMAGE);
		assert_int_equal(manifest.count, 1);
	}
}

static void an_empty_index_is_an_index(void **state)
{
	struct manifest manifest =
		parsed(*state, SPAN("{" VERSION ",\"manifests\":[]}"),
		       SPAN(OCI_INDEX));

	assert_int_equal(manifest.kind, MANIFEST_INDEX);
	assert_int_equal(manifest.count, 0);
}

static void foreign_layers_may_be_missing(void **state)
{
	struct manifest manifest = parsed(
		*state,
		SPAN("{" VERSION ",\"config\":" CONFIG ",\"layers\":[" NAMES(
			"application/vnd.docker.image.rootfs.foreign.diff."
			"tar.gzip",
			DIGEST_A,
			"1") "," NAMES("application/vnd.oci.image.layer.nondistributable."
				       "v1.tar",
				       DIGEST_B, "1") "," LAYER "]}"),
		SPAN_NONE);

	assert_int_equal(manifest.count, 4);
	assert_false(manifest.descriptors[0].foreign);
	assert_true(manifest.descriptors[1].foreign);
	assert_true(manifest.descriptors[2].foreign);
	assert_false(manifest.descriptors[3].foreign);
}

/* As BuildKit exports its cache. */
static void an_index_may_name_layers(void **state)
{
	struct manifest manifest = parsed(
		*state,
		SPAN("{" VERSION ",\"manifests\":[" LAYER "," NAMES(
			"application/vnd.buildkit.cacheconfig.v0", DIGEST_A,
			"1") "," NAMES(OCI_INDEX, DIGEST_A,
				       "1") "," NAMES(DOCKER_IMAGE, DIGEST_A,
						      "1") ","
							   "{\"digest\":\"" DIGEST_A
							   "\",\"size\":1}]}"),
		SPAN(OCI_INDEX));

	assert_int_equal(manifest.count, 5);
	assert_int_equal(manifest.descriptors[0].role, DESCRIPTOR_LAYER);
	assert_int_equal(manifest.descriptors[1].role, DESCRIPTOR_LAYER);
	assert_int_equal(manifest.descriptors[2].role, DESCRIPTOR_MANIFEST);
	assert_int_equal(manifest.descriptors[3].role, DESCRIPTOR_MANIFEST);
	assert_int_equal(manifest.descriptors[4].role, DESCRIPTOR_MANIFEST);
}

static void an_artifact_says_its_type_and_subject(void **state)
{
	struct manifest manifest = parsed(
		*state,
		SPAN("{" VERSION IMAGE_MEMBERS
		     ",\"artifactType\":\"application/spdx+json\""
		     ",\"subject\":" NAMES(OCI_IMAGE, DIGEST_B, "5") "}"),
		SPAN(OCI_IMAGE));

	assert_string_equal(manifest.artifact_type, "application/spdx+json");
	assert_true(manifest.has_subject);
	assert_string_equal(digest_text(&manifest.subject).s, DIGEST_B);
	assert_int_equal(manifest.count, 2);
	assert_refused(*state,
		       SPAN("{" VERSION IMAGE_MEMBERS ",\"artifactType\":7}"),
		       SPAN_NONE, "artifactType is no media type");
}

static void a_manifest_has_a_largest_size(void **state)
{
	auto_buf struct buf bytes = { 0 };
	struct manifest manifest;
	struct err e;

	buf_add(&bytes, SPAN(IMAGE));
	while (bytes.len < MANIFEST_MAX)
		buf_add(&bytes, SPAN(" "));
	parsed(*state, buf_span(&bytes), SPAN_NONE);
	buf_add(&bytes, SPAN(" "));
	assert_int_equal(manifest_parse(buf_span(&bytes), SPAN_NONE,
					DIGEST_SHA256, *state, &manifest, &e),
			 -1);
	assert_int_equal(e.kind, ERR_TOO_LARGE);
}

static void many_small_values_are_too_large_as_well(void **state)
{
	auto_buf struct buf bytes = { 0 };
	struct manifest manifest;
	struct err e;

	buf_add(&bytes, SPAN("["));
	while (bytes.len < MANIFEST_MAX - 10)
		buf_add(&bytes, SPAN("{},"));
	buf_add(&bytes, SPAN("{}]"));
	assert_int_equal(manifest_parse(buf_span(&bytes), SPAN_NONE,
					DIGEST_SHA256, *state, &manifest, &e),
			 -1);
	assert_int_equal(e.kind, ERR_TOO_LARGE);
}

static void all_four_kinds_are_asked_for(void **state)
{
	struct span rest = span_of(manifest_accept());
	int count = 0;

	(void)state;
	for (; rest.at; count++)
		assert_true(span_starts(span_trim(span_cut(&rest, ',')),
					"application/vnd."));
	assert_int_equal(count, 4);
}

#define promise(name) \
	cmocka_unit_test_setup_teardown(name, arena_begin, arena_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(an_image_names_its_config_and_layers),
		promise(an_index_names_manifests),
		promise(dockers_own_types_are_taken),
		promise(the_digest_is_of_the_bytes_as_they_came),
		promise(the_algorithm_is_the_callers),
		promise(without_a_type_the_members_decide),
		promise(an_unknown_type_is_kept_if_the_members_are_known),
		promise(nothing_is_an_image_and_an_index_at_once),
		promise(members_must_be_those_of_the_type),
		promise(both_types_must_agree),
		promise(a_media_type_is_safe_in_a_header),
		promise(a_media_type_has_at_most_127_characters),
		promise(schema_1_is_refused_with_advice),
		promise(the_schema_version_is_2),
		promise(a_wrong_descriptor_says_where),
		promise(an_image_without_layers_is_an_image),
		promise(an_empty_index_is_an_index),
		promise(foreign_layers_may_be_missing),
		promise(an_index_may_name_layers),
		promise(an_artifact_says_its_type_and_subject),
		promise(a_manifest_has_a_largest_size),
		promise(many_small_values_are_too_large_as_well),
		promise(all_four_kinds_are_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
