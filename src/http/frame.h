/*
 * http/frame.h: where the body of a request ends (RFC 9112, 6 and 7). Pure:
 * bytes go in piece by piece, pieces of the body come out.
 */
#pragma once
#include "base/span.h"

enum frame_state {
	FRAME_SIZE_START,
	FRAME_SIZE,
	FRAME_EXTENSION,
	FRAME_SIZE_LF,
	FRAME_BODY, /* `left` bytes of body are next */
	FRAME_BODY_CR,
	FRAME_BODY_LF,
	FRAME_TRAILER_START,
	FRAME_TRAILER,
	FRAME_TRAILER_LF,
	FRAME_LAST_LF,
	FRAME_ENDED,
	FRAME_BROKEN
};

struct frame {
	enum frame_state state;
	bool chunked;
	unsigned extra; /* bytes of this size line, or of the trailer */
	int64_t left;	/* of this chunk, or of the body */
};

/* `size` -1: chunked. */
void frame_open(struct frame *, int64_t size);

enum frame_event { FRAME_MORE, FRAME_DATA, FRAME_END, FRAME_BAD };

/*
 * Takes from the front of `in`. FRAME_DATA: `data_out` is the next piece of
 * the body, of at most `room` bytes. FRAME_MORE: `in` is used up.
 */
enum frame_event frame_next(struct frame *, struct span *in, size_t room,
			    struct span *data_out);

/*
 * How many bytes of body surely come next. The caller may read so many past
 * frame_next, and then says so.
 */
int64_t frame_sure(const struct frame *);
void frame_skip(struct frame *, size_t count);
