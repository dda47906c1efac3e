/*
 * GET /v2/<name>/tags/list. distribution-spec, "Listing Tags".
 */
#include "api/page.h"
#include "base/json.h"

static void tags_answer(struct call *call, const struct meta_page *page)
{
	auto_buf struct buf opening = { 0 };

	buf_add(&opening, SPAN("\"name\":"));
	json_quote(&opening, call->path_name);
	buf_add(&opening, SPAN(",\"tags\":"));
	page_answer(call, opening.at, page);
}

/* What is here of them: all there are, or `why` there may be more. */
static void tags_here(struct call *call, const struct err *why)
{
	struct meta_page page;
	struct err e;

	if (page_asked(call, &page, &e) < 0)
		return fail(call, &e);
	if (meta_tags_peek(store_meta(call->api->store),
			   &call->target.repository, &page, &e) < 0)
		return fail(call, why ? why : &e);
	if (why)
		page_warn(call, call->target.repository.upstream, why);
	tags_answer(call, &page);
}

static void tags_listed(struct call *call, const struct list_view *view)
{
	struct meta_page page;
	struct err e;

	if (page_asked(call, &page, &e) < 0)
		return fail(call, &e);
	page_fill(&page, view->lines);
	if (view->warning.at)
		respond_header(call->response, "Warning", "%.*s",
			       SPAN_ARG(view->warning));
	tags_answer(call, &page);
}

/* With a name more, that says that there are more. */
static struct list_view part_with(const struct meta_page *page)
{
	return (struct list_view){
		.list.after = page->after,
		.list.room = (page->limit + 1) * sizeof(struct tag),
	};
}

static void tags_get_pull(struct call *call)
{
	struct meta_page page;
	struct err e;

	if (page_asked(call, &page, &e) < 0)
		return fail(call, &e);
	auto_with(list_view_close) struct list_view view = part_with(&page);
	if (pull_list(call->api->mirror, &call->target, NULL,
		      call->request->arena, &view, &e) < 0)
		return tags_here(call, &e);
	tags_listed(call, &view);
}

void tags_get(struct call *call)
{
	struct meta_page page;
	struct err e;

	if (page_asked(call, &page, &e) < 0)
		return fail(call, &e);
	if (repository_is_local(&call->target.repository))
		return tags_here(call, NULL);
	auto_with(list_view_close) struct list_view view = part_with(&page);
	if (pull_peek_list(call->api->mirror, &call->target, NULL, &view, &e) ==
	    0)
		return tags_listed(call, &view);
	if (e.kind != ERR_NOT_HERE)
		return fail(call, &e);
	call_later(call, view.list.checked ? LANE_RENEW : LANE_READ,
		   tags_get_pull);
}
