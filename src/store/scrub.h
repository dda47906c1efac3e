/*
 * store/scrub.h: one pass over everything. Not for other rooms.
 */
#pragma once
#include "store/inside.h"

struct scrub {
	struct store *store;
	const struct store_verify *how;
	struct store_verified *out;
	struct meta_round *round; /* or null */
	int64_t noted_ms;	  /* clock_ms, of the round */
	struct scrub_pace pace;
	struct reread *reread;
	struct err first; /* why a damaged file could not be moved, if any */
};

/* Counts it, logs it, and tells whoever asked. */
void scrub_tell(struct scrub *, const struct store_finding *);

/* What lies around and nothing knows. */
int scrub_files(struct scrub *, struct err *) may_wait must_check;
