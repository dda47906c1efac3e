/*
 * api/condition.h: conditional requests (RFC 9110, section 13) for content
 * that is named by its digest: the ETag is the digest in quotes.
 */
#pragma once
#include "http/http.h"
#include "store/store.h"

/* Does If-None-Match hold this digest (or "*")? Then the answer is 304. */
bool condition_not_modified(const struct request *, const char *digest);
/* Does If-Match hold neither this digest nor "*"? Then the answer is 412. */
bool condition_failed(const struct request *, const char *digest);

/*
 * The Range header of a GET (it means nothing elsewhere: RFC 9110, 14.2),
 * unless an If-Range is for other content: SPAN_NONE.
 */
struct span condition_range(const struct request *, const char *digest);

/*
 * If-Match and If-None-Match of a change, to be asked when it happens; in the
 * request's arena. Null if there are none.
 */
const struct meta_guard *condition_guard(const struct request *);
