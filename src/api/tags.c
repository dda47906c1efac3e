/*
 * GET /v2/<name>/tags/list. distribution-spec, "Listing Tags".
 */
#include "api/call.h"
#include "base/buf.h"
#include "base/json.h"

enum { PAGE = 1000 }; /* tags, without `n` and at most */

static int page_size(const struct request *req, size_t *out, struct err *e)
{
	struct span n = request_query(req, "n", 0);
	int64_t count = n.at ? span_decimal(n) : PAGE;

	if (count < 0)
		return err_set(e, ERR_REQUEST,
			       "n is a number of tags, like ?n=100");
	*out = count < PAGE ? (size_t)count : PAGE;
	return 0;
}

/* The next page is where this one was: the path as it came, and ?ns=. */
static void link_next(struct call *call, const struct meta_tags *tags,
		      size_t limit)
{
	bool by_ns = request_query(call->request, "ns", 0).at &&
		     !call->target.bare;

	respond_header(call->response, "Link",
		       "<%.*s?n=%zu&last=%s%s%s>; rel=\"next\"",
		       SPAN_ARG(call->request->path), limit,
		       tags->names[tags->count - 1], by_ns ? "&ns=" : "",
		       by_ns ? call->target.repository.upstream : "");
}

static void tags_answer(struct call *call, const struct meta_tags *tags,
			size_t limit)
{
	struct response *res = call->response;
	auto_buf struct buf body = { 0 };

	buf_add(&body, SPAN("{\"name\":"));
	json_quote(&body, call->path_name);
	buf_add(&body, SPAN(",\"tags\":["));
	for (size_t i = 0; i < tags->count; i++) {
		if (i > 0)
			buf_add(&body, SPAN(","));
		json_quote(&body, span_of(tags->names[i]));
	}
	buf_add(&body, SPAN("]}\n"));
	if (tags->more && tags->count > 0)
		link_next(call, tags, limit);
	respond_header(res, "Content-Type", "application/json");
	respond_bytes(res, 200,
		      arena_copy(call->request->arena, buf_span(&body)));
}

void tags_get(struct call *call)
{
	const struct request *req = call->request;
	struct span last = request_query(req, "last", 0);
	struct meta_tags tags;
	size_t limit = PAGE;
	struct err e;

	if (page_size(req, &limit, &e) < 0 ||
	    meta_tags_peek(store_meta(call->api->store),
			   &call->target.repository,
			   last.at ? arena_text(req->arena, last) : NULL, limit,
			   req->arena, &tags, &e) < 0)
		return fail(call, &e);
	tags_answer(call, &tags, limit);
}
