/*
 * Whatever path comes in: what matches a pattern, put back into it, is the
 * path again. A name that also obeys the grammar holds no way out of its
 * place. And what is decoded holds nothing that was hidden.
 */
#include <stdlib.h>

#include "api/path.h"
#include "base/buf.h"
#include "oci/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static const char *const patterns[] = {
	"/v2/",
	"/v2/_catalog",
	"/v2/<name>/manifests/<reference>",
	"/v2/<name>/blobs/uploads/",
	"/v2/<name>/blobs/uploads/<upload>",
	"/v2/<name>/blobs/<digest>",
	"/v2/<name>/referrers/<digest>",
	"/v2/<name>/tags/list",
	"/healthz",
};

static void check(bool promise)
{
	if (!promise)
		abort();
}

static void check_name(struct span part)
{
	struct name name;
	struct err e;

	if (!part.at || name_parse(part, &name, &e) < 0)
		return;
	check(!strstr(name.s, "..") && !strstr(name.s, "//"));
	check(name.s[0] != '/' && !strpbrk(name.s, "%\\ "));
}

static struct span part_for(const struct path_parts *parts, struct span hole)
{
	if (span_is(hole, "name"))
		return parts->name;
	if (span_is(hole, "reference"))
		return parts->reference;
	return span_is(hole, "digest") ? parts->digest : parts->upload;
}

/* The pattern with its holes filled; a bound path has more in front. */
static void check_again(const char *pattern, const struct path_parts *parts,
			struct span path)
{
	auto_buf struct buf again = { 0 };
	struct span rest = span_of(pattern);

	if (parts->bound.at) {
		buf_add(&again, SPAN("/mirror/"));
		buf_add(&again, parts->bound);
	}
	while (rest.at) {
		buf_add(&again, span_cut(&rest, '<'));
		if (rest.at)
			buf_add(&again, part_for(parts, span_cut(&rest, '>')));
	}
	/* "/v2" is "/v2/". */
	check(span_eq(buf_span(&again), path) ||
	      (span_is(span_of(pattern), "/v2/") && again.len == path.len + 1));
}

static size_t count(struct span span, char c)
{
	size_t found = 0;

	for (size_t i = 0; i < span.len; i++)
		found += span.at[i] == c;
	return found;
}

/* Shorter by two for each escape, and no escape hid a slash or another one. */
static void check_decoded(struct span raw, struct span path)
{
	size_t escapes = count(raw, '%');

	check(path.len == raw.len - 2 * escapes);
	check(count(path, '/') == count(raw, '/'));
	check(!count(path, '%') &&
	      (!escapes || count(path, 0) == count(raw, 0)));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	auto_of(arena) struct arena *arena = arena_open();
	struct span raw = span_make((const char *)bytes, size);
	struct span path = path_decode(raw, arena);
	struct path_parts parts;

	if (path.at)
		check_decoded(raw, path);
	for (size_t i = 0; i < array_size(patterns); i++) {
		if (!path_match(path, patterns[i], &parts))
			continue;
		check_again(patterns[i], &parts, path);
		check_name(parts.name);
	}
	return 0;
}
