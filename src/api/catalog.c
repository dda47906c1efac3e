/*
 * GET /v2/_catalog, which is Docker's and not in the specification.
 *
 * It lists what was pushed here: each name that is taken, with tags or
 * without. What is cached of an upstream is listed where only that upstream
 * answers.
 */
#include "api/page.h"

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
	if (*upstream)
		page_warn(call, upstream, NULL);
	page_answer(call, "\"repositories\":", &page);
}
