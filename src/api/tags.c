/*
 * GET /v2/<name>/tags/list. distribution-spec, "Listing Tags".
 */
#include "api/page.h"
#include "base/json.h"

void tags_get(struct call *call)
{
	auto_buf struct buf opening = { 0 };
	struct meta_page page;
	struct err e;

	if (page_asked(call, &page, &e) < 0 ||
	    meta_tags_peek(store_meta(call->api->store),
			   &call->target.repository, &page, &e) < 0)
		return fail(call, &e);
	buf_add(&opening, SPAN("\"name\":"));
	json_quote(&opening, call->path_name);
	buf_add(&opening, SPAN(",\"tags\":"));
	page_warn(call, call->target.repository.upstream);
	page_answer(call, opening.at, &page);
}
