/*
 * http/parts.h: several pieces of one file as multipart/byteranges (RFC 9110,
 * 14.6).
 */
#pragma once
#include "http/http.h"

struct buf;
struct exchange;
struct parts;

/* In the arena. */
struct parts *parts_make(struct arena *, int64_t size, const struct http_part *,
			 size_t count, const char *media_type);

/* Of the whole body, in bytes. */
int64_t parts_length(const struct parts *);

/* The Content-Type header. */
void parts_describe(const struct parts *, struct buf *out);

/* What is to be sent next, into `sending`. */
void parts_send_next(struct exchange *);
