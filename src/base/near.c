/*
 * Levenshtein's distance, on one row of the table.
 */
#include "base/near.h"

#include <ctype.h>

#define LEN_MAX 63 /* longer words are near to none */

static bool is_same(char letter, char c)
{
	return letter == c || (letter == '#' && isdigit((unsigned char)c));
}

/*
 * `row` holds, for the part of `text` seen so far, the edits from each
 * beginning of `word`.
 */
static size_t edits(struct span word, struct span text)
{
	size_t row[LEN_MAX + 1];

	for (size_t i = 0; i <= word.len; i++)
		row[i] = i;
	for (size_t j = 0; j < text.len; j++) {
		size_t corner = row[0]++;

		for (size_t i = 0; i < word.len; i++) {
			size_t best = corner + !is_same(word.at[i], text.at[j]);

			corner = row[i + 1];
			if (best > corner + 1)
				best = corner + 1;
			if (best > row[i] + 1)
				best = row[i] + 1;
			row[i + 1] = best;
		}
	}
	return row[word.len];
}

bool near_improves(struct span word, struct span text, size_t *least)
{
	if (word.len > LEN_MAX || text.len > LEN_MAX)
		return false;
	size_t distance = edits(word, text);
	if (distance >= *least || 2 * distance >= text.len)
		return false;
	*least = distance;
	return true;
}
