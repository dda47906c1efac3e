/*
 * Lists of tags and of referrers, and Link headers, as another server sends
 * them: whatever comes, lines are what oci/listing.h says.
 */
#include <stdlib.h>

#include "base/json.h"
#include "oci/listing.h"
#include "oci/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static void check(bool promise)
{
	if (!promise)
		abort();
}

static void check_tag(struct span line)
{
	struct tag tag;
	struct err e;

	check(tag_parse(line, &tag, &e) == 0);
}

static void check_referrer(struct span line)
{
	static const struct json_limits limits = { 8 << 20, 300000, 16 };
	struct span type = span_cut(&line, '\t');
	auto_of(json) struct json *json = NULL;
	struct err e;

	check(type.at && line.at);
	check(json_parse(line, &limits, &json, &e) == 0);
	check(json_text(json_get(json_root(json), "digest")).len > 0);
}

static void each_line(struct buf *lines, void (*look)(struct span))
{
	struct span rest = buf_span(lines);

	while (rest.len > 0) {
		look(span_cut(&rest, '\n'));
		check(rest.at != NULL);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct span text = span_make((const char *)input, size);
	auto_buf struct buf tags = { 0 };
	auto_buf struct buf referrers = { 0 };
	struct err e;

	if (listing_tags(text, &tags, &e) == 0) {
		listing_sort(&tags);
		check(listing_is_sorted(buf_span(&tags)));
		each_line(&tags, check_tag);
	}
	if (listing_referrers(text, &referrers, &e) == 0)
		each_line(&referrers, check_referrer);
	struct span next = listing_next(text);
	check(!next.at ||
	      (next.at >= text.at && next.at + next.len <= text.at + text.len));
	return 0;
}
