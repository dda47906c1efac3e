/*
 * Promises of oci/manifest.h: what it refuses.
 */
#include "manifest_json.h"

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
		{ WITH_LAYER(NAMES("a/b", DIGEST_A, "9223372036854775808")),
		  "JSON, line 1: too big integer near '9223372036854775808'" },
		{ WITH_LAYER(NAMES("a/b", DIGEST_A, "\"1\"")),
		  "layers[1]: size is missing or no number of bytes" },
		{ WITH_LAYER("{\"digest\":\"" DIGEST_A
			     "\",\"size\":1,\"Digest\":\"" DIGEST_B "\"}"),
		  "layers[1]: \"digest\" is written \"Digest\"" },
		{ SPAN("{" VERSION ",\"config\":{},\"layers\":[]}"),
		  "config: digest is missing or no text" },
		{ SPAN("{" VERSION ",\"config\":" CONFIG ",\"layers\":{}}"),
		  "layers is no list" },
		{ SPAN("{" VERSION INDEX_MEMBERS ",\"Layers\":[]}"),
		  "\"layers\" is written \"Layers\"" },
		{ SPAN("{" VERSION ",\"manife\u017ft\u017f\":[]}"),
		  "\"manifests\" is written \"manife\u017ft\u017f\"" },
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

static void nesting_without_end_is_refused(void **state)
{
	auto_buf struct buf bytes = { 0 };
	struct manifest manifest;
	struct err e;

	for (int i = 0; i < 1000000; i++)
		buf_add(&bytes, SPAN("["));
	assert_int_equal(manifest_parse(buf_span(&bytes), SPAN_NONE,
					DIGEST_SHA256, *state, &manifest, &e),
			 -1);
	assert_int_equal(e.kind, ERR_MANIFEST_INVALID);
}

static void what_is_no_strict_json_is_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"{",
		"{" VERSION INDEX_MEMBERS "}x",
		"\xef\xbb\xbf{" VERSION INDEX_MEMBERS "}",
		"{" VERSION INDEX_MEMBERS ",}",
		"{" VERSION INDEX_MEMBERS "} // comment",
		"{" VERSION INDEX_MEMBERS ",\"a\":\"\xff\"}",
		"{" VERSION INDEX_MEMBERS ",\"a\":\"\xed\xa0\x80\"}",
		"{" VERSION INDEX_MEMBERS ",\"a\":\"\\ud800\"}",
		"{" VERSION INDEX_MEMBERS ",\"a\":\"\\u0000\"}",
		"{" VERSION INDEX_MEMBERS ",\"a\":01}",
		"{" VERSION INDEX_MEMBERS ",\"a\":NaN}",
		"{" VERSION INDEX_MEMBERS "," VERSION "}",
		"{" VERSION INDEX_MEMBERS ",\"a\":{\"b\":1,\"b\":1}}",
	};
	struct manifest manifest;
	struct err e;

	for (size_t i = 0; i < array_size(rows); i++) {
		assert_int_equal(manifest_parse(span_of(rows[i]), SPAN_NONE,
						DIGEST_SHA256, *state,
						&manifest, &e),
				 -1);
		assert_int_equal(e.kind, ERR_MANIFEST_INVALID);
	}
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

static void many_small_values_are_refused(void **state)
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
	assert_int_equal(e.kind, ERR_MANIFEST_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(nothing_is_an_image_and_an_index_at_once),
		promise(members_must_be_those_of_the_type),
		promise(both_types_must_agree),
		promise(a_media_type_is_safe_in_a_header),
		promise(a_media_type_has_at_most_127_characters),
		promise(schema_1_is_refused_with_advice),
		promise(the_schema_version_is_2),
		promise(a_wrong_descriptor_says_where),
		promise(nesting_without_end_is_refused),
		promise(what_is_no_strict_json_is_refused),
		promise(a_manifest_has_a_largest_size),
		promise(many_small_values_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
