/*
 * Positions are decimal digits and nothing else, and lie in 0 … INT64_MAX; a
 * last position is inclusive, so a length is one more than the difference.
 */
#include "oci/range.h"

#include <stdint.h>

static enum range_kind clip(int64_t first, int64_t last, int64_t size,
			    struct range *out)
{
	if (first < 0 || last < 0)
		return RANGE_WHOLE;
	if (first >= size || last < first)
		return RANGE_OUTSIDE;
	if (last >= size)
		last = size - 1;
	*out = (struct range){ first, last - first + 1 };
	return RANGE_PARTS;
}

/* "-<length>": the last bytes. Of nothing, that is the whole. */
static enum range_kind clip_end(int64_t length, int64_t size, struct range *out)
{
	if (length == 0)
		return RANGE_OUTSIDE;
	if (length < 0 || size == 0)
		return RANGE_WHOLE;
	return clip(length < size ? size - length : 0, size - 1, size, out);
}

static enum range_kind part_parse(struct span last, int64_t size,
				  struct range *out)
{
	struct span first = span_cut(&last, '-');

	if (!last.at)
		return RANGE_WHOLE;
	if (first.len == 0)
		return clip_end(span_decimal(last), size, out);
	return clip(span_decimal(first),
		    last.len ? span_decimal(last) : INT64_MAX, size, out);
}

static bool overlaps(const struct ranges *ranges, const struct range *with)
{
	for (size_t i = 0; i < ranges->count; i++) {
		const struct range *range = &ranges->parts[i];

		if (range->start < with->start + with->length &&
		    with->start < range->start + range->length)
			return true;
	}
	return false;
}

/* One that begins behind all others needs no look at each of them. */
static bool fits(const struct ranges *ranges, const struct range *part)
{
	if (part->start >= ranges->reach)
		return ranges->count < RANGES_MOST;
	return ranges->count < RANGES_MIXED && !overlaps(ranges, part);
}

/* As of one part; RANGE_WHOLE ends it. */
static enum range_kind part_add(struct ranges *ranges, struct span text,
				int64_t size)
{
	struct range part;
	enum range_kind kind = part_parse(text, size, &part);

	if (kind != RANGE_PARTS)
		return kind;
	if (!fits(ranges, &part))
		return RANGE_WHOLE;
	ranges->parts[ranges->count++] = part;
	if (part.start + part.length > ranges->reach)
		ranges->reach = part.start + part.length;
	return RANGE_PARTS;
}

enum range_kind range_parse(struct span header, int64_t size,
			    struct ranges *out)
{
	struct span rest = header;
	struct span unit = span_cut(&rest, '=');
	bool some = false;

	out->count = 0;
	out->reach = 0;
	if (size < 0 || !span_is_nocase(unit, "bytes"))
		return RANGE_WHOLE;
	while (rest.at) {
		struct span text = span_trim(span_cut(&rest, ','));

		if (text.len == 0)
			continue;
		if (part_add(out, text, size) == RANGE_WHOLE)
			return RANGE_WHOLE;
		some = true;
	}
	if (!some)
		return RANGE_WHOLE;
	return out->count > 0 ? RANGE_PARTS : RANGE_OUTSIDE;
}

/* "<first>-<last>" */
static bool bounds_parse(struct span last, struct range *out)
{
	struct span first = span_cut(&last, '-');
	int64_t from = span_decimal(first);
	int64_t to = span_decimal(last);

	if (from < 0 || to < from || to - from == INT64_MAX)
		return false;
	*out = (struct range){ from, to - from + 1 };
	return true;
}

/* "<size>" or "*", and the range lies inside. */
static bool size_parse(struct span text, const struct range *range,
		       int64_t *size_out)
{
	*size_out = span_is(text, "*") ? -1 : span_decimal(text);
	return span_is(text, "*") ||
	       (*size_out >= range->length &&
		*size_out - range->length >= range->start);
}

int range_parse_chunk(struct span header, struct range *out, struct err *e)
{
	bool has_unit = span_starts(header, "bytes ");
	struct span size = span_from(header, has_unit ? strlen("bytes ") : 0);
	struct span bounds = span_cut(&size, '/');
	int64_t ignored;

	if (!bounds_parse(bounds, out) ||
	    (size.at && !size_parse(size, out, &ignored)))
		return err_set(e, ERR_CHUNK_INVALID,
			       "\"%.*s\" is no Content-Range of a chunk, "
			       "like 0-99",
			       SPAN_ARG(header));
	return 0;
}

int range_parse_part(struct span header, struct range *out, int64_t *size_out,
		     struct err *e)
{
	struct span size = header;
	struct span unit = span_cut(&size, ' ');
	struct span bounds = span_cut(&size, '/');

	if (!span_is_nocase(unit, "bytes") || !bounds_parse(bounds, out) ||
	    !size_parse(size, out, size_out))
		return err_set(e, ERR_UPSTREAM, "\"%.*s\" is no Content-Range",
			       SPAN_ARG(header));
	return 0;
}
