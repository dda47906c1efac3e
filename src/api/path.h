/*
 * api/path.h: the paths of the API, matched and taken apart. Pure.
 */
#pragma once
#include "base/arena.h"

struct path_parts {
	struct span name; /* each SPAN_NONE unless the pattern has it */
	struct span reference;
	struct span digest;
	struct span upload;
	struct span bound; /* <upstream> of /mirror/<upstream>/v2/… */
};

/*
 * Percent-decodes what a path of ours may hold encoded. An encoded slash, NUL,
 * control or non-ASCII byte, or a broken escape: SPAN_NONE, which matches no
 * pattern.
 */
struct span path_decode(struct span raw, struct arena *);

/*
 * Does `path` have the form of `pattern`, e.g. "/v2/<name>/blobs/<digest>"?
 * <name> takes one or more components, every other part exactly one. A path
 * /mirror/<upstream>/v2/… matches like /v2/…, and `bound` says so.
 */
bool path_match(struct span path, const char *pattern, struct path_parts *out);
