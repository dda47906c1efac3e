/*
 * meta/lists.h: lists as upstreams gave them. A part of meta/meta.h, which
 * includes it.
 */
#pragma once
#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "oci/name.h"

struct meta;

/*
 * A list as an upstream gave it, in the lines of oci/listing.h: of the tags of
 * one of its repositories, sorted, or, with a subject, of what refers to that.
 * It is read in parts. Begins as zero, but for which part is wanted:
 */
struct meta_list {
	const char *after; /* of tags: behind this one, null: from the first */
	int64_t place;	   /* of referrers: behind so many lines */
	size_t room;	   /* all that come within so many bytes */

	struct buf lines; /* these, others before them, some behind them */
	int64_t before;	  /* how many lines the list has before all of these */
	bool more;	  /* it has others behind all of these */
	int64_t size;	  /* of the whole list, bytes */
	int64_t checked;  /* wall clock, s: when upstream said so */
};
/* The lines; which part is wanted stays. */
void meta_list_free(struct meta_list *);

/*
 * As of now; null `subject`: tags. An empty list of a repository of which
 * nothing else is here is not kept. A loss of power may take it, eviction takes
 * it with the subject, or the last image of the repository, and the oldest
 * lists go where all of them are more than 64 MiB. At most LISTING_MAX bytes.
 */
int meta_list_put(struct meta *, const struct repository *,
		  const struct digest *subject, struct span lines, struct err *)
	may_wait must_check;
/* That part of it. ERR_NOT_FOUND. */
int meta_list_peek(struct meta *, const struct repository *,
		   const struct digest *subject, struct meta_list *out,
		   struct err *) must_check;
