/*
 * base/buf.h: bytes that are being put together. Zero-initialise, release
 * with buf_free. `at` always ends in a NUL that is not counted once anything
 * was added.
 */
#pragma once
#include <stdarg.h>

#include "base/attr.h"
#include "base/cleanup.h"
#include "base/span.h"

struct buf {
	char *at;
	size_t len;
	size_t room;
};

void buf_add(struct buf *, struct span);
void buf_addf(struct buf *, const char *format, ...) printf_like(2, 3);
void buf_vaddf(struct buf *, const char *format, va_list) printf_like(2, 0);
void buf_reserve(struct buf *, size_t more);
void buf_clear(struct buf *); /* keeps the memory */
void buf_free(struct buf *);

static inline struct span buf_span(const struct buf *buf)
{
	return span_make(buf->at ? buf->at : "", buf->len);
}

#define auto_buf auto_with(buf_free)
