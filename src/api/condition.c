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

/* Is the digest in the list, or is the list "*"? */
static bool list_has(struct span list, const char *digest)
{
	while (list.at) {
		struct span tag = span_cut(&list, ',');

		if (tag_is(tag, digest) || span_is(span_trim(tag), "*"))
			return true;
	}
	return false;
}

bool condition_not_modified(const struct request *req, const char *digest)
{
	return list_has(request_header_list(req, "If-None-Match"), digest);
}

bool condition_failed(const struct request *req, const char *digest)
{
	struct span list = request_header_list(req, "If-Match");

	return list.at && !list_has(list, digest);
}

struct condition {
	struct meta_guard guard;
	struct span match; /* the lists; SPAN_NONE if there is none */
	struct span none_match;
};

static bool condition_allows(const void *arg, const struct digest *now)
{
	const struct condition *condition = arg;

	if (!now)
		return !condition->match.at;

	struct digest_text text = digest_text(now);
	if (condition->match.at && !list_has(condition->match, text.s))
		return false;
	return !list_has(condition->none_match, text.s);
}

const struct meta_guard *condition_guard(const struct request *req)
{
	struct condition *condition =
		arena_alloc(req->arena, sizeof(*condition));

	condition->guard.allows = condition_allows;
	condition->guard.arg = condition;
	condition->match = request_header_list(req, "If-Match");
	condition->none_match = request_header_list(req, "If-None-Match");
	return condition->match.at || condition->none_match.at ?
		       &condition->guard :
		       NULL;
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
