/*
 * base/span.h: borrowed bytes. A span owns nothing and need not end in NUL;
 * `at` is null for "not there", which differs from empty.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct span {
	const char *at;
	size_t len;
};

#define SPAN(literal) ((struct span){ "" literal, sizeof(literal) - 1 })
#define SPAN_NONE ((struct span){ NULL, 0 })

/* printf("%.*s", SPAN_ARG(s)) */
#define SPAN_ARG(span) (int)(span).len, (span).at

static inline struct span span_of(const char *text)
{
	return (struct span){ text, text ? strlen(text) : 0 };
}

static inline struct span span_make(const char *at, size_t len)
{
	return (struct span){ at, len };
}

/* From `start`, which is clamped to the length, to the end. */
struct span span_from(struct span, size_t start);

/*
 * Written here, so that a literal's length is known when it is compiled.
 * SPAN_NONE is taken, and never handed to memcmp, which may not get a null.
 */
static inline bool span_eq(struct span a, struct span b)
{
	if (a.len != b.len || !a.at != !b.at)
		return false;
	return a.len == 0 || memcmp(a.at, b.at, a.len) == 0;
}

static inline bool span_is(struct span span, const char *text)
{
	return span_eq(span, span_of(text));
}

static inline bool span_eq_nocase(struct span a, struct span b) /* ASCII */
{
	if (a.len != b.len || !a.at != !b.at)
		return false;
	return a.len == 0 || strncasecmp(a.at, b.at, a.len) == 0;
}

static inline bool span_is_nocase(struct span span, const char *text)
{
	return span_eq_nocase(span, span_of(text));
}

static inline bool span_starts(struct span span, const char *prefix)
{
	size_t len = strlen(prefix);

	return span.at && span.len >= len && memcmp(span.at, prefix, len) == 0;
}

bool span_ends(struct span, const char *suffix);

/* Position of the first, the last `c`; -1 if there is none. */
ptrdiff_t span_find(struct span, char c);
ptrdiff_t span_find_last(struct span, char c);

/*
 * Cuts `rest` at the first `c`: returns what stood before it and leaves what
 * stands behind. Without `c` returns everything and leaves SPAN_NONE.
 */
struct span span_cut(struct span *rest, char c);

/* Not empty, and of nothing but these letters. */
bool span_made_of(struct span, const char *letters);

/* Without blanks and tabs at both ends. */
struct span span_trim(struct span);

/*
 * Decimal digits only, the whole span, 0 … INT64_MAX. Returns -1 if it is
 * anything else (there is no sign, no blank, no overflow).
 */
int64_t span_decimal(struct span);

/*
 * The other way: the number in decimal digits, written to the end of `room`.
 */
#define SPAN_NUMBER_ROOM 20
struct span span_number(int64_t, char room[SPAN_NUMBER_ROOM]);

/* Copies into `room` bytes with a final NUL; false if it does not fit. */
bool span_copy(struct span, char *out, size_t room);
