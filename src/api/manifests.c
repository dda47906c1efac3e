/*
 * Manifests: GET, HEAD, PUT, DELETE. distribution-spec, "Pulling manifests",
 * "Pushing Manifests", "Deleting tags", "Deleting Manifests".
 */
#include "api/body.h"
#include "api/call.h"
#include "api/condition.h"

static void manifest_answer(struct call *call, const struct manifest_view *view)
{
	struct response *res = call->response;
	struct digest_text text = digest_text(&view->digest);

	respond_header(res, "Docker-Content-Digest", "%s", text.s);
	respond_header(res, "ETag", "\"%s\"", text.s);
	if (view->warning.at)
		respond_header(res, "Warning", "%.*s", SPAN_ARG(view->warning));
	if (condition_not_modified(call->request, text.s))
		return respond_empty(res, 304);
	respond_header(res, "Content-Type", "%.*s", SPAN_ARG(view->media_type));
	respond_bytes(res, 200, view->bytes);
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
	call_later(call, LANE_READ, manifest_get_pull);
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

void manifest_put(struct call *call)
{
	const struct reference *reference = &call->reference;
	struct response *res = call->response;
	struct manifest manifest;
	struct err e;

	if (read_manifest(call, &manifest, &e) < 0 ||
	    store_put_manifest(
		    call->api->store, &call->target.repository, &manifest,
		    reference->kind == REFERENCE_TAG ? &reference->tag : NULL,
		    &e) < 0)
		return fail(call, &e);
	respond_header(res, "Location", "/v2/%.*s/manifests/%s",
		       SPAN_ARG(call->path_name),
		       digest_text(&manifest.digest).s);
	respond_header(res, "Docker-Content-Digest", "%s",
		       digest_text(&manifest.digest).s);
	respond_empty(res, 201);
}

void manifest_delete(struct call *call)
{
	struct err e;

	if (store_drop_manifest(call->api->store, &call->target.repository,
				&call->reference, &e) < 0)
		return fail(call, &e);
	respond_empty(call->response, 202);
}
