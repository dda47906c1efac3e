/*
 * GET /v2/_catalog, which is Docker's and not in the specification.
 *
 * It lists what was pushed here: each name that is taken, with tags or
 * without. What is cached of an upstream is listed where only that upstream
 * answers.
 */
#include "api/page.h"

/* The next page begins behind all of this one. */
static void leave_out_withheld(struct call *call, const char *upstream,
			       struct meta_page *page)
{
	size_t kept = 0;

	if (page->more && page->count > 0)
		page_link(call, page->names[page->count - 1]);
	page->more = false;
	for (size_t i = 0; i < page->count; i++)
		if (mirror_may_list(call->api->mirror, &call->question,
				    upstream, page->names[i]))
			page->names[kept++] = page->names[i];
	page->count = kept;
}

void catalog_get(struct call *call)
{
	struct meta_page page;
	const char *upstream;
	struct err e;

	if (page_asked(call, &page, &e) < 0 ||
	    mirror_resolve_registry(call->api->mirror, &call->question,
				    &upstream, &e) < 0 ||
	    meta_repositories_peek(store_meta(call->api->store), upstream,
				   &page, &e) < 0)
		return fail(call, &e);
	if (*upstream) {
		page_warn(call, upstream, NULL);
		leave_out_withheld(call, upstream, &page);
	}
	page_answer(call, "\"repositories\":", &page);
}
