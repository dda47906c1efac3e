/*
 * base/json.h: JSON of strangers (RFC 8259), strictly.
 *
 * A document is counted before it is parsed: tokens cost far more memory than
 * their bytes. Above the limit of bytes: ERR_TOO_LARGE. Too many tokens, too
 * deep, duplicate keys, invalid UTF-8, "\u0000", trailing bytes, a root that is
 * neither object nor array: ERR_REQUEST.
 */
#pragma once
#include "base/attr.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/span.h"

struct json;	   /* a document, owned */
struct json_value; /* a value in it, borrowed; null is "not there" */

struct json_limits {
	size_t bytes;
	size_t tokens; /* values and keys */
	size_t depth;
};

/*
 * Of large documents (more than 64 KiB, or 4,096 tokens) two are open at once
 * in the whole process, and the next one waits for a close: so a thread holds
 * one document at a time.
 */
int json_parse(struct span, const struct json_limits *, struct json **out,
	       struct err *) may_wait must_check;
void json_close(struct json **);
DEFINE_AUTO(json, json_close)

/*
 * All of these take null and values of another type, and give "not there".
 * So does a JSON null. Texts and values live as long as the document.
 */
const struct json_value *json_root(const struct json *);
bool json_is_object(const struct json_value *);
bool json_is_array(const struct json_value *);
const struct json_value *json_get(const struct json_value *, const char *key);
/*
 * A key that Go's decoder, which has no regard for case, would read as
 * `wanted` although it is another one; null if there is none.
 */
const char *json_key_alike(const struct json_value *object, const char *wanted);
size_t json_count(const struct json_value *); /* of an array */
const struct json_value *json_at(const struct json_value *, size_t index);
struct span json_text(const struct json_value *); /* SPAN_NONE */
/* False unless it is an integer in 0 … INT64_MAX. */
bool json_size(const struct json_value *, int64_t *out);

/* Adds `text` as a JSON string with its quotes; U+FFFD for what is no UTF-8. */
struct buf;
void json_quote(struct buf *, struct span text);
/* Adds an object of those members of `object` that are texts; none: nothing. */
void json_quote_texts(struct buf *, const struct json_value *object);
