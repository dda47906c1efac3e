/*
 * Straight down: read a piece, keep a piece.
 */
#include "api/body.h"

#include "base/buf.h"
#include "base/mem.h"

enum { SMALL = 16 * 1024, LARGE = 256 * 1024 };

static int too_large(size_t limit, struct err *e)
{
	return err_set(e, ERR_TOO_LARGE, "at most %zu bytes are taken here",
		       limit);
}

int body_read(struct request *req, size_t limit, struct span *out,
	      struct err *e)
{
	auto_buf struct buf body = { 0 };
	char piece[SMALL];
	ssize_t n;

	if (req->body_size > (int64_t)limit)
		return too_large(limit, e);
	while ((n = request_read(req, piece, sizeof(piece), e)) > 0) {
		buf_add(&body, span_make(piece, (size_t)n));
		if (body.len > limit)
			return too_large(limit, e);
	}
	if (n < 0)
		return -1;
	*out = arena_copy(req->arena, buf_span(&body));
	return 0;
}

int body_store(struct request *req, struct incoming *incoming, struct err *e)
{
	auto_free char *piece = mem_alloc(LARGE);
	ssize_t n;

	while ((n = request_read(req, piece, LARGE, e)) > 0)
		if (incoming_write(incoming, span_make(piece, (size_t)n), e) <
		    0)
			return -1;
	return n < 0 ? -1 : 0;
}
