#include "agent/canary.h"

#include "oci/hash.h"
#include "oci/image.h"
#include "oci/manifest.h"

enum { PULL_MS = 10000 };

/* One pull. */
struct canary {
	struct client *client;
	const char *url;
	const char *name;
	struct arena *arena;
	struct buf body;
};

static void canary_free(struct canary *canary)
{
	buf_free(&canary->body);
	arena_close(&canary->arena);
}

static int gather(struct span piece, void *arg, struct err *e)
{
	struct canary *canary = arg;

	if (canary->body.len + piece.len > MANIFEST_MAX)
		return err_set(e, ERR_TOO_LARGE, "it is larger than %d bytes",
			       MANIFEST_MAX);
	buf_add(&canary->body, piece);
	return 0;
}

/* `what` is "manifests" or "blobs". */
static int get(struct canary *canary, const char *what, const char *reference,
	       struct err *e)
{
	const char *url = arena_printf(canary->arena, "%s/v2/%s/%s/%s",
				       canary->url, canary->name, what,
				       reference);
	const struct client_header accept = { "Accept", manifest_accept() };
	struct client_result result;
	const struct client_request request = {
		.method = "GET",
		.url = url,
		.headers = &accept,
		.header_count = 1,
		.total_ms = PULL_MS,
		.on_body = gather,
		.arg = canary,
	};

	buf_clear(&canary->body);
	if (client_perform(canary->client, &request, &result, e) < 0)
		return err_wrap(e, "%s", url);
	if (result.status == 200)
		return 0;
	return err_set(e, ERR_UPSTREAM, "%s answers %d", url, result.status);
}

static int get_by_digest(struct canary *canary, const char *what,
			 const struct digest *digest, struct err *e)
{
	const char *text =
		arena_text(canary->arena, span_of(digest_text(digest).s));

	if (get(canary, what, text, e) < 0)
		return -1;
	struct digest came =
		hash_of(digest->algorithm, buf_span(&canary->body));
	if (digest_eq(&came, digest))
		return 0;
	return err_set(e, ERR_CORRUPT, "%s/v2/%s/%s/%s is not what came",
		       canary->url, canary->name, what, text);
}

/* The first of that kind, or null. */
static const struct descriptor *first(const struct manifest *manifest, int role)
{
	for (size_t i = 0; i < manifest->count; i++)
		if ((int)manifest->descriptors[i].role == role)
			return &manifest->descriptors[i];
	return NULL;
}

static int parse(struct canary *canary, struct manifest *out, struct err *e)
{
	struct span bytes = arena_copy(canary->arena, buf_span(&canary->body));

	return manifest_parse(bytes, SPAN_NONE, DIGEST_SHA256, canary->arena,
			      out, e);
}

static int pull(struct canary *canary, const struct reference *reference,
		struct err *e)
{
	const struct descriptor *next;
	struct manifest manifest;

	if (get(canary, "manifests",
		arena_text(canary->arena, span_of(reference_text(reference).s)),
		e) < 0 ||
	    parse(canary, &manifest, e) < 0)
		return -1;
	if (manifest.kind == MANIFEST_INDEX) {
		next = first(&manifest, DESCRIPTOR_MANIFEST);
		if (!next)
			return err_set(e, ERR_MANIFEST_INVALID,
				       "an index of nothing");
		if (get_by_digest(canary, "manifests", &next->digest, e) < 0 ||
		    parse(canary, &manifest, e) < 0)
			return -1;
	}
	next = first(&manifest, DESCRIPTOR_CONFIG);
	return next ? get_by_digest(canary, "blobs", &next->digest, e) : 0;
}

int canary_pull(struct client *client, const char *url, const char *image,
		struct err *e)
{
	struct image parsed;
	auto_with(canary_free) struct canary canary = {
		.client = client,
		.url = url,
		.arena = arena_open(),
	};

	if (image_parse(span_of(image), &parsed, e) < 0)
		return -1;
	canary.name = parsed.name;
	if (pull(&canary, &parsed.reference, e) < 0)
		return err_wrap(e, "canary %s", image);
	return 0;
}
