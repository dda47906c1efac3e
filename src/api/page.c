#include "api/page.h"

#include "base/json.h"

enum { PAGE = 1000 };

int page_asked(struct call *call, struct meta_page *out, struct err *e)
{
	const struct request *req = call->request;
	struct span n = request_query(req, "n", 0);
	struct span last = request_query(req, "last", 0);
	int64_t count = n.at ? span_decimal(n) : PAGE;

	if (count < 0)
		return err_set(e, ERR_REQUEST,
			       "n is a number of names, like ?n=100");
	*out = (struct meta_page){
		.after = last.at ? arena_text(req->arena, last) : NULL,
		.limit = count < PAGE ? (size_t)count : PAGE,
		.arena = req->arena,
	};
	return 0;
}

void page_link(struct call *call, const char *last)
{
	struct span rest = call->request->query;
	auto_buf struct buf query = { 0 };

	while (rest.at) {
		struct span part = span_cut(&rest, '&');

		if (part.len == 0 || span_starts(part, "last="))
			continue;
		buf_add(&query, part);
		buf_add(&query, SPAN("&"));
	}
	respond_header(call->response, "Link",
		       "<%.*s?%.*slast=%s>; rel=\"next\"",
		       SPAN_ARG(call->request->path), (int)query.len,
		       query.len ? query.at : "", last);
}

void page_warn(struct call *call, const char *upstream, const struct err *why)
{
	char reason[sizeof(why->message)] = "";

	if (why)
		memcpy(reason, why->message, sizeof(reason));
	for (char *c = reason; *c; c++)
		if (*c == '"' || *c == '\\')
			*c = '\'';
	respond_header(call->response, "Warning",
		       "299 - \"only what is cached of %s is listed%s%s\"",
		       upstream, why ? ": " : "", reason);
}

/* In the order of bytes. */
static bool is_behind(struct span name, struct span after)
{
	size_t least = name.len < after.len ? name.len : after.len;
	int order = memcmp(name.at, after.at, least);

	return order != 0 ? order > 0 : name.len > after.len;
}

void page_fill(struct meta_page *page, struct span lines)
{
	struct span after = span_of(page->after ? page->after : "");

	page->names =
		arena_alloc(page->arena, page->limit * sizeof(*page->names));
	page->count = 0;
	while (lines.len > 0) {
		struct span line = span_cut(&lines, '\n');

		if (!is_behind(line, after))
			continue;
		page->more = page->count == page->limit;
		if (page->more)
			return;
		page->names[page->count++] = arena_text(page->arena, line);
	}
}

void page_answer(struct call *call, const char *opening,
		 const struct meta_page *page)
{
	auto_buf struct buf body = { 0 };

	buf_addf(&body, "{%s[", opening);
	for (size_t i = 0; i < page->count; i++) {
		if (i > 0)
			buf_add(&body, SPAN(","));
		json_quote(&body, span_of(page->names[i]));
	}
	buf_add(&body, SPAN("]}\n"));
	if (page->more && page->count > 0)
		page_link(call, page->names[page->count - 1]);
	respond_header(call->response, "Content-Type", "application/json");
	respond_bytes(call->response, 200,
		      arena_copy(call->request->arena, buf_span(&body)));
}
