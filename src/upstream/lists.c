/*
 * Lists: of tags, of referrers. They come in pages, each with a Link to the
 * next. Of a Link only path and query count, asked for at the addresses that
 * are configured: what an upstream calls itself is no dial target.
 */
#include "base/clock.h"
#include "oci/listing.h"
#include "upstream/ask.h"

#define OCI_INDEX "application/vnd.oci.image.index.v1+json"
enum { LIST_MS = 300000, TAGS_ASKED = 1000 }; /* of all pages; of one */

/* What is asked for, and how its answers are read. */
struct listing {
	struct upstream *upstream;
	const struct upstream_question *what;
	struct client_header accept;
	const char *type;      /* an answer of another is none; or null */
	enum err_kind unknown; /* what 404 means, and an answer that is none */
	enum err_kind unsupported; /* as of struct ask */
	int (*read)(struct span answer, struct buf *lines, struct err *);
	struct buf *lines;
};

struct page {
	const struct listing *listing;
	struct arena *arena;
	const char *link; /* null: none */
	struct buf body;
};

static void page_free(struct page *page)
{
	buf_free(&page->body);
}

static bool is_list(const struct listing *listing,
		    const struct client_head *head)
{
	struct span type = client_header(head, "Content-Type");

	return !listing->type ||
	       span_is_nocase(span_trim(span_cut(&type, ';')), listing->type);
}

static int page_head(const struct client_head *head, void *arg, struct err *e)
{
	struct page *page = arg;
	const struct listing *listing = page->listing;
	struct span link = client_header(head, "Link");

	if (client_status(head) != 200)
		return upstream_refused(client_status(head), ERR_UPSTREAM, e);
	if (!is_list(listing, head))
		return err_set(e, listing->unknown,
			       "did not answer with a list");
	page->link = link.at ? arena_text(page->arena, link) : NULL;
	buf_clear(&page->body);
	return 0;
}

static int page_body(struct span piece, void *arg, struct err *e)
{
	struct page *page = arg;

	if (piece.len > LISTING_PAGE - page->body.len)
		return err_set(e, ERR_UPSTREAM,
			       "a page of its list has more than %zu bytes",
			       LISTING_PAGE);
	buf_add(&page->body, piece);
	return 0;
}

static int page_read(const struct page *page, struct err *e)
{
	const struct listing *listing = page->listing;
	struct buf *lines = listing->lines;

	if (listing->read(buf_span(&page->body), lines, e) < 0) {
		e->kind = ERR_UPSTREAM;
		return -1;
	}
	if (lines->len > LISTING_MAX)
		return err_set(e, ERR_UPSTREAM,
			       "its list has more than %zu bytes", LISTING_MAX);
	return 0;
}

/* `path` becomes that of the next page, or empty. */
static int page_next(const struct page *page, struct buf *path, struct err *e)
{
	const char *base = page->listing->upstream->standing->addresses[0].url;
	struct span target = listing_next(span_of(page->link));
	struct client_url url;

	if (!target.at) {
		buf_clear(path);
		return 0;
	}
	const char *whole = client_url_resolve(arena_printf(page->arena, "%s%s",
							    base, path->at),
					       target, page->arena);
	if (!whole || !client_url_parse(span_of(whole), &url) ||
	    url.path.len == 0)
		return err_set(e, ERR_UPSTREAM, "its Link leads nowhere");
	if (span_is(buf_span(path), url.path.at))
		return err_set(e, ERR_UPSTREAM, "its Link leads to itself");
	buf_clear(path);
	buf_addf(path, "%s", url.path.at);
	return 0;
}

/* One page. */
static int page_ask(const struct listing *listing, struct buf *path,
		    struct err *e)
{
	auto_with(arena_close) struct arena *arena = arena_open();
	auto_with(page_free) struct page page = {
		.listing = listing,
		.arena = arena,
	};
	struct ask ask = {
		.upstream = listing->upstream,
		.question = listing->what,
		.method = "GET",
		.path = path->at,
		.header = listing->accept,
		.unknown = listing->unknown,
		.unsupported = listing->unsupported,
		.on_head = page_head,
		.on_body = page_body,
		.arg = &page,
	};

	if (ask_each(&ask, e) < 0)
		return -1;
	if (page_read(&page, e) < 0 || page_next(&page, path, e) < 0)
		return err_wrap(e, "upstream %s", listing->upstream->name);
	return 0;
}

static int pages_ask(const struct listing *listing, struct buf *path,
		     struct err *e)
{
	int64_t deadline_ms = clock_ms() + LIST_MS;

	do {
		if (clock_ms() > deadline_ms)
			return err_set(e, ERR_UPSTREAM,
				       "upstream %s: its list has no end",
				       listing->upstream->name);
		if (page_ask(listing, path, e) < 0)
			return -1;
	} while (path->len > 0);
	return 0;
}

/* Most registries sort their tags. To sort them takes memory for each line. */
static int sort(const struct upstream *upstream, struct buf *lines,
		struct err *e)
{
	if (listing_is_sorted(buf_span(lines)))
		return 0;
	if (lines->len > LISTING_SORT)
		return err_set(e, ERR_UPSTREAM,
			       "upstream %s: its list is not sorted and has "
			       "more than %zu bytes",
			       upstream->name, LISTING_SORT);
	listing_sort(lines);
	return 0;
}

int upstream_list_tags(struct upstream *upstream,
		       const struct upstream_question *what, struct buf *lines,
		       struct err *e)
{
	auto_buf struct buf path = { 0 };
	struct listing listing = {
		.upstream = upstream,
		.what = what,
		.accept = { "Accept", "application/json" },
		.unknown = ERR_NAME_UNKNOWN,
		.read = listing_tags,
		.lines = lines,
	};

	buf_addf(&path, "/v2/%s/tags/list?n=%d", what->name->s, TAGS_ASKED);
	return pages_ask(&listing, &path, e) < 0 ? -1 :
						   sort(upstream, lines, e);
}

int upstream_list_referrers(struct upstream *upstream,
			    const struct upstream_question *what,
			    const struct digest *subject, struct buf *lines,
			    struct err *e)
{
	auto_buf struct buf path = { 0 };
	struct listing listing = {
		.upstream = upstream,
		.what = what,
		.accept = { "Accept", OCI_INDEX },
		.unknown = ERR_UNSUPPORTED,
		.unsupported = ERR_UNSUPPORTED,
		.type = OCI_INDEX,
		.read = listing_referrers,
		.lines = lines,
	};

	buf_addf(&path, "/v2/%s/referrers/%s", what->name->s,
		 digest_text(subject).s);
	return pages_ask(&listing, &path, e);
}
