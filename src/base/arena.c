/*
 * A list of chunks, the newest first; each new one is twice as large as the
 * last. Nothing is allocated before the first use, so that an idle owner
 * costs almost nothing. Chunks are zeroed when they are made and when they
 * are kept for another round, never at each allocation.
 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

#define CHUNK_LEAST 4096 /* bytes, with its head */
#define CHUNK_MOST (1024 * 1024)

struct chunk {
	struct chunk *older;
	size_t size; /* of `bytes` */
	size_t used;
	alignas(max_align_t) char bytes[];
};

struct arena {
	struct chunk *newest;
};

struct arena *arena_open(void)
{
	return mem_alloc(sizeof(struct arena));
}

size_t arena_size(const struct arena *arena)
{
	size_t size = 0;

	for (const struct chunk *chunk = arena->newest; chunk;
	     chunk = chunk->older)
		size += sizeof(*chunk) + chunk->size;
	return size;
}

/* Frees all but the oldest; that one is returned. */
static struct chunk *chunks_drop(struct arena *arena)
{
	struct chunk *chunk = arena->newest;

	while (chunk && chunk->older) {
		struct chunk *older = chunk->older;

		free(chunk);
		chunk = older;
	}
	arena->newest = NULL;
	return chunk;
}

void arena_close(struct arena **arena)
{
	if (!*arena)
		return;
	free(chunks_drop(*arena));
	free(*arena);
	*arena = NULL;
}

void arena_reset(struct arena *arena)
{
	struct chunk *oldest = chunks_drop(arena);

	if (!oldest)
		return;
	if (sizeof(*oldest) + oldest->size > CHUNK_LEAST) {
		free(oldest);
		return;
	}
	memset(oldest->bytes, 0, oldest->used);
	oldest->used = 0;
	arena->newest = oldest;
}

static size_t chunk_total(const struct chunk *newest)
{
	if (!newest)
		return CHUNK_LEAST;
	size_t twice = 2 * (sizeof(*newest) + newest->size);

	return twice < CHUNK_MOST ? twice : CHUNK_MOST;
}

static struct chunk *chunk_add(struct arena *arena, size_t size)
{
	size_t total = chunk_total(arena->newest);

	if (total < sizeof(struct chunk) + size)
		total = sizeof(struct chunk) + size;

	struct chunk *chunk = mem_alloc(total);
	chunk->size = total - sizeof(*chunk);
	chunk->older = arena->newest;
	arena->newest = chunk;
	return chunk;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	struct chunk *chunk = arena->newest;
	size_t mask = alignof(max_align_t) - 1;

	if (size > SIZE_MAX / 2)
		abort();
	size = (size + mask) & ~mask;
	if (!chunk || chunk->size - chunk->used < size)
		chunk = chunk_add(arena, size);
	void *at = chunk->bytes + chunk->used;
	chunk->used += size;
	return at;
}

char *arena_text(struct arena *arena, struct span span)
{
	char *text = arena_alloc(arena, span.len + 1);

	span_copy(span, text, span.len + 1);
	return text;
}

struct span arena_copy(struct arena *arena, struct span span)
{
	if (!span.at)
		return SPAN_NONE;
	return span_make(arena_text(arena, span), span.len);
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	va_list args, again;

	va_start(args, format);
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (len < 0)
		abort();
	char *text = arena_alloc(arena, (size_t)len + 1);
	vsnprintf(text, (size_t)len + 1, format, args);
	va_end(args);
	return text;
}
