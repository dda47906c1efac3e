/*
 * Manifests: GET, HEAD, PUT, DELETE. distribution-spec, "Pulling manifests",
 * "Pushing Manifests", "Deleting tags", "Deleting Manifests".
 */
#include "api/body.h"
#include "api/call.h"
#include "api/condition.h"

enum {
	TAGS_MOST = 64,	      /* of one push */
	PROBLEMS_MOST = 1000, /* that are told at once */
};

static void manifest_answer(struct call *call, const struct manifest_view *view)
{
	struct response *res = call->response;
	struct digest_text text = digest_text(&view->digest);

	respond_header(res, "Docker-Content-Digest", "%s", text.s);
	respond_header(res, "ETag", "\"%s\"", text.s);
	if (view->warning.at)
		respond_header(res, "Warning", "%.*s", SPAN_ARG(view->warning));
	if (condition_withholds(call, text.s))
		return;
	respond_header(res, "Content-Type", "%.*s", SPAN_ARG(view->media_type));
	respond_bytes(res, 200, view->bytes);
	/* Who only asks for the head looks whether a tag has moved. */
	if (call->request->method == METHOD_GET)
		pull_ahead(call->api->mirror, &call->target, &view->digest);
}

static void manifest_get_pull(struct call *call)
{
	struct manifest_view view;
	struct err e;

	if (pull_manifest(call->api->mirror, &call->target, &call->reference,
			  call->request->arena, &view, &e) < 0)
		return fail(call, &e);
	manifest_answer(call, &view);
}

void manifest_get(struct call *call)
{
	struct manifest_view view;
	struct err e;

	if (pull_peek_manifest(call->api->mirror, &call->target,
			       &call->reference, call->request->arena, &view,
			       &e) == 0)
		return manifest_answer(call, &view);
	if (e.kind != ERR_NOT_HERE)
		return fail(call, &e);
	call_later(call, view.bytes.at ? LANE_RENEW : LANE_READ,
		   manifest_get_pull);
}

/* Content-Type without its parameters. */
static struct span media_type(const struct request *req)
{
	struct span type = request_header(req, "Content-Type");

	return span_trim(span_cut(&type, ';'));
}

static int read_manifest(struct call *call, struct manifest *out, struct err *e)
{
	const struct reference *reference = &call->reference;
	bool by_digest = reference->kind == REFERENCE_DIGEST;
	struct span bytes;

	if (body_read(call->request, MANIFEST_MAX, &bytes, e) < 0)
		return -1;
	if (manifest_parse(bytes, media_type(call->request),
			   by_digest ? reference->digest.algorithm :
				       DIGEST_SHA256,
			   call->request->arena, out, e) < 0)
		return -1;
	if (by_digest && !digest_eq(&out->digest, &reference->digest))
		return err_set(e, ERR_DIGEST_INVALID,
			       "the manifest's digest is %s",
			       digest_text(&out->digest).s);
	return 0;
}

/* ?tag=…, which only a push by digest may have. */
static int tags_read(struct call *call, struct meta_put *put, struct err *e)
{
	const struct request *req = call->request;
	struct tag *tags;
	struct span text;

	if (call->reference.kind != REFERENCE_DIGEST ||
	    !request_query(req, "tag", 0).at)
		return 0;
	tags = arena_alloc(req->arena, TAGS_MOST * sizeof(*tags));
	put->tags = tags;
	while ((text = request_query(req, "tag", put->tag_count)).at) {
		if (put->tag_count == TAGS_MOST)
			return err_set(e, ERR_TOO_MANY,
				       "at most %d tags are taken at once",
				       TAGS_MOST);
		if (tag_parse(text, &tags[put->tag_count++], e) < 0)
			return -1;
	}
	return 0;
}

/*
 * Each blob that is missing has an error of its own. No image has a thousand
 * layers; a manifest that does might name twenty thousand.
 */
static void fail_missing(struct call *call, const struct manifest *manifest,
			 const struct err *e)
{
	struct arena *arena = call->request->arena;
	struct problem *problems =
		arena_alloc(arena, PROBLEMS_MOST * sizeof(*problems));
	size_t count = 0;

	for (size_t i = 0; i < manifest->count && count < PROBLEMS_MOST; i++) {
		const struct descriptor *at = &manifest->descriptors[i];
		struct digest_text text = digest_text(&at->digest);

		if (!at->missing)
			continue;
		problems[count++] = (struct problem){
			arena_printf(arena, "blob %s is not here", text.s),
			arena_printf(arena, "{\"digest\":\"%s\"}", text.s),
		};
	}
	fail_several(call, e, problems, count);
}

/* What was taken though it is missing here. */
static void warn_missing(struct call *call, const struct manifest *manifest)
{
	const struct descriptor *first = NULL;
	size_t count = 0;

	for (size_t i = 0; i < manifest->count; i++) {
		const struct descriptor *at = &manifest->descriptors[i];

		if (at->missing && count++ == 0)
			first = at;
	}
	if (first)
		respond_header(call->response, "Warning",
			       "299 - \"%zu of what this manifest names is not "
			       "here, like %s\"",
			       count, digest_text(&first->digest).s);
}

static void put_answer(struct call *call, const struct meta_put *put)
{
	struct response *res = call->response;
	const struct manifest *manifest = put->manifest;
	struct digest_text text = digest_text(&manifest->digest);

	respond_header(res, "Location", "/v2/%.*s/manifests/%s",
		       SPAN_ARG(call->path_name), text.s);
	respond_header(res, "Docker-Content-Digest", "%s", text.s);
	respond_header(res, "ETag", "\"%s\"", text.s);
	if (manifest->has_subject)
		respond_header(res, "OCI-Subject", "%s",
			       digest_text(&manifest->subject).s);
	for (size_t i = 0; i < put->tag_count; i++)
		respond_header(res, "OCI-Tag", "%s", put->tags[i].s);
	warn_missing(call, manifest);
	respond_empty(res, 201);
}

/* What the client did not send because it saw it under this name. */
static int adopt(struct call *call, const struct manifest *manifest,
		 struct err *e)
{
	struct mirror *mirror = call->api->mirror;
	struct mirror_target before;

	if (mirror_resolve_before(mirror, &call->question, &before, e) < 0)
		return 0;
	return mirror_adopt(mirror, &before, &call->target.repository, manifest,
			    e);
}

void manifest_put(struct call *call)
{
	struct manifest manifest;
	struct meta_put put = {
		.repository = &call->target.repository,
		.manifest = &manifest,
		.reference = &call->reference,
		.accept_missing = call->settings->config->missing_blobs ==
				  MISSING_ACCEPTED,
		.guard = condition_guard(call->request),
	};
	struct err e;

	if (tags_read(call, &put, &e) < 0 ||
	    read_manifest(call, &manifest, &e) < 0 ||
	    adopt(call, &manifest, &e) < 0)
		return fail(call, &e);
	if (store_put_manifest(call->api->store, &put, &e) == 0)
		return put_answer(call, &put);
	if (e.kind == ERR_MANIFEST_BLOB_UNKNOWN)
		return fail_missing(call, &manifest, &e);
	fail(call, &e);
}

void manifest_delete(struct call *call)
{
	struct err e;

	if (store_drop_manifest(call->api->store, &call->target.repository,
				&call->reference,
				condition_guard(call->request), &e) < 0)
		return fail(call, &e);
	respond_empty(call->response, 202);
}
