/*
 * cli/image.h: fetching all of an image.
 */
#pragma once
#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "oci/image.h"
#include "oci/manifest.h"

/* Where from; each may be called from several threads at once. */
struct image_source {
	/* Parsed, in the arena. */
	int (*manifest)(void *arg, const char *name, const struct reference *,
			struct arena *, struct manifest *out, struct err *);
	/* Until all of it is there. Adds to `done` as its bytes come. */
	int (*blob)(void *arg, const char *name, const struct descriptor *,
		    _Atomic int64_t *done, struct err *);
	void *arg;
};

/* What an image consists of, and how much of it came. */
struct image_sum {
	size_t manifests;
	size_t blobs;
	int64_t bytes; /* of the blobs */
};

struct image_fetch {
	const struct image_source *source;
	const struct platform *platforms; /* of what an index names */
	size_t platform_count;		  /* 0: all of it */
	/* Now and then, on the caller's thread; or null. */
	void (*progress)(int64_t done, int64_t all, void *arg);
	void *arg;
};

/*
 * Its manifest, those that an index names, and all their blobs, some at once.
 * What is not to be distributed is left out. ERR_NOT_FOUND: an index has
 * nothing for these platforms. The error is that of one of them.
 */
int image_fetch(const struct image_fetch *, const struct image *,
		struct image_sum *out, struct err *) may_wait must_check;
