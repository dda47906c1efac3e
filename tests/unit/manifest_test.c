/*
 * Promises of oci/manifest.h: what it takes, and what is known of it then.
 */
#include "manifest_json.h"

static void an_image_names_its_config_and_layers(void **state)
{
	struct manifest manifest = parsed(*state, SPAN(IMAGE), SPAN(OCI_IMAGE));
	const struct descriptor *config = &manifest.descriptors[0];
	const struct descriptor *layer = &manifest.descriptors[1];

	assert_int_equal(manifest.kind, MANIFEST_IMAGE);
	assert_string_equal(manifest.media_type, OCI_IMAGE);
	assert_string_equal(manifest.artifact_type, CONFIG_TYPE);
	assert_null(manifest.annotations.at);
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

static void an_artifact_type_falls_back_on_the_config(void **state)
{
	static const struct {
		const char *json;
		const char *type;
	} rows[] = {
		{ IMAGE, CONFIG_TYPE },
		{ "{" VERSION IMAGE_MEMBERS ",\"artifactType\":\"\"}",
		  CONFIG_TYPE },
		{ "{" VERSION IMAGE_MEMBERS ",\"artifactType\":null}",
		  CONFIG_TYPE },
		{ "{" VERSION ",\"config\":" NAMES("a/b;c", DIGEST_A, "1") "}",
		  "" },
		{ "{" VERSION INDEX_MEMBERS "}", "" },
		{ "{" VERSION INDEX_MEMBERS ",\"artifactType\":\"a/b\"}",
		  "a/b" },
	};

	for (size_t i = 0; i < array_size(rows); i++) {
		struct manifest manifest =
			parsed(*state, span_of(rows[i].json), SPAN_NONE);

		assert_string_equal(manifest.artifact_type, rows[i].type);
	}
}

static void annotations_are_the_texts_among_them(void **state)
{
	static const struct {
		const char *json;
		const char *annotations;
	} rows[] = {
		{ "{}", NULL },
		{ "7", NULL },
		{ "{\"n\":7}", NULL },
		{ "{\"b\": \"2\", \"n\": 7, \"a\": \"\\u00e9\\n\"}",
		  "{\"b\":\"2\",\"a\":\"\xc3\xa9\\u000a\"}" },
	};

	for (size_t i = 0; i < array_size(rows); i++) {
		char *json = arena_printf(*state,
					  "{" VERSION INDEX_MEMBERS
					  ",\"annotations\":%s}",
					  rows[i].json);
		struct manifest manifest =
			parsed(*state, span_of(json), SPAN_NONE);

		assert_true(span_eq(manifest.annotations,
				    span_of(rows[i].annotations)));
	}
}

static const char *described(struct arena *arena, const char *json)
{
	struct manifest manifest = parsed(arena, span_of(json), SPAN_NONE);
	auto_buf struct buf out = { 0 };

	manifest_describe(&manifest, &out);
	return arena_text(arena, buf_span(&out));
}

static void a_manifest_is_described_as_indexes_do(void **state)
{
	static const char json[] = "{" VERSION INDEX_MEMBERS
				   ",\"artifactType\":\"a/b\""
				   ",\"annotations\":{\"k\":\"v\"}}";
	struct digest digest = hash_of(DIGEST_SHA256, SPAN(INDEX));
	struct digest other = hash_of(DIGEST_SHA256, span_of(json));

	assert_string_equal(described(*state, INDEX),
			    arena_printf(*state,
					 "{\"mediaType\":\"" OCI_INDEX
					 "\",\"digest\":\"%s\",\"size\":%zu}",
					 digest_text(&digest).s,
					 strlen(INDEX)));
	assert_string_equal(described(*state, json),
			    arena_printf(*state,
					 "{\"mediaType\":\"" OCI_INDEX
					 "\",\"digest\":\"%s\",\"size\":%zu"
					 ",\"artifactType\":\"a/b\""
					 ",\"annotations\":{\"k\":\"v\"}}",
					 digest_text(&other).s, strlen(json)));
}

static void annotations_that_fill_a_page_are_not_described(void **state)
{
	auto_buf struct buf json = { 0 };

	buf_add(&json,
		SPAN("{" VERSION INDEX_MEMBERS ",\"annotations\":{\"k\":\""));
	while (json.len <= ANNOTATIONS_DESCRIBED + 1000)
		buf_add(&json, SPAN("vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv"));
	buf_add(&json, SPAN("\"}}"));
	assert_null(strstr(described(*state, json.at), "annotations"));
}

static void unknown_fields_and_embedded_data_are_taken(void **state)
{
	struct manifest manifest = parsed(
		*state,
		SPAN("{" VERSION ",\"future\":[{\"a\":1.5e3}],\"config\":"
		     "{\"mediaType\":\"a/b\",\"digest\":\"" DIGEST_A
		     "\",\"size\":2,\"data\":\"e30=\",\"new\":true}}"),
		SPAN_NONE);

	assert_int_equal(manifest.count, 1);
	assert_string_equal(manifest.artifact_type, "a/b");
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
		promise(an_image_without_layers_is_an_image),
		promise(an_empty_index_is_an_index),
		promise(foreign_layers_may_be_missing),
		promise(an_index_may_name_layers),
		promise(an_artifact_says_its_type_and_subject),
		promise(an_artifact_type_falls_back_on_the_config),
		promise(annotations_are_the_texts_among_them),
		promise(a_manifest_is_described_as_indexes_do),
		promise(annotations_that_fill_a_page_are_not_described),
		promise(unknown_fields_and_embedded_data_are_taken),
		promise(all_four_kinds_are_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
