/*
 * base/near.h: which of the right words a wrong one was meant to be. Pure.
 */
#pragma once
#include "base/span.h"

/* So far, nothing is near. */
#define NEAR_NONE ((size_t)4)

/*
 * Is `text` nearer to `word` than `least` changed, added or missing letters,
 * and more like it than not? Then `least` falls to how many there are. A '#' in
 * `word` is any digit.
 */
bool near_improves(struct span word, struct span text, size_t *least);
