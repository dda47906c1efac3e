/*
 * Weak and strong tags compare alike here: one digest is one sequence of
 * bytes.
 */
#include "api/condition.h"

static bool tag_is(struct span tag, const char *digest)
{
	tag = span_trim(tag);
	if (span_starts(tag, "W/"))
		tag = span_from(tag, 2);
	if (tag.len < 2 || tag.at[0] != '"' || tag.at[tag.len - 1] != '"')
		return false;
	return span_is(span_make(tag.at + 1, tag.len - 2), digest);
}

bool condition_not_modified(const struct request *req, const char *digest)
{
	struct span rest = request_header_list(req, "If-None-Match");

	while (rest.at) {
		struct span tag = span_cut(&rest, ',');

		if (tag_is(tag, digest) || span_is(span_trim(tag), "*"))
			return true;
	}
	return false;
}

struct span condition_range(const struct request *req, const char *digest)
{
	struct span only = request_header(req, "If-Range");

	if (req->method != METHOD_GET)
		return SPAN_NONE;
	if (only.at && !tag_is(only, digest))
		return SPAN_NONE;
	return request_header(req, "Range");
}
