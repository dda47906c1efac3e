/*
 * Weak and strong tags compare alike here, since one digest is one sequence of
 * bytes: a proxy that compresses makes weak tags of ours. But what a client
 * then has is the proxy's, and no part of ours fits to it.
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

bool condition_withholds(struct call *call, const char *digest)
{
	const struct request *req = call->request;
	struct span match = request_header_list(req, "If-Match");
	struct err e;

	if (match.at && !list_has(match, digest)) {
		err_set(&e, ERR_PRECONDITION, "the ETag is \"%s\"", digest);
		fail(call, &e);
		return true;
	}
	if (!list_has(request_header_list(req, "If-None-Match"), digest))
		return false;
	respond_empty(call->response, 304);
	return true;
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
	if (only.at && (span_starts(only, "W/") || !tag_is(only, digest)))
		return SPAN_NONE;
	return request_header(req, "Range");
}
