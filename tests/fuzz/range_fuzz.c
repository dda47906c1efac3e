/*
 * The small grammars that stand in request lines and headers: ranges, names,
 * tags, digests and references. What is taken lies in its bounds and reads
 * back as it was.
 */
#include <stdlib.h>

#include "oci/name.h"
#include "oci/range.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static void check(bool promise)
{
	if (!promise)
		abort();
}

static bool are_apart(struct range a, struct range b)
{
	return a.start >= b.start + b.length || b.start >= a.start + a.length;
}

/* The last byte has a position, and so has the one behind it. */
static void check_range(struct range range)
{
	check(range.start >= 0);
	check(range.length > 0);
	check(range.length - 1 <= INT64_MAX - range.start);
}

static void try_range(struct span text)
{
	static const int64_t sizes[] = { -1, 0, 1, 100, INT64_MAX };

	for (size_t i = 0; i < array_size(sizes); i++) {
		struct ranges ranges;

		if (range_parse(text, sizes[i], &ranges) != RANGE_PARTS)
			continue;
		check(ranges.count > 0);
		for (size_t p = 0; p < ranges.count; p++) {
			check_range(ranges.parts[p]);
			check(ranges.parts[p].length <=
			      sizes[i] - ranges.parts[p].start);
			for (size_t q = 0; q < p; q++)
				check(are_apart(ranges.parts[p],
						ranges.parts[q]));
		}
	}
}

static void try_content_range(struct span text)
{
	struct range range;
	int64_t size;
	struct err e;

	if (range_parse_chunk(text, &range, &e) == 0)
		check_range(range);
	if (range_parse_part(text, &range, &size, &e) < 0)
		return;
	check_range(range);
	check(size == -1 || range.length <= size - range.start);
}

static void try_values(struct span text)
{
	struct reference reference;
	struct digest digest;
	struct name name;
	struct tag tag;
	struct err e;

	if (name_parse(text, &name, &e) == 0)
		check(span_is(text, name.s) && text.len <= NAME_MAX_LEN);
	if (tag_parse(text, &tag, &e) == 0)
		check(span_is(text, tag.s) && text.len <= TAG_MAX_LEN);
	if (digest_parse(text, &digest, &e) == 0)
		check(span_is(text, digest_text(&digest).s));
	if (reference_parse(text, &reference, &e) == 0)
		check(span_is(text, reference_text(&reference).s));
	name_looks_like_host(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct span text = span_make((const char *)input, size);

	try_range(text);
	try_content_range(text);
	try_values(text);
	return 0;
}
