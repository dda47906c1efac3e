/*
 * The body of a request. However its bytes are cut, and whether they are read
 * past the decoder or not, body and end are the same.
 *
 * The first byte of the input says how the rest is cut; when it is odd, the
 * body has a length, the second byte.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "http/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

struct result {
	struct buf body;
	enum frame_event event;
	size_t taken;
};

static void check(bool promise)
{
	if (!promise)
		abort();
}

/* Past the decoder: what surely comes, if it is here. */
static size_t read_past(struct frame *frame, struct span rest,
			struct result *result)
{
	size_t count = rest.len;

	if ((int64_t)count > frame_sure(frame))
		count = (size_t)frame_sure(frame);
	if (count == 0)
		return 0;
	buf_add(&result->body, span_make(rest.at, count));
	frame_skip(frame, count);
	return count;
}

static struct result read_all(struct span bytes, int64_t size, size_t step,
			      bool past)
{
	struct result result = { .event = FRAME_MORE };
	struct frame frame;

	frame_open(&frame, size);
	for (;;) {
		struct span in = span_from(bytes, result.taken), data;

		if (past)
			result.taken += read_past(&frame, in, &result);
		in = span_from(bytes, result.taken);
		in.len = in.len < step ? in.len : step;
		size_t given = in.len;
		result.event = frame_next(&frame, &in, step, &data);
		result.taken += given - in.len;
		if (result.event == FRAME_DATA)
			buf_add(&result.body, data);
		else if (result.event != FRAME_MORE || given == 0)
			return result;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	if (size < 2)
		return 0;
	struct span bytes = span_make((const char *)input + 2, size - 2);
	int64_t length = input[0] & 1 ? input[1] : -1;
	size_t step = input[0] / 2 + 1;
	struct result whole = read_all(bytes, length, SIZE_MAX, false);
	struct result cut = read_all(bytes, length, step, false);
	struct result past = read_all(bytes, length, step, true);

	check(whole.body.len <= bytes.len);
	check(whole.event == cut.event && whole.event == past.event);
	check(whole.taken == cut.taken && whole.taken == past.taken);
	check(span_eq(buf_span(&whole.body), buf_span(&cut.body)));
	check(span_eq(buf_span(&whole.body), buf_span(&past.body)));
	buf_free(&whole.body);
	buf_free(&cut.body);
	buf_free(&past.body);
	return 0;
}
