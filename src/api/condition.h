/*
 * api/condition.h: conditional requests (RFC 9110, section 13) for content
 * that is named by its digest: the ETag is the digest in quotes.
 */
#pragma once
#include "http/http.h"

/* Does If-None-Match hold this digest (or "*")? Then the answer is 304. */
bool condition_not_modified(const struct request *, const char *digest);

/*
 * The Range header of a GET (it means nothing elsewhere: RFC 9110, 14.2),
 * unless an If-Range is for other content: SPAN_NONE.
 */
struct span condition_range(const struct request *, const char *digest);
