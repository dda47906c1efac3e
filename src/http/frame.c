/*
 * One state machine for both framings: a body with a length is one chunk
 * whose size is known from the start, and that ends everything.
 *
 *	size [;extension] CRLF bytes CRLF … 0 CRLF [trailer CRLF]… CRLF
 */
#include "http/frame.h"

#include "base/hex.h"

enum { EXTRA_LIMIT = 4096 };

void frame_open(struct frame *frame, int64_t size)
{
	*frame = (struct frame){ .state = FRAME_SIZE_START,
				 .chunked = size < 0 };
	if (frame->chunked)
		return;
	frame->left = size;
	frame->state = size > 0 ? FRAME_BODY : FRAME_ENDED;
}

static bool is_text(unsigned char c)
{
	return (c >= ' ' && c != 0x7f) || c == '\t';
}

static enum frame_state size_byte(struct frame *frame, unsigned char c)
{
	int digit = hex_digit((char)c);

	if (digit >= 0) {
		if (frame->left > INT64_MAX >> 4)
			return FRAME_BROKEN;
		frame->left = frame->left << 4 | digit;
		return FRAME_SIZE;
	}
	if (frame->state == FRAME_SIZE_START)
		return FRAME_BROKEN;
	if (c == ';')
		return FRAME_EXTENSION;
	return c == '\r' ? FRAME_SIZE_LF : FRAME_BROKEN;
}

static enum frame_state after_size(struct frame *frame)
{
	frame->extra = 0;
	return frame->left > 0 ? FRAME_BODY : FRAME_TRAILER_START;
}

/* The state after one byte that is not body. */
static enum frame_state frame_byte(struct frame *frame, unsigned char c)
{
	switch (frame->state) {
	case FRAME_SIZE_START:
	case FRAME_SIZE:
		return size_byte(frame, c);
	case FRAME_EXTENSION:
		if (c == '\r')
			return FRAME_SIZE_LF;
		return is_text(c) ? FRAME_EXTENSION : FRAME_BROKEN;
	case FRAME_SIZE_LF:
		return c == '\n' ? after_size(frame) : FRAME_BROKEN;
	case FRAME_BODY_CR:
		return c == '\r' ? FRAME_BODY_LF : FRAME_BROKEN;
	case FRAME_BODY_LF:
		return c == '\n' ? FRAME_SIZE_START : FRAME_BROKEN;
	case FRAME_TRAILER_START:
		if (c == '\r')
			return FRAME_LAST_LF;
		return c > ' ' && is_text(c) ? FRAME_TRAILER : FRAME_BROKEN;
	case FRAME_TRAILER:
		if (c == '\r')
			return FRAME_TRAILER_LF;
		return is_text(c) ? FRAME_TRAILER : FRAME_BROKEN;
	case FRAME_TRAILER_LF:
		return c == '\n' ? FRAME_TRAILER_START : FRAME_BROKEN;
	case FRAME_LAST_LF:
		return c == '\n' ? FRAME_ENDED : FRAME_BROKEN;
	case FRAME_BODY:
	case FRAME_ENDED:
	case FRAME_BROKEN:
		break;
	}
	return frame->state;
}

void frame_skip(struct frame *frame, size_t count)
{
	frame->left -= (int64_t)count;
	if (frame->left == 0)
		frame->state = frame->chunked ? FRAME_BODY_CR : FRAME_ENDED;
}

int64_t frame_sure(const struct frame *frame)
{
	return frame->state == FRAME_BODY ? frame->left : 0;
}

static struct span take_data(struct frame *frame, struct span *in, size_t room)
{
	size_t len = in->len < room ? in->len : room;

	if ((int64_t)len > frame->left)
		len = (size_t)frame->left;
	struct span data = span_make(in->at, len);
	*in = span_from(*in, len);
	frame_skip(frame, len);
	return data;
}

enum frame_event frame_next(struct frame *frame, struct span *in, size_t room,
			    struct span *data_out)
{
	for (;;) {
		if (frame->state == FRAME_ENDED)
			return FRAME_END;
		if (frame->state == FRAME_BROKEN)
			return FRAME_BAD;
		if (in->len == 0)
			return FRAME_MORE;
		if (frame->state == FRAME_BODY) {
			*data_out = take_data(frame, in, room);
			return FRAME_DATA;
		}
		frame->state = frame_byte(frame, (unsigned char)in->at[0]);
		*in = span_from(*in, 1);
		if (++frame->extra > EXTRA_LIMIT)
			frame->state = FRAME_BROKEN;
	}
}
