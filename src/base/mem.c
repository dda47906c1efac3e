/*
 * The one place where an allocation is looked at.
 */
#include "base/mem.h"

#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Left alone, glibc learns from the first large piece to keep all that are
 * no larger, in an arena of each thread: 64 manifests of 4 MiB at once would
 * cost 500 MiB for good. The pieces of an upload (256 KiB) it may keep.
 */
void mem_settle(void)
{
	mallopt(M_MMAP_THRESHOLD, 512 * 1024);
}

void mem_give_back(void)
{
	malloc_trim(0);
}

static void *mem_checked(void *pointer, size_t size)
{
	if (!pointer) {
		fprintf(stderr, "out of memory: %zu bytes\n", size);
		abort();
	}
	return pointer;
}

void *mem_alloc(size_t size)
{
	return mem_array(1, size);
}

void *mem_grow(void *pointer, size_t size)
{
	if (size == 0)
		size = 1;
	return mem_checked(realloc(pointer, size), size);
}

char *mem_text(const char *text)
{
	if (!text)
		return NULL;
	return mem_checked(strdup(text), strlen(text));
}

void *mem_array(size_t count, size_t size)
{
	if (count == 0 || size == 0)
		count = size = 1;
	return mem_checked(calloc(count, size), size);
}
