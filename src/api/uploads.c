/*
 * Uploads: POST, GET, PATCH, PUT, DELETE. distribution-spec, "Pushing blobs".
 *
 * An upload goes on from request to request by its key, and has one writer at
 * a time: who comes second is refused. What an answer says is here outlives
 * this process; what a 201 says, also a loss of power.
 *
 * A request that breaks off leaves what came of it. Of one that is refused
 * nothing is taken; when the blob would be too large, or more than the
 * repository may hold, all of it goes.
 */
#include "api/body.h"
#include "api/call.h"
#include "api/pushed.h"
#include "oci/range.h"

static int resume(struct call *call, struct incoming **out, struct err *e)
{
	return incoming_resume_upload(call->api->store,
				      &call->target.repository, call->upload,
				      out, e);
}

/*
 * Where the upload goes on, and how much of it is here. The last byte of an
 * empty one is 0, too: the grammar knows no other.
 */
static void upload_headers(struct call *call, struct span key, int64_t length)
{
	struct response *res = call->response;

	respond_header(res, "Location", "/v2/%.*s/blobs/uploads/%.*s",
		       SPAN_ARG(call->path_name), SPAN_ARG(key));
	respond_header(res, "Range", "0-%lld",
		       (long long)(length > 0 ? length - 1 : 0));
	respond_header(res, "Docker-Upload-UUID", "%.*s", SPAN_ARG(key));
}

static void answer_upload(struct call *call, const struct incoming *incoming)
{
	upload_headers(call, span_of(incoming_key(incoming)),
		       incoming_length(incoming));
	respond_empty(call->response, 202);
}

/* The client hears how much is here, so that it can go on. */
static void fail_upload(struct call *call, struct incoming **incoming,
			const struct err *e)
{
	if (e->kind == ERR_TOO_LARGE || e->kind == ERR_DENIED)
		incoming_drop(incoming);
	else if (!incoming_is_broken(*incoming))
		upload_headers(call, span_of(incoming_key(*incoming)),
			       incoming_length(*incoming));
	fail(call, e);
}

static void answer_blob(struct call *call, const struct digest *digest)
{
	struct response *res = call->response;
	struct digest_text text = digest_text(digest);

	pushed_note(call, digest);
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

/*
 * A chunk that says where it belongs must belong at the end. Its size, -1 if
 * nothing says it.
 */
static int check_place(const struct request *req, int64_t length,
		       int64_t *size_out, struct err *e)
{
	struct span header = request_header_list(req, "Content-Range");
	struct range range;

	*size_out = req->body_size;
	if (!header.at)
		return 0;
	if (range_parse_chunk(header, &range, e) < 0)
		return -1;
	if (req->body_size >= 0 && req->body_size != range.length)
		return err_set(e, ERR_SIZE_INVALID,
			       "Content-Range and Content-Length disagree");
	if (range.start != length)
		return err_set(e, ERR_CHUNK_ORDER,
			       "the next byte is %lld, the chunk begins at "
			       "%lld",
			       (long long)length, (long long)range.start);
	*size_out = range.length;
	return 0;
}

/* May the repository hold so much more? The end of the upload decides. */
static int check_room(struct call *call, const struct digest *digest,
		      int64_t size, struct err *e)
{
	return meta_room_peek(store_meta(call->api->store),
			      &call->target.repository, digest, size, e);
}

/* The body was not what it said: what came of it is worth nothing. */
static bool is_refused(const struct err *e)
{
	return e->kind == ERR_SIZE_INVALID || e->kind == ERR_REQUEST;
}

/*
 * The request's body to the end of the upload, which will have that digest, if
 * it is known yet.
 */
static int append(struct call *call, struct incoming *incoming,
		  const struct digest *digest, struct err *e)
{
	int64_t limit = call->settings->config->blob_limit;
	int64_t length = incoming_length(incoming);
	struct body_bounds bounds;
	struct err ignored;

	if (check_place(call->request, length, &bounds.size, e) < 0)
		return -1;
	if (check_room(call, digest,
		       length + (bounds.size > 0 ? bounds.size : 0), e) < 0)
		return -1;
	bounds.most = (limit ? limit : INT64_MAX) - length;
	if (body_store(call->request, incoming, &bounds, e) == 0)
		return 0;
	if (is_refused(e) && incoming_cut(incoming, length, &ignored) < 0)
		*e = ignored;
	return -1;
}

/* The one of ?digest-algorithm=; without it `out` stays as it is. */
static int chosen_algorithm(const struct request *req,
			    enum digest_algorithm *out, struct err *e)
{
	struct span name = request_query(req, "digest-algorithm", 0);

	if (!name.at || digest_algorithm_parse(name, out))
		return 0;
	return err_set(e, ERR_UNSUPPORTED,
		       "digest-algorithm may be sha256 or sha512, not \"%.*s\"",
		       SPAN_ARG(name));
}

/*
 * The digest of ?mount=: 1; without it, or if it is of an algorithm that
 * nothing here has, 0; -1.
 */
static int wanted_mount(const struct request *req, struct digest *out,
			struct err *e)
{
	struct span text = request_query(req, "mount", 0);

	if (!text.at)
		return 0;
	if (digest_parse(text, out, e) == 0)
		return 1;
	return e->kind == ERR_UNSUPPORTED ? 0 : -1;
}

/*
 * Without ?from= it may come from wherever it was pushed to. What cannot be
 * had is not an error: the client sends the blob. 1: it is there; 0; -1 if the
 * repository may not hold it.
 */
static int mount(struct call *call, const struct digest *digest, struct err *e)
{
	const struct request *req = call->request;
	struct mirror_question from = {
		.rules = &call->settings->mirror,
		.name = request_query(req, "from", 0),
		.host = call->origin.host,
		.blob = digest,
		.asker = &call->asker,
	};
	struct mirror_target source;

	if (from.name.at &&
	    mirror_resolve(call->api->mirror, &from, &source, e) < 0)
		return 0;
	if (store_mount(call->api->store,
			from.name.at ? &source.repository : NULL,
			&call->target.repository, digest, e) == 0)
		return 1;
	return e->kind == ERR_DENIED ? -1 : 0;
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
	incoming_expect(incoming, digest.algorithm);
	if (append(call, incoming, &digest, &e) < 0) {
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
	struct digest digest = { .algorithm = DIGEST_SHA256 };
	struct err e;
	int wanted = wanted_mount(call->request, &digest, &e);
	enum digest_algorithm algorithm = digest.algorithm;

	if (wanted < 0 || chosen_algorithm(call->request, &algorithm, &e) < 0)
		return fail(call, &e);
	if (wanted)
		wanted = mount(call, &digest, &e);
	if (wanted > 0)
		return answer_blob(call, &digest);
	if (wanted < 0 || check_room(call, NULL, 1, &e) < 0 ||
	    incoming_open_upload(call->api->store, &call->target.repository,
				 &incoming, &e) < 0)
		return fail(call, &e);
	incoming_expect(incoming, algorithm);
	answer_upload(call, incoming);
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
	int64_t length;
	struct err e;

	if (store_upload_length(call->api->store, &call->target.repository,
				call->upload, &length, &e) < 0)
		return fail(call, &e);
	upload_headers(call, call->upload, length);
	respond_empty(call->response, 204);
}

void upload_patch(struct call *call)
{
	auto_of(incoming) struct incoming *incoming = NULL;
	struct err e;

	if (resume(call, &incoming, &e) < 0)
		return fail(call, &e);
	if (append(call, incoming, NULL, &e) < 0)
		return fail_upload(call, &incoming, &e);
	answer_upload(call, incoming);
}

void upload_put(struct call *call)
{
	auto_of(incoming) struct incoming *incoming = NULL;
	struct digest digest;
	struct err e;

	if (promised_digest(call, &digest, &e) < 0 ||
	    resume(call, &incoming, &e) < 0)
		return fail(call, &e);
	incoming_expect(incoming, digest.algorithm);
	if (append(call, incoming, &digest, &e) < 0)
		return fail_upload(call, &incoming, &e);
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
