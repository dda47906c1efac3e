/*
 * Each part is a frame of text and a piece of the file; the last has no piece.
 */
#include "http/parts.h"

#include "base/buf.h"
#include "base/hex.h"
#include "http/exchange.h"

enum { BOUNDARY = 16 }; /* bytes, that nobody guessed when the file was made */

struct part {
	struct span frame;
	struct http_part piece;
};

struct parts {
	char boundary[2 * BOUNDARY + 1];
	size_t next;
	size_t count; /* of frames */
	struct part part[];
};

static struct span frame_of(struct arena *arena, const char *boundary,
			    const char *media_type,
			    const struct http_part *piece, int64_t size)
{
	return span_of(
		arena_printf(arena,
			     "\r\n--%s\r\nContent-Type: %s\r\n"
			     "Content-Range: bytes %lld-%lld/%lld\r\n\r\n",
			     boundary, media_type, (long long)piece->offset,
			     (long long)(piece->offset + piece->length - 1),
			     (long long)size));
}

struct parts *parts_make(struct arena *arena, int64_t size,
			 const struct http_part *pieces, size_t count,
			 const char *media_type)
{
	struct parts *parts = arena_alloc(
		arena, sizeof(*parts) + (count + 1) * sizeof(*parts->part));
	uint8_t random[BOUNDARY];

	random_bytes(random, sizeof(random));
	hex_print(random, sizeof(random), parts->boundary);
	parts->count = count + 1;
	for (size_t i = 0; i < count; i++)
		parts->part[i] = (struct part){
			.frame = frame_of(arena, parts->boundary, media_type,
					  &pieces[i], size),
			.piece = pieces[i],
		};
	parts->part[count].frame =
		span_of(arena_printf(arena, "\r\n--%s--\r\n", parts->boundary));
	return parts;
}

int64_t parts_length(const struct parts *parts)
{
	int64_t length = 0;

	for (size_t i = 0; i < parts->count; i++)
		length += (int64_t)parts->part[i].frame.len +
			  parts->part[i].piece.length;
	return length;
}

void parts_describe(const struct parts *parts, struct buf *out)
{
	buf_addf(out, "Content-Type: multipart/byteranges; boundary=%s\r\n",
		 parts->boundary);
}

void parts_send_next(struct exchange *x)
{
	struct parts *parts = x->response.parts;
	const struct part *part = &parts->part[parts->next++];
	struct sending *s = &x->sending;

	buf_add(&s->text, part->frame);
	s->body += (int64_t)part->frame.len;
	s->offset = part->piece.offset;
	s->until = s->offset + part->piece.length;
	s->warm = 0;
	s->ended = parts->next == parts->count;
}
