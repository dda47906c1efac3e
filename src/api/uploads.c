/*
 * Uploads: POST, GET, PATCH, PUT, DELETE. distribution-spec, "Pushing blobs".
 *
 * An upload goes on from request to request by its key. What a 202 has
 * acknowledged is durable, like what a 201 has.
 */
#include "api/body.h"
#include "api/call.h"
#include "oci/range.h"

static int resume(struct call *call, struct incoming **out, struct err *e)
{
	return incoming_resume_upload(call->api->store,
				      &call->target.repository, call->upload,
				      out, e);
}

/* Where the upload goes on, and how much of it is here. */
static void upload_headers(struct call *call, const struct incoming *incoming)
{
	struct response *res = call->response;
	int64_t length = incoming_length(incoming);
	const char *key = incoming_key(incoming);

	respond_header(res, "Location", "/v2/%.*s/blobs/uploads/%s",
		       SPAN_ARG(call->path_name), key);
	respond_header(res, "Range", "0-%lld",
		       (long long)(length > 0 ? length - 1 : 0));
	respond_header(res, "Docker-Upload-UUID", "%s", key);
}

static void answer_upload(struct call *call, int status,
			  const struct incoming *incoming)
{
	upload_headers(call, incoming);
	respond_empty(call->response, status);
}

/* The client hears how much is here, so that it can go on. */
static void fail_upload(struct call *call, const struct incoming *incoming,
			const struct err *e)
{
	upload_headers(call, incoming);
	fail(call, e);
}

static void answer_blob(struct call *call, const struct digest *digest)
{
	struct response *res = call->response;
	struct digest_text text = digest_text(digest);

	respond_header(res, "Location", "/v2/%.*s/blobs/%s",
		       SPAN_ARG(call->path_name), text.s);
	respond_header(res, "Docker-Content-Digest", "%s", text.s);
	respond_empty(res, 201);
}

/* The digest that ?digest= promises. */
static int promised_digest(const struct call *call, struct digest *out,
			   struct err *e)
{
	struct span text = request_query(call->request, "digest", 0);

	if (!text.at)
		return err_set(e, ERR_DIGEST_INVALID,
			       "the last request of an upload says "
			       "?digest=sha256:…");
	return digest_parse(text, out, e);
}

/* A chunk that says where it belongs must belong at the end. */
static int check_place(const struct request *req,
		       const struct incoming *incoming, struct err *e)
{
	struct span header = request_header(req, "Content-Range");
	int64_t length = incoming_length(incoming);
	struct range range;

	if (!header.at)
		return 0;
	if (range_parse_chunk(header, &range, e) < 0)
		return -1;
	if (range.start != length)
		return err_set(e, ERR_CHUNK_ORDER,
			       "the next byte is %lld, the chunk begins at "
			       "%lld",
			       (long long)length, (long long)range.start);
	if (req->body_size >= 0 && req->body_size != range.length)
		return err_set(e, ERR_SIZE_INVALID,
			       "Content-Range and Content-Length disagree");
	return 0;
}

/* The request's body to the end of the upload. */
static int append(struct call *call, struct incoming *incoming, struct err *e)
{
	if (check_place(call->request, incoming, e) < 0)
		return -1;
	return body_store(call->request, incoming, e);
}

static bool mounted(struct call *call, const struct digest *digest)
{
	const struct request *req = call->request;
	struct mirror_question from = {
		.name = request_query(req, "from", 0),
		.host = request_header(req, "Host"),
		.blob = digest,
	};
	struct mirror_target source;
	struct err e;

	return from.name.at &&
	       mirror_resolve(call->api->mirror, &from, &source, &e) == 0 &&
	       store_mount(call->api->store, &source.repository,
			   &call->target.repository, digest, &e) == 0;
}

static void upload_whole(struct call *call)
{
	auto_of(incoming) struct incoming *incoming = NULL;
	struct digest digest;
	struct err e;

	if (promised_digest(call, &digest, &e) < 0 ||
	    incoming_open_upload(call->api->store, &call->target.repository,
				 &incoming, &e) < 0)
		return fail(call, &e);
	if (body_store(call->request, incoming, &e) < 0) {
		incoming_drop(&incoming);
		return fail(call, &e);
	}
	if (incoming_commit(&incoming, &digest, &e) < 0)
		return fail(call, &e);
	answer_blob(call, &digest);
}

static void upload_begin(struct call *call)
{
	auto_of(incoming) struct incoming *incoming = NULL;
	struct span mount = request_query(call->request, "mount", 0);
	struct digest digest;
	struct err e;

	if (mount.at) {
		if (digest_parse(mount, &digest, &e) < 0)
			return fail(call, &e);
		if (mounted(call, &digest))
			return answer_blob(call, &digest);
	}
	if (incoming_open_upload(call->api->store, &call->target.repository,
				 &incoming, &e) < 0)
		return fail(call, &e);
	answer_upload(call, 202, incoming);
}

/* Who brings no body need not queue behind those who do. */
void upload_start(struct call *call)
{
	if (request_query(call->request, "digest", 0).at)
		call_later(call, LANE_UPLOAD, upload_whole);
	else
		call_later(call, LANE_WRITE, upload_begin);
}

void upload_get(struct call *call)
{
	auto_of(incoming) struct incoming *incoming = NULL;
	struct err e;

	if (resume(call, &incoming, &e) < 0)
		return fail(call, &e);
	answer_upload(call, 204, incoming);
}

void upload_patch(struct call *call)
{
	auto_of(incoming) struct incoming *incoming = NULL;
	struct err e;

	if (resume(call, &incoming, &e) < 0)
		return fail(call, &e);
	if (append(call, incoming, &e) < 0 || incoming_sync(incoming, &e) < 0)
		return fail_upload(call, incoming, &e);
	answer_upload(call, 202, incoming);
}

void upload_put(struct call *call)
{
	auto_of(incoming) struct incoming *incoming = NULL;
	struct digest digest;
	struct err e;

	if (promised_digest(call, &digest, &e) < 0 ||
	    resume(call, &incoming, &e) < 0)
		return fail(call, &e);
	if (append(call, incoming, &e) < 0)
		return fail_upload(call, incoming, &e);
	if (incoming_commit(&incoming, &digest, &e) < 0)
		return fail(call, &e);
	answer_blob(call, &digest);
}

void upload_delete(struct call *call)
{
	auto_of(incoming) struct incoming *incoming = NULL;
	struct err e;

	if (resume(call, &incoming, &e) < 0)
		return fail(call, &e);
	incoming_drop(&incoming);
	respond_empty(call->response, 204);
}
