/*
 * Straight on; where that fails, the last `*` takes one letter more, and
 * where it may not, the last `**` does. Earlier stars need no second thought:
 * what the later ones can reach from the first place, they can from any.
 */
#include "base/glob.h"

#define NOWHERE SIZE_MAX

/* Behind a star, and the text from where it was tried. */
struct star {
	size_t pattern;
	size_t text;
};

struct glob {
	struct span pattern;
	struct span text;
	size_t p; /* so far both fit */
	size_t t;
	struct star one;
	struct star all;
};

static bool star_take(struct glob *glob)
{
	struct span rest = span_from(glob->pattern, glob->p);

	if (!span_starts(rest, "*"))
		return false;
	if (span_starts(rest, "**")) {
		glob->p += 2;
		glob->all = (struct star){ glob->p, glob->t };
		glob->one.pattern = NOWHERE;
	} else {
		glob->p++;
		glob->one = (struct star){ glob->p, glob->t };
	}
	return true;
}

static bool letter_take(struct glob *glob)
{
	if (glob->p == glob->pattern.len ||
	    glob->pattern.at[glob->p] != glob->text.at[glob->t])
		return false;
	glob->p++;
	glob->t++;
	return true;
}

static bool star_grow(struct glob *glob)
{
	struct star *star = &glob->one;

	if (star->pattern == NOWHERE || glob->text.at[star->text] == '/') {
		glob->one.pattern = NOWHERE;
		star = &glob->all;
	}
	if (star->pattern == NOWHERE)
		return false;
	glob->p = star->pattern;
	glob->t = ++star->text;
	return true;
}

bool glob_match(struct span pattern, struct span text)
{
	struct glob glob = {
		.pattern = pattern,
		.text = text,
		.one.pattern = NOWHERE,
		.all.pattern = NOWHERE,
	};

	while (glob.t < text.len) {
		if (!star_take(&glob) && !letter_take(&glob) &&
		    !star_grow(&glob))
			return false;
	}
	while (star_take(&glob))
		continue;
	return glob.p == pattern.len;
}
