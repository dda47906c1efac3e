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
	RANGE_WHOLE, /* none asked, not understood, or several */
	RANGE_PART,
	RANGE_OUTSIDE /* 416 */
};

/*
 * The Range header against `size` bytes, -1 while that is unknown. What is
 * malformed, in another unit, or several ranges is ignored, as the RFC allows:
 * the whole is answered.
 */
enum range_kind range_parse(struct span header, int64_t size,
			    struct range *out);

/*
 * The Content-Range of an upload chunk: "<first>-<last>", with or without
 * "bytes " in front and "/<size>" behind. ERR_SIZE_INVALID.
 */
int range_parse_chunk(struct span header, struct range *out, struct err *)
	must_check;

/*
 * The Content-Range of a 206: "bytes <first>-<last>/<size or *>"; size -1 for
 * "*". ERR_UPSTREAM.
 */
int range_parse_part(struct span header, struct range *out, int64_t *size_out,
		     struct err *) must_check;
