/*
 * GET /v2/<name>/referrers/<digest>. distribution-spec, "Listing Referrers".
 *
 * It is never 404, which would mean that there is no such list here: what
 * nobody refers to has an empty one, and so has an unknown repository. Of an
 * upstream that cannot be asked, what is cached is listed, with a Warning.
 */
#include <stdio.h>

#include "api/page.h"

#define OCI_INDEX "application/vnd.oci.image.index.v1+json"

enum { PAGE_BYTES = 4 * 1024 * 1024, PART = 64 * 1024, TYPES = 16 };

static const char head[] = "{\"schemaVersion\":2,\"mediaType\":\"" OCI_INDEX
			   "\",\"manifests\":[";
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
	if (list->type_count > 0)
		respond_header(res, "OCI-Filters-Applied", "artifactType");
	respond_header(res, "Content-Type", OCI_INDEX);
	respond_bytes(res, 200,
		      arena_copy(call->request->arena, buf_span(body)));
}

static int list_asked(struct call *call, struct span types[TYPES],
		      struct meta_referrers *out, struct err *e)
{
	*out = (struct meta_referrers){
		.subject = call->digest,
		.types = types,
		.room = PAGE_BYTES - strlen(tail),
	};
	if (types_asked(call->request, types, &out->type_count, e) < 0)
		return -1;
	return place_asked(call->request, &out->after, e);
}

/* What is here of them: all there are, or `why` there may be more. */
static void referrers_here(struct call *call, const struct err *why)
{
	struct span types[TYPES];
	struct meta_referrers list;
	auto_buf struct buf body = { 0 };
	struct err e;

	buf_add(&body, span_of(head));
	if (list_asked(call, types, &list, &e) < 0 ||
	    meta_referrers_peek(store_meta(call->api->store),
				&call->target.repository, &list, &body, &e) < 0)
		return fail(call, &e);
	if (why)
		page_warn(call, call->target.repository.upstream, why);
	list_answer(call, &list, &body);
}

static void referrers_local(struct call *call)
{
	referrers_here(call, NULL);
}

/* A line's number is its place. Returns how many there are so far. */
static int64_t lines_add(const struct list_view *view,
			 struct meta_referrers *list, struct buf *body)
{
	struct span rest = view->lines;
	int64_t place = view->list.before;

	while (rest.len > 0 && !list->more) {
		struct span line = span_cut(&rest, '\n');
		struct span type = span_cut(&line, '\t');

		if (++place > list->after)
			meta_referrer_add(list, place, type, line, body);
	}
	return place;
}

/* A list that goes, or that another replaces, meanwhile ends the page: who goes
   on is told how it is. */
static void parts_add(struct call *call, struct list_view *view,
		      struct meta_referrers *list, struct buf *body)
{
	int64_t checked = view->list.checked;
	int64_t size = view->list.size;
	struct err ignored;

	view->list.place = lines_add(view, list, body);
	while (view->list.more && !list->more) {
		list->more = pull_list_part(call->api->mirror, &call->target,
					    &call->digest, view,
					    &ignored) < 0 ||
			     view->list.checked != checked ||
			     view->list.size != size;
		if (!list->more)
			view->list.place = lines_add(view, list, body);
	}
}

/*
 * Of upstream's list. What has no list may have referrers all the same, and
 * who pulled one by its digest made it known here.
 */
static void referrers_listed(struct call *call, struct list_view *view)
{
	struct span types[TYPES];
	struct meta_referrers list;
	auto_buf struct buf body = { 0 };
	struct err e;

	if (view->warning.at)
		respond_header(call->response, "Warning", "%.*s",
			       SPAN_ARG(view->warning));
	if (view->lines.len == 0)
		return referrers_here(call, NULL);
	if (list_asked(call, types, &list, &e) < 0)
		return fail(call, &e);
	buf_add(&body, span_of(head));
	parts_add(call, view, &list, &body);
	list_answer(call, &list, &body);
}

/* What is wrong with the question is said when the list is there. */
static struct list_view part_asked(const struct call *call)
{
	struct list_view view = { .list.room = PART };
	struct err ignored;

	if (place_asked(call->request, &view.list.place, &ignored) < 0)
		view.list.place = 0;
	return view;
}

static void referrers_get_pull(struct call *call)
{
	auto_with(list_view_close) struct list_view view = part_asked(call);
	struct err e;

	if (pull_list(call->api->mirror, &call->target, &call->digest,
		      call->request->arena, &view, &e) == 0)
		return referrers_listed(call, &view);
	if (e.kind == ERR_LOOP)
		return fail(call, &e);
	referrers_here(call, &e);
}

/* Filtered, a page of a long list may take all of it. */
static bool is_long(const struct list_view *view)
{
	return view->list.size > PART;
}

void referrers_get(struct call *call)
{
	auto_with(list_view_close) struct list_view view = part_asked(call);
	struct err e;

	if (repository_is_local(&call->target.repository))
		return call_later(call, LANE_WRITE, referrers_local);
	int failed = pull_peek_list(call->api->mirror, &call->target,
				    &call->digest, &view, &e);
	if (failed && e.kind != ERR_NOT_HERE)
		return fail(call, &e);
	if (!failed && !is_long(&view))
		return referrers_listed(call, &view);
	call_later(call, view.list.checked ? LANE_RENEW : LANE_READ,
		   referrers_get_pull);
}
