/*
 * Every function takes SPAN_NONE, and never hands it to memcmp and the like,
 * which may not be given a null.
 */
#include "base/span.h"

struct span span_from(struct span span, size_t start)
{
	if (!span.at)
		return span;
	if (start > span.len)
		start = span.len;
	return span_make(span.at + start, span.len - start);
}

bool span_ends(struct span span, const char *suffix)
{
	size_t len = strlen(suffix);

	if (!span.at || span.len < len)
		return false;
	return memcmp(span.at + span.len - len, suffix, len) == 0;
}

ptrdiff_t span_find(struct span span, char c)
{
	const char *found = span.len ? memchr(span.at, c, span.len) : NULL;

	return found ? found - span.at : -1;
}

ptrdiff_t span_find_last(struct span span, char c)
{
	const char *found = span.len ? memrchr(span.at, c, span.len) : NULL;

	return found ? found - span.at : -1;
}

struct span span_cut(struct span *rest, char c)
{
	struct span whole = *rest;
	ptrdiff_t found = span_find(whole, c);

	if (found < 0) {
		*rest = SPAN_NONE;
		return whole;
	}
	*rest = span_from(whole, (size_t)found + 1);
	return span_make(whole.at, (size_t)found);
}

bool span_made_of(struct span span, const char *letters)
{
	for (size_t i = 0; i < span.len; i++)
		if (!span.at[i] || !strchr(letters, span.at[i]))
			return false;
	return span.len > 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct span span_trim(struct span span)
{
	while (span.len && is_blank(span.at[0]))
		span = span_from(span, 1);
	while (span.len && is_blank(span.at[span.len - 1]))
		span.len--;
	return span;
}

int64_t span_decimal(struct span span)
{
	int64_t value = 0;

	if (span.len == 0)
		return -1;
	for (size_t i = 0; i < span.len; i++) {
		if (span.at[i] < '0' || span.at[i] > '9')
			return -1;
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, span.at[i] - '0', &value))
			return -1;
	}
	return value;
}

struct span span_number(int64_t number, char room[SPAN_NUMBER_ROOM])
{
	uint64_t left = number < 0 ? -(uint64_t)number : (uint64_t)number;
	size_t at = SPAN_NUMBER_ROOM;

	do
		room[--at] = (char)('0' + left % 10);
	while (left /= 10);
	if (number < 0)
		room[--at] = '-';
	return span_make(room + at, SPAN_NUMBER_ROOM - at);
}

bool span_copy(struct span span, char *out, size_t room)
{
	if (span.len >= room)
		return false;
	if (span.len)
		memcpy(out, span.at, span.len);
	out[span.len] = '\0';
	return true;
}
