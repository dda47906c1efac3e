/*
 * base/arena.h: memory that ends all at once, with the request it is for.
 * Nothing taken from it is freed by hand. Not shared between threads, except
 * that it may be handed over with its owner.
 */
#pragma once
#include "base/attr.h"
#include "base/cleanup.h"
#include "base/span.h"

struct arena;

struct arena *arena_open(void);
void arena_close(struct arena **);
DEFINE_AUTO(arena, arena_close)

/* Bytes that it takes of memory. */
size_t arena_size(const struct arena *);

/* Forgets everything; keeps one chunk of at most 4 KiB for the next round. */
void arena_reset(struct arena *);

void *arena_alloc(struct arena *, size_t size); /* zeroed, aligned for all */
char *arena_text(struct arena *, struct span);	/* copy with NUL */
struct span arena_copy(struct arena *, struct span); /* with NUL too */
char *arena_printf(struct arena *, const char *format, ...) printf_like(2, 3);
