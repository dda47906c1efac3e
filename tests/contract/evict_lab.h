/*
 * evict_lab.h: words about what is cached, and goes.
 */
#pragma once
#include "store_lab.h"

/* Of all processes: they have the same configuration. */
void limit(struct lab *, int64_t bytes);

/* An image with its two blobs, as if somebody had pulled it. */
void cache(struct lab *, const char *name, const char *tag, const char *config,
	   const char *layer);
void minute_passes(struct lab *);
/* A minute later, and whoever evicts knows of it. */
void pull(struct lab *, const char *name, const char *tag);

/* In bytes. */
int64_t cached(struct lab *);
bool has_tag(struct lab *, const char *name, const char *tag);
/* Does the database have a blob of exactly that content? */
bool is_here(struct lab *, const char *bytes);
