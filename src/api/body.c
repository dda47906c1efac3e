/*
 * Straight down: read a piece, keep a piece. Pieces are filled before they
 * are kept, since clients send chunks of any size, and files like large ones.
 */
#include "api/body.h"

#include "base/buf.h"
#include "base/mem.h"

enum { SMALL = 16 * 1024, LARGE = 256 * 1024 };

static int too_large(int64_t limit, struct err *e)
{
	return err_set(e, ERR_TOO_LARGE, "at most %lld bytes are taken here",
		       (long long)limit);
}

int body_read(struct request *req, size_t limit, struct span *out,
	      struct err *e)
{
	auto_buf struct buf body = { 0 };
	char piece[SMALL];
	ssize_t n;

	if (req->body_size > (int64_t)limit)
		return too_large((int64_t)limit, e);
	while ((n = request_read(req, piece, sizeof(piece), e)) > 0) {
		buf_add(&body, span_make(piece, (size_t)n));
		if (body.len > limit)
			return too_large((int64_t)limit, e);
	}
	if (n < 0)
		return -1;
	*out = arena_copy(req->arena, buf_span(&body));
	return 0;
}

/* A piece, as full as the body makes it: 1; at its end 0, or -1. */
static int fill(struct request *req, char *piece, size_t room,
		size_t *filled_out, struct err *e)
{
	size_t filled = 0;
	ssize_t n = 1;

	while (filled < room && n > 0) {
		n = request_read(req, piece + filled, room - filled, e);
		if (n > 0)
			filled += (size_t)n;
	}
	*filled_out = filled;
	return n > 0 ? 1 : (int)n;
}

/* Of the `came` bytes of a body of which `more` may come. */
static int check_bounds(const struct body_bounds *bounds, int64_t came,
			bool more, struct err *e)
{
	if (came > bounds->most)
		return too_large(bounds->most, e);
	if (bounds->size < 0 || came == bounds->size ||
	    (came < bounds->size && more))
		return 0;
	return err_set(e, ERR_SIZE_INVALID,
		       "Content-Range is of %lld bytes, and %s came",
		       (long long)bounds->size,
		       came > bounds->size ? "more" : "fewer");
}

int body_store(struct request *req, struct incoming *incoming,
	       const struct body_bounds *bounds, struct err *e)
{
	auto_buf struct buf piece = { 0 };
	size_t room = SMALL; /* a PUT mostly has no body, and many are short */
	struct err why;
	int64_t came = 0;
	size_t filled;
	int more;

	if (bounds->size > bounds->most)
		return too_large(bounds->most, e);
	do {
		buf_reserve(&piece, room - 1); /* a NUL more than that */
		more = fill(req, piece.at, room, &filled, &why);
		/* What came before a failure counts. */
		if (incoming_write(incoming, span_make(piece.at, filled), e) <
		    0)
			return -1;
		came += (int64_t)filled;
		room = LARGE - (size_t)came % LARGE;
		if (check_bounds(bounds, came, more != 0, e) < 0)
			return -1;
	} while (more > 0);
	if (more < 0)
		*e = why;
	return more;
}
