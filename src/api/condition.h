/*
 * api/condition.h: conditional requests (RFC 9110, section 13) for content
 * that is named by its digest: the ETag is the digest in quotes.
 */
#pragma once
#include "api/call.h"

/*
 * What a GET or HEAD is for is here, but is the client to have it? If not, it
 * is answered: by 412 (If-Match) or by 304 (If-None-Match), to which the
 * caller may add headers.
 */
bool condition_withholds(struct call *, const char *digest);

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
