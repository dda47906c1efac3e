/*
 * base/mem.h: memory that is there, or the process ends.
 *
 * What a client can make large is capped before it is allocated, so running
 * out means that the machine has none left. Ending at once is safe (whatever
 * was acknowledged is durable) and leaves no half-tested path in each caller.
 */
#pragma once
#include <stddef.h>

/*
 * To be called once, before there are threads: what is large goes back to the
 * system as soon as it is freed.
 */
void mem_settle(void);
/* What was freed in small pieces does, too; takes some milliseconds. */
void mem_give_back(void);

void *mem_alloc(size_t size);	     /* zeroed */
void *mem_grow(void *, size_t size); /* what is new is not zeroed */
char *mem_text(const char *);	     /* a copy; null gives null */

/* A zeroed array of `count` elements; ends the process on overflow. */
void *mem_array(size_t count, size_t size);
