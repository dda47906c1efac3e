/*
 * Blobs: GET, HEAD, DELETE. distribution-spec, "Pulling blobs", "Deleting
 * Blobs".
 */
#include "api/call.h"
#include "api/condition.h"
#include "api/pushed.h"
#include "oci/range.h"

#define MEDIA_TYPE "application/octet-stream"

/* What HEAD, GET of the whole and of parts, and 304 have in common. */
static void blob_headers(struct call *call)
{
	struct digest_text text = digest_text(&call->digest);

	respond_header(call->response, "Docker-Content-Digest", "%s", text.s);
	respond_header(call->response, "ETag", "\"%s\"", text.s);
	respond_header(call->response, "Accept-Ranges", "bytes");
}

static int pass_write(void *arg, struct span bytes, struct err *e)
{
	return response_write(arg, bytes, e);
}

static int blob_pass(struct request *request, struct response *response,
		     struct err *e)
{
	struct call *call = request->local;
	struct mirror_pass pass = {
		.repository = &call->target.repository,
		.detour = call->detour,
		.size = call->passing_size,
		.start = call->passing.start,
		.length = call->passing.length,
		.write = pass_write,
		.arg = response,
	};

	if (pull_pass(call->api->mirror, &call->digest, &pass, e) == 0)
		return 0;
	call->err = *e;
	return -1;
}

static void send_passing(struct call *call, int status,
			 const struct blob_view *view, struct range range)
{
	call->passing = range;
	call->passing_size = view->size;
	respond_stream(call->response, status, range.length, blob_pass);
}

/* Hands the view's bytes to the engine. */
static void send_view(struct call *call, int status, struct blob_view *view,
		      struct range range)
{
	respond_header(call->response, "Content-Type", MEDIA_TYPE);
	if (view->passing)
		send_passing(call, status, view, range);
	else if (view->growing)
		respond_growing(call->response, status,
				steal_ptr(&view->growing), range.start,
				range.length);
	else
		respond_file(call->response, status, steal_fd(&view->fd),
			     range.start, range.length);
}

static void send_part(struct call *call, struct blob_view *view,
		      struct range part)
{
	respond_header(call->response, "Content-Range", "bytes %lld-%lld/%lld",
		       (long long)part.start,
		       (long long)(part.start + part.length - 1),
		       (long long)view->size);
	send_view(call, 206, view, part);
}

static void send_parts(struct call *call, struct blob_view *view,
		       const struct ranges *ranges)
{
	struct http_part *parts = arena_alloc(call->request->arena,
					      ranges->count * sizeof(*parts));

	for (size_t i = 0; i < ranges->count; i++)
		parts[i] = (struct http_part){ ranges->parts[i].start,
					       ranges->parts[i].length };
	respond_parts(call->response, steal_fd(&view->fd), view->size, parts,
		      ranges->count, MEDIA_TYPE);
}

static void answer_outside(struct call *call, int64_t size)
{
	struct err e;

	respond_header(call->response, "Content-Range", "bytes */%lld",
		       (long long)size);
	err_set(&e, ERR_RANGE, "the blob has %lld bytes", (long long)size);
	fail(call, &e);
}

static enum range_kind parts_asked(const struct call *call,
				   const struct blob_view *view,
				   struct ranges *out)
{
	struct digest_text text = digest_text(&call->digest);

	return range_parse(condition_range(call->request, text.s), view->size,
			   out);
}

/* Several parts only of what is whole. */
static void blob_send(struct call *call, struct blob_view *view)
{
	struct ranges ranges;
	enum range_kind kind = parts_asked(call, view, &ranges);

	if (kind == RANGE_OUTSIDE)
		return answer_outside(call, view->size);
	blob_headers(call);
	if (kind == RANGE_PARTS && ranges.count == 1)
		return send_part(call, view, ranges.parts[0]);
	if (kind == RANGE_PARTS && view->fd >= 0)
		return send_parts(call, view, &ranges);
	send_view(call, 200, view, (struct range){ 0, view->size });
}

static bool blob_withheld(struct call *call)
{
	struct digest_text text = digest_text(&call->digest);

	if (!condition_withholds(call, text.s))
		return false;
	blob_headers(call);
	return true;
}

static void blob_answer(struct call *call, struct blob_view *view)
{
	if (!blob_withheld(call))
		blob_send(call, view);
}

/* Where the one part begins that is asked of what still grows; or -1. */
static int64_t part_awaited(const struct call *call,
			    const struct blob_view *view)
{
	struct ranges ranges;

	if (!view->growing || parts_asked(call, view, &ranges) != RANGE_PARTS ||
	    ranges.count != 1)
		return -1;
	return ranges.parts[0].start;
}

/* A part that is far ahead is better passed through, if there is a place. */
static void take_detour(struct call *call, struct blob_view *view)
{
	int64_t start = part_awaited(call, view);

	if (start < 0)
		return;
	call->detour = pull_detour(call->api->mirror, &call->target,
				   &call->digest, start);
	view->passing = call->detour != NULL;
}

static int take_passage(struct call *call, const struct blob_view *view,
			struct err *e)
{
	if (view->passing &&
	    pull_pass_begin(call->api->mirror, &call->target, e) < 0)
		return -1;
	call->has_passage = view->passing;
	return 0;
}

static void blob_get_pull(struct call *call)
{
	struct blob_view view;
	struct err e;

	if (pull_blob(call->api->mirror, &call->target, &call->digest, &view,
		      &e) < 0 ||
	    take_passage(call, &view, &e) < 0)
		return fail(call, &e);
	take_detour(call, &view);
	blob_answer(call, &view);
	blob_view_close(&view);
}

static bool is_far(const struct call *call, const struct blob_view *view)
{
	int64_t start = part_awaited(call, view);

	return start >= 0 && pull_is_far(call->api->mirror, &call->target,
					 &call->digest, start);
}

/* It is here, or on its way, and nobody has to wait for the answer's head. */
static bool blob_at_hand(struct call *call, struct blob_view *out,
			 struct err *e)
{
	if (pull_peek_blob(call->api->mirror, &call->target, &call->digest, out,
			   e) < 0)
		return false;

	if (is_far(call, out)) {
		blob_view_close(out);
		err_set(e, ERR_NOT_HERE,
			"upstream has to be asked for that part");
		return false;
	}
	if (out->growing)
		mirror_count(call->api->mirror, &call->target.repository,
			     EACH_JOINS, 1);
	return true;
}

/* See pull_blob_size: what a push asks first is answered from here. */
static bool asks_upstream(const struct call *call)
{
	bool looks = call->request->method == METHOD_HEAD;

	return !repository_is_local(&call->target.repository) &&
	       !(looks && call->target.bare);
}

/* Who waits for no upstream does not wait for those who do. */
static enum http_lane lane_of(const struct call *call)
{
	return asks_upstream(call) ? LANE_READ : LANE_WRITE;
}

static void blob_tell(struct call *call, int64_t size)
{
	if (blob_withheld(call))
		return;
	blob_headers(call);
	respond_header(call->response, "Content-Type", MEDIA_TYPE);
	respond_size(call->response, 200, size);
}

static void blob_head_pull(struct call *call)
{
	struct err e;
	int64_t size;

	if (pull_blob_size(call->api->mirror, &call->target, &call->digest,
			   &size, &e) < 0)
		return fail(call, &e);
	blob_tell(call, size);
}

/* Without a promise. False: another way has to be found. */
static bool blob_look(struct call *call)
{
	struct blob_view view;
	struct err e;

	if (pull_peek_blob(call->api->mirror, &call->target, &call->digest,
			   &view, &e) < 0)
		return false;
	blob_tell(call, view.size);
	blob_view_close(&view);
	return true;
}

/* A push asks this, so as not to send what is here: then it has to stay. */
static void blob_head(struct call *call)
{
	struct err e;
	int64_t size;

	if (pushed_just_now(call, &call->digest) && blob_look(call))
		return;
	if (pull_peek_blob_size(call->api->mirror, &call->target, &call->digest,
				&size, &e) == 0)
		return blob_tell(call, size);
	if (e.kind != ERR_NOT_HERE)
		return fail(call, &e);
	call_later(call, lane_of(call), blob_head_pull);
}

void blob_get(struct call *call)
{
	struct blob_view view;
	struct err e;

	if (call->request->method == METHOD_HEAD)
		return blob_head(call);
	if (blob_at_hand(call, &view, &e)) {
		blob_answer(call, &view);
		return blob_view_close(&view);
	}
	if (e.kind != ERR_NOT_HERE)
		return fail(call, &e);
	call_later(call, lane_of(call), blob_get_pull);
}

void blob_unlink(struct call *call)
{
	struct err e;

	if (store_unlink(call->api->store, &call->target.repository,
			 &call->digest, &e) == 0)
		return respond_empty(call->response, 202);
	if (e.kind == ERR_IN_USE)
		respond_header(call->response, "Allow", "GET, HEAD");
	fail(call, &e);
}
