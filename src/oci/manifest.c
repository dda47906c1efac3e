/*
 * What kind of manifest it is, is decided once, from its media type, or where
 * that is unknown from its members. A document that could be read as either
 * kind is refused, whatever its type says: two clients would see two images
 * under one digest (CVE-2021-41190).
 */
#include "oci/manifest.h"

#include <string.h>

#include "base/json.h"
#include "oci/hash.h"

#define OCI_IMAGE "application/vnd.oci.image.manifest.v1+json"
#define OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define DOCKER_IMAGE "application/vnd.docker.distribution.manifest.v2+json"
#define DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define DOCKER_SCHEMA_1 "application/vnd.docker.distribution.manifest.v1+"

struct type {
	const char *name;
	enum manifest_kind kind;
};

static const struct type types[] = {
	{ OCI_IMAGE, MANIFEST_IMAGE },
	{ OCI_INDEX, MANIFEST_INDEX },
	{ DOCKER_IMAGE, MANIFEST_IMAGE },
	{ DOCKER_LIST, MANIFEST_INDEX },
};

static const struct json_limits limits = {
	.bytes = MANIFEST_MAX,
	.tokens = 100000,
	.depth = 64,
};

const char *manifest_accept(void)
{
	return OCI_IMAGE ", " OCI_INDEX ", " DOCKER_IMAGE ", " DOCKER_LIST;
}

static const struct type *type_find(struct span name)
{
	for (size_t i = 0; i < array_size(types); i++)
		if (span_is(name, types[i].name))
			return &types[i];
	return NULL;
}

static int invalid(struct err *e, const char *what)
{
	return err_set(e, ERR_MANIFEST_INVALID, "%s", what);
}

static bool span_has(struct span span, const char *part)
{
	return span.at && memmem(span.at, span.len, part, strlen(part));
}

/* RFC 6838, section 4.2: one of the two names of a media type. */
static bool is_type_name(struct span span)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789!#$&-^_.+";

	for (size_t i = 0; i < span.len; i++)
		if (!memchr(letters, span.at[i], strlen(letters)))
			return false;
	return span.len > 0;
}

bool is_media_type(struct span span)
{
	struct span subtype = span;
	struct span type = span_cut(&subtype, '/');

	return is_type_name(type) && is_type_name(subtype) &&
	       span.len <= MEDIA_TYPE_MAX;
}

static bool media_type_copy(struct span span, char out[MEDIA_TYPE_MAX + 1])
{
	return is_media_type(span) && span_copy(span, out, MEDIA_TYPE_MAX + 1);
}

static int bytes_parse(struct span bytes, struct json **out, struct err *e)
{
	if (json_parse(bytes, &limits, out, e) == 0)
		return 0;
	if (e->kind == ERR_REQUEST)
		e->kind = ERR_MANIFEST_INVALID;
	return -1;
}

/*
 * Many clients are written in Go, whose decoder takes "Layers" for "layers":
 * they would see another image than others do. `members` ends in a null.
 */
static int keys_check(const struct json_value *object,
		      const char *const *members, struct err *e)
{
	for (; *members; members++) {
		const char *key = json_key_alike(object, *members);

		if (key)
			return err_set(e, ERR_MANIFEST_INVALID,
				       "\"%s\" is written \"%s\"", *members,
				       key);
	}
	return 0;
}

static int root_keys_check(const struct json_value *root, struct err *e)
{
	static const char *const members[] = {
		"schemaVersion", "mediaType", "artifactType", "config",
		"layers",	 "manifests", "subject",      NULL,
	};

	return keys_check(root, members, e);
}

static int schema_check(const struct json_value *root, struct span media_type,
			struct err *e)
{
	int64_t schema;

	if (!json_is_object(root))
		return invalid(e, "the manifest is not an object");
	if (!json_size(json_get(root, "schemaVersion"), &schema))
		return invalid(e, "schemaVersion is missing or no number");
	if (schema == 1 || span_starts(media_type, DOCKER_SCHEMA_1))
		return invalid(e, "Docker's image manifest schema 1 is not "
				  "supported: push it as schema 2 or OCI");
	if (schema != 2)
		return invalid(e, "schemaVersion is not 2");
	return 0;
}

/* The type that the manifest or else the header gives; SPAN_NONE if none. */
static int type_read(const struct json_value *root, struct span header,
		     struct span *out, struct err *e)
{
	const struct json_value *member = json_get(root, "mediaType");
	struct span inside = json_text(member);

	if (member && !inside.at)
		return invalid(e, "mediaType is no text");
	if (inside.at && header.at && !span_eq(inside, header))
		return err_set(e, ERR_MANIFEST_INVALID,
			       "mediaType is %.*s, but Content-Type %.*s",
			       SPAN_ARG(inside), SPAN_ARG(header));
	*out = inside.at ? inside : header;
	return 0;
}

static int kind_decide(const struct json_value *root, struct span media_type,
		       enum manifest_kind *out, struct err *e)
{
	bool as_image = json_get(root, "config") || json_get(root, "layers");
	bool as_index = json_get(root, "manifests");
	const struct type *known = type_find(media_type);

	if (as_image && as_index)
		return invalid(e, "both an image's members and an index's");
	if (!known && !as_image && !as_index)
		return invalid(e, "neither an image manifest nor an index");
	*out = as_index ? MANIFEST_INDEX : MANIFEST_IMAGE;
	if (!known)
		return 0;
	if ((as_image || as_index) && *out != known->kind)
		return err_set(e, ERR_MANIFEST_INVALID,
			       "its members are not those of %s", known->name);
	*out = known->kind;
	return 0;
}

static int type_decide(const struct json_value *root, struct span header,
		       struct manifest *out, struct err *e)
{
	struct span media_type;

	if (type_read(root, header, &media_type, e) < 0 ||
	    kind_decide(root, media_type, &out->kind, e) < 0)
		return -1;
	if (!media_type.at)
		media_type = out->kind == MANIFEST_INDEX ? SPAN(OCI_INDEX) :
							   SPAN(OCI_IMAGE);
	if (!media_type_copy(media_type, out->media_type))
		return invalid(e, "mediaType is no media type");
	return 0;
}

/*
 * An image that gives no type of its own is an artifact of its config's type,
 * if that is any. distribution-spec, "Listing Referrers".
 */
static int artifact_type_read(const struct json_value *root,
			      struct manifest *out, struct err *e)
{
	const struct json_value *member = json_get(root, "artifactType");
	const struct json_value *config = json_get(root, "config");
	struct span type = json_text(member);

	if (member && !span_is(type, "") &&
	    !media_type_copy(type, out->artifact_type))
		return invalid(e, "artifactType is no media type");
	if (type.len > 0 || out->kind != MANIFEST_IMAGE)
		return 0;
	type = json_text(json_get(config, "mediaType"));
	if (!media_type_copy(type, out->artifact_type))
		out->artifact_type[0] = '\0';
	return 0;
}

static int digest_read(const struct json_value *value, struct digest *out,
		       struct err *e)
{
	struct span text = json_text(json_get(value, "digest"));

	if (!json_is_object(value))
		return invalid(e, "no descriptor");
	if (!text.at)
		return invalid(e, "digest is missing or no text");
	if (digest_parse(text, out, e) == 0)
		return 0;
	e->kind = ERR_MANIFEST_INVALID;
	return -1;
}

static int descriptor_read(const struct json_value *value,
			   struct descriptor *out, struct err *e)
{
	static const char *const members[] = { "mediaType", "digest", "size",
					       NULL };
	struct span type = json_text(json_get(value, "mediaType"));

	if (digest_read(value, &out->digest, e) < 0 ||
	    keys_check(value, members, e) < 0)
		return -1;
	if (!json_size(json_get(value, "size"), &out->size))
		return invalid(e, "size is missing or no number of bytes");
	out->foreign = span_has(type, "nondistributable") ||
		       span_has(type, "foreign");
	return 0;
}

static int config_read(const struct json_value *root, struct manifest *out,
		       struct err *e)
{
	struct descriptor *config = &out->descriptors[out->count++];

	config->role = DESCRIPTOR_CONFIG;
	if (descriptor_read(json_get(root, "config"), config, e) < 0)
		return err_wrap(e, "config");
	return 0;
}

/*
 * An index may name blobs as well: BuildKit keeps its cache so. They are told
 * by their media type; what has none is a manifest.
 */
static bool names_manifest(const struct json_value *value)
{
	struct span type = json_text(json_get(value, "mediaType"));

	return !type.at || span_has(type, "manifest") ||
	       span_has(type, "index");
}

static struct platform platform_read(const struct json_value *value)
{
	const struct json_value *platform = json_get(value, "platform");

	return platform_make(json_text(json_get(platform, "os")),
			     json_text(json_get(platform, "architecture")),
			     json_text(json_get(platform, "variant")));
}

static int list_read(const struct json_value *list, const char *key,
		     struct manifest *out, struct err *e)
{
	for (size_t i = 0; i < json_count(list); i++) {
		struct descriptor *item = &out->descriptors[out->count++];
		const struct json_value *value = json_at(list, i);

		item->role = DESCRIPTOR_LAYER;
		if (out->kind == MANIFEST_INDEX && names_manifest(value))
			item->role = DESCRIPTOR_MANIFEST;
		if (descriptor_read(value, item, e) < 0)
			return err_wrap(e, "%s[%zu]", key, i);
		item->platform = platform_read(value);
	}
	return 0;
}

static int descriptors_read(const struct json_value *root, struct arena *arena,
			    struct manifest *out, struct err *e)
{
	bool is_image = out->kind == MANIFEST_IMAGE;
	const char *key = is_image ? "layers" : "manifests";
	const struct json_value *list = json_get(root, key);
	size_t most = json_count(list) + 1;

	if (list && !json_is_array(list))
		return err_set(e, ERR_MANIFEST_INVALID, "%s is no list", key);
	out->descriptors = arena_alloc(arena, most * sizeof(struct descriptor));
	if (is_image && config_read(root, out, e) < 0)
		return -1;
	return list_read(list, key, out, e);
}

static int subject_read(const struct json_value *root, struct manifest *out,
			struct err *e)
{
	const struct json_value *subject = json_get(root, "subject");
	struct descriptor descriptor;

	if (!subject)
		return 0;
	if (descriptor_read(subject, &descriptor, e) < 0)
		return err_wrap(e, "subject");
	out->has_subject = true;
	out->subject = descriptor.digest;
	return 0;
}

static void annotations_read(const struct json_value *root, struct arena *arena,
			     struct manifest *out)
{
	auto_buf struct buf texts = { 0 };

	json_quote_texts(&texts, json_get(root, "annotations"));
	if (texts.len > 0)
		out->annotations = arena_copy(arena, buf_span(&texts));
}

int manifest_parse(struct span bytes, struct span media_type,
		   enum digest_algorithm algorithm, struct arena *arena,
		   struct manifest *out, struct err *e)
{
	auto_of(json) struct json *json = NULL;

	*out = (struct manifest){ .bytes = bytes };
	if (bytes_parse(bytes, &json, e) < 0)
		return -1;

	const struct json_value *root = json_root(json);
	if (schema_check(root, media_type, e) < 0 ||
	    root_keys_check(root, e) < 0 ||
	    type_decide(root, media_type, out, e) < 0 ||
	    artifact_type_read(root, out, e) < 0 ||
	    descriptors_read(root, arena, out, e) < 0 ||
	    subject_read(root, out, e) < 0)
		return -1;
	annotations_read(root, arena, out);
	out->digest = hash_of(algorithm, bytes);
	return 0;
}

void manifest_describe(const struct manifest *manifest, struct buf *out)
{
	buf_addf(out, "{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%zu",
		 manifest->media_type, digest_text(&manifest->digest).s,
		 manifest->bytes.len);
	if (*manifest->artifact_type)
		buf_addf(out, ",\"artifactType\":\"%s\"",
			 manifest->artifact_type);
	if (manifest->annotations.at &&
	    manifest->annotations.len <= ANNOTATIONS_DESCRIBED) {
		buf_add(out, SPAN(",\"annotations\":"));
		buf_add(out, manifest->annotations);
	}
	buf_add(out, SPAN("}"));
}
