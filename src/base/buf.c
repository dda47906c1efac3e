/*
 * Grows by doubling, so that adding costs the same however long it gets.
 */
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

#define FIRST_ROOM 64

void buf_reserve(struct buf *buf, size_t more)
{
	size_t need;

	if (__builtin_add_overflow(buf->len, more, &need) ||
	    __builtin_add_overflow(need, 1, &need))
		abort();
	if (need <= buf->room)
		return;
	size_t room = buf->room ? buf->room : FIRST_ROOM;
	while (room < need)
		room = room > SIZE_MAX / 2 ? need : room * 2;
	buf->at = mem_grow(buf->at, room);
	buf->room = room;
}

void buf_add(struct buf *buf, struct span span)
{
	buf_reserve(buf, span.len);
	if (span.len)
		memcpy(buf->at + buf->len, span.at, span.len);
	buf->len += span.len;
	buf->at[buf->len] = '\0';
}

void buf_addf(struct buf *buf, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buf_vaddf(buf, format, args);
	va_end(args);
}

void buf_vaddf(struct buf *buf, const char *format, va_list args)
{
	va_list again;

	buf_reserve(buf, FIRST_ROOM);
	size_t room = buf->room - buf->len;
	va_copy(again, args);
	int len = vsnprintf(buf->at + buf->len, room, format, again);
	va_end(again);
	if (len < 0)
		abort();
	if ((size_t)len >= room) { /* it did not fit */
		buf_reserve(buf, (size_t)len);
		vsnprintf(buf->at + buf->len, (size_t)len + 1, format, args);
	}
	buf->len += (size_t)len;
}

void buf_clear(struct buf *buf)
{
	buf->len = 0;
	if (buf->at)
		buf->at[0] = '\0';
}

void buf_free(struct buf *buf)
{
	free(buf->at);
	*buf = (struct buf){ 0 };
}
