/*
 * oci/range.h: byte ranges. RFC 9110, section 14, and the two headers of
 * upload chunks (distribution-spec, "Pushing a blob in chunks").
 */
#pragma once
#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct range {
	int64_t start;	/* first byte */
	int64_t length; /* bytes, > 0 */
};

enum range_kind {
	RANGE_WHOLE, /* none asked, or not to be answered by parts */
	RANGE_PARTS,
	RANGE_OUTSIDE /* 416 */
};

#define RANGES_MOST 1024 /* as many as podman asks for at once */
#define RANGES_MIXED 16	 /* of those that come in any order */

/* At least one, as they were asked for; no two share a byte. */
struct ranges {
	struct range parts[RANGES_MOST];
	size_t count;
	int64_t reach; /* the end of the furthest */
};

/*
 * The Range header against `size` bytes, -1 while that is unknown. RANGE_WHOLE
 * also if it is malformed, in another unit, of more parts than above, or of
 * parts that overlap: the RFC allows to ignore such a header. Parts that hold
 * no byte of what there is are left out; RANGE_OUTSIDE if that leaves none.
 */
enum range_kind range_parse(struct span header, int64_t size,
			    struct ranges *out);

/*
 * The Content-Range of an upload chunk: "<first>-<last>", with or without
 * "bytes " in front and "/<size>" behind. ERR_CHUNK_INVALID.
 */
int range_parse_chunk(struct span header, struct range *out, struct err *)
	must_check;

/*
 * The Content-Range of a 206: "bytes <first>-<last>/<size or *>"; size -1 for
 * "*". ERR_UPSTREAM.
 */
int range_parse_part(struct span header, struct range *out, int64_t *size_out,
		     struct err *) must_check;
