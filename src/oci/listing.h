/*
 * oci/listing.h: what other registries answer when they are asked for a list,
 * as lines. distribution-spec, "Listing Tags", "Listing Referrers".
 *
 * Each line ends in a newline. Of tags it is a tag; of referrers an artifact
 * type, which may be empty, a tab, and a descriptor as JSON on that line. What
 * is no tag, or no descriptor, is left out.
 */
#pragma once
#include "base/buf.h"
#include "base/err.h"

#define LISTING_MAX ((size_t)40 * 1024 * 1024)	/* bytes of lines */
#define LISTING_SORT ((size_t)16 * 1024 * 1024) /* that had to be sorted */
#define LISTING_PAGE ((size_t)8 * 1024 * 1024)	/* bytes of an answer */

/* Adds the lines of one answer. ERR_REQUEST: it is no such list. */
int listing_tags(struct span answer, struct buf *lines, struct err *)
	may_wait must_check;
int listing_referrers(struct span index, struct buf *lines, struct err *)
	may_wait must_check;

/* In the order of their bytes, each once: are they, and make them so. */
bool listing_is_sorted(struct span lines);
void listing_sort(struct buf *lines);

/*
 * Where the next page is, as a Link header has it (RFC 8288): SPAN_NONE if
 * there is none.
 */
struct span listing_next(struct span link);
