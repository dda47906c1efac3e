/*
 * A pattern is "/v2/", then possibly <name>, then a tail. The tail has a fixed
 * number of components, so it is matched from the end, and what is left in the
 * middle is the name.
 */
#include "api/path.h"

#include "base/hex.h"

/* The byte that "%41" stands for; -1 if a path of ours cannot hold it. */
static int escaped_byte(struct span rest)
{
	if (rest.len < 3)
		return -1;

	int high = hex_digit(rest.at[1]);
	int low = hex_digit(rest.at[2]);
	int byte = high * 16 + low;

	if (high < 0 || low < 0 || byte <= ' ' || byte > '~' || byte == '/' ||
	    byte == '%')
		return -1;
	return byte;
}

struct span path_decode(struct span raw, struct arena *arena)
{
	if (span_find(raw, '%') < 0)
		return raw;

	char *out = arena_alloc(arena, raw.len + 1);
	size_t len = 0;

	for (size_t i = 0; i < raw.len; i++) {
		int byte = raw.at[i];

		if (byte == '%') {
			byte = escaped_byte(span_from(raw, i));
			if (byte < 0)
				return SPAN_NONE;
			i += 2;
		}
		out[len++] = (char)byte;
	}
	return span_make(out, len);
}

static struct span cut_last(struct span *rest)
{
	ptrdiff_t slash = span_find_last(*rest, '/');

	if (slash < 0)
		return SPAN_NONE;
	struct span last = span_from(*rest, (size_t)slash + 1);
	rest->len = (size_t)slash;
	return last;
}

static struct span *part_of(struct path_parts *parts, struct span pattern)
{
	if (span_is(pattern, "<reference>"))
		return &parts->reference;
	if (span_is(pattern, "<digest>"))
		return &parts->digest;
	if (span_is(pattern, "<upload>"))
		return &parts->upload;
	return NULL;
}

/* One component of the path against one of the pattern. */
static bool match_component(struct span have, struct span want,
			    struct path_parts *parts)
{
	struct span *part = part_of(parts, want);

	if (!part)
		return have.at && span_eq(have, want);
	*part = have;
	return have.len > 0;
}

/* Takes "/mirror/<upstream>" off the path. */
static struct span cut_bound(struct span *path)
{
	struct span rest = *path;

	if (!span_starts(rest, "/mirror/"))
		return SPAN_NONE;
	rest = span_from(rest, strlen("/mirror/"));
	ptrdiff_t slash = span_find(rest, '/');
	if (slash <= 0)
		return SPAN_NONE;
	*path = span_from(rest, (size_t)slash);
	return span_make(rest.at, (size_t)slash);
}

bool path_match(struct span path, const char *pattern, struct path_parts *out)
{
	struct span want = span_of(pattern);
	struct span head = SPAN("/v2/<name>");

	*out = (struct path_parts){ 0 };
	if (!path.at)
		return false;
	if (span_starts(want, "/v2/"))
		out->bound = cut_bound(&path);
	if (!span_starts(want, head.at))
		return span_eq(path, want) ||
		       (span_is(want, "/v2/") && span_is(path, "/v2"));
	if (!span_starts(path, "/v2/"))
		return false;

	path = span_from(path, strlen("/v2/"));
	want = span_from(want, head.len);
	while (want.len > 0)
		if (!match_component(cut_last(&path), cut_last(&want), out))
			return false;
	out->name = path;
	return path.len > 0;
}
