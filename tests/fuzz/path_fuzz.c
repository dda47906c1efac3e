/*
 * Whatever path comes in: what matches has a name that is a part of the path,
 * and a name that also obeys the grammar holds no way out of its place.
 */
#include <stdlib.h>

#include "api/path.h"
#include "oci/name.h"

static const char *const patterns[] = {
	"/v2/",
	"/v2/<name>/manifests/<reference>",
	"/v2/<name>/blobs/uploads/",
	"/v2/<name>/blobs/uploads/<upload>",
	"/v2/<name>/blobs/<digest>",
	"/v2/<name>/tags/list",
	"/healthz",
};

static void check_name(struct span part)
{
	struct name name;
	struct err e;

	if (!part.at || name_parse(part, &name, &e) < 0)
		return;
	if (strstr(name.s, "..") || strstr(name.s, "//") || name.s[0] == '/' ||
	    strchr(name.s, '%'))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct arena *arena = arena_open();
	struct span path =
		path_decode(span_make((const char *)bytes, size), arena);
	struct path_parts parts;

	for (size_t i = 0; i < array_size(patterns); i++)
		if (path_match(path, patterns[i], &parts))
			check_name(parts.name);
	arena_close(&arena);
	return 0;
}
