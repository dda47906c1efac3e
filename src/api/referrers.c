/*
 * GET /v2/<name>/referrers/<digest>. distribution-spec, "Listing Referrers".
 *
 * It is never 404, which would mean that there is no such list here: what
 * nobody refers to has an empty one, and so has an unknown repository.
 */
#include <stdio.h>

#include "api/page.h"

#define OCI_INDEX "application/vnd.oci.image.index.v1+json"

enum { PAGE_BYTES = 4 * 1024 * 1024, TYPES = 16 };

static const char tail[] = "]}\n";

static int types_asked(const struct request *req, struct span out[TYPES],
		       size_t *count_out, struct err *e)
{
	struct span type;

	*count_out = 0;
	for (unsigned i = 0; (type = request_query(req, "artifactType", i)).at;
	     i++) {
		if (type.len == 0)
			continue;
		if (*count_out == TYPES)
			return err_set(e, ERR_REQUEST,
				       "at most %d artifact types are asked "
				       "for at once",
				       TYPES);
		out[(*count_out)++] = type;
	}
	return 0;
}

static int place_asked(const struct request *req, int64_t *out, struct err *e)
{
	struct span last = request_query(req, "last", 0);

	*out = last.at ? span_decimal(last) : 0;
	if (*out < 0)
		return err_set(e, ERR_REQUEST,
			       "last is as in the Link of the page before");
	return 0;
}

static void list_answer(struct call *call, const struct meta_referrers *list,
			struct buf *body)
{
	struct response *res = call->response;
	char last[24];

	buf_add(body, span_of(tail));
	snprintf(last, sizeof(last), "%lld", (long long)list->after);
	if (list->more)
		page_link(call, last);
	page_warn(call, call->target.repository.upstream);
	if (list->type_count > 0)
		respond_header(res, "OCI-Filters-Applied", "artifactType");
	respond_header(res, "Content-Type", OCI_INDEX);
	respond_bytes(res, 200,
		      arena_copy(call->request->arena, buf_span(body)));
}

void referrers_get(struct call *call)
{
	struct span types[TYPES];
	struct meta_referrers list = {
		.subject = call->digest,
		.types = types,
		.room = PAGE_BYTES - strlen(tail),
	};
	auto_buf struct buf body = { 0 };
	struct err e;

	buf_add(&body, SPAN("{\"schemaVersion\":2,\"mediaType\":\"" OCI_INDEX
			    "\",\"manifests\":["));
	if (types_asked(call->request, types, &list.type_count, &e) < 0 ||
	    place_asked(call->request, &list.after, &e) < 0 ||
	    meta_referrers_peek(store_meta(call->api->store),
				&call->target.repository, &list, &body, &e) < 0)
		return fail(call, &e);
	list_answer(call, &list, &body);
}
