/*
 * Blobs: GET, HEAD, DELETE. distribution-spec, "Pulling blobs", "Deleting
 * Blobs".
 */
#include "api/call.h"
#include "api/condition.h"
#include "oci/range.h"

static void blob_headers(struct call *call)
{
	struct digest_text text = digest_text(&call->digest);

	respond_header(call->response, "Content-Type",
		       "application/octet-stream");
	respond_header(call->response, "Docker-Content-Digest", "%s", text.s);
	respond_header(call->response, "ETag", "\"%s\"", text.s);
	respond_header(call->response, "Accept-Ranges", "bytes");
}

/* Hands the view's bytes to the engine. */
static void send_view(struct call *call, int status, struct blob_view *view,
		      struct range range)
{
	if (view->growing)
		respond_growing(call->response, status,
				steal_ptr(&view->growing), range.start,
				range.length);
	else
		respond_file(call->response, status, steal_fd(&view->fd),
			     range.start, range.length);
}

static void answer_outside(struct call *call, int64_t size)
{
	struct err e;

	respond_header(call->response, "Content-Range", "bytes */%lld",
		       (long long)size);
	err_set(&e, ERR_RANGE, "the blob has %lld bytes", (long long)size);
	fail(call, &e);
}

static void blob_answer(struct call *call, struct blob_view *view)
{
	struct digest_text text = digest_text(&call->digest);
	struct range whole = { 0, view->size };
	struct range part = whole;
	enum range_kind kind = RANGE_WHOLE;

	if (condition_not_modified(call->request, text.s)) {
		blob_headers(call);
		return respond_empty(call->response, 304);
	}
	if (view->size >= 0)
		kind = range_parse(condition_range(call->request, text.s),
				   view->size, &part);
	if (kind == RANGE_OUTSIDE)
		return answer_outside(call, view->size);
	blob_headers(call);
	if (kind == RANGE_WHOLE)
		return send_view(call, 200, view, whole);
	respond_header(call->response, "Content-Range", "bytes %lld-%lld/%lld",
		       (long long)part.start,
		       (long long)(part.start + part.length - 1),
		       (long long)view->size);
	send_view(call, 206, view, part);
}

static void blob_get_pull(struct call *call)
{
	struct blob_view view;
	struct err e;

	if (pull_blob(call->api->mirror, &call->target, &call->digest, &view,
		      &e) < 0)
		return fail(call, &e);
	blob_answer(call, &view);
	blob_view_close(&view);
}

static void blob_head_pull(struct call *call)
{
	struct err e;
	int64_t size;

	if (pull_blob_size(call->api->mirror, &call->target, &call->digest,
			   &size, &e) < 0)
		return fail(call, &e);
	blob_headers(call);
	respond_size(call->response, 200, size);
}

void blob_get(struct call *call)
{
	struct blob_view view;
	struct err e;

	if (pull_peek_blob(call->api->mirror, &call->target, &call->digest,
			   &view, &e) == 0) {
		blob_answer(call, &view);
		return blob_view_close(&view);
	}
	if (e.kind != ERR_NOT_HERE)
		return fail(call, &e);
	call_later(call, LANE_READ,
		   call->request->method == METHOD_HEAD ? blob_head_pull :
							  blob_get_pull);
}

void blob_unlink(struct call *call)
{
	struct err e;

	if (store_unlink(call->api->store, &call->target.repository,
			 &call->digest, &e) < 0)
		return fail(call, &e);
	respond_empty(call->response, 202);
}
