/*
 * What is to be sent lies ready in three places, in this order: `text` (the
 * head, and frames of chunks), `bytes`, and the file from `offset` to
 * `until`. When nothing is ready, the response has ended, or it is a growing
 * file that may have grown.
 *
 * Plain sockets get text by send and files by sendfile. Where TLS is ours, not
 * the kernel's, everything that is ready is gathered in the reactor's chunk,
 * so that a head and a small file leave as one record.
 *
 * No file is read before it is known to be in the page cache: `warm` says how
 * far that was seen to be so.
 */
#include "http/send.h"

#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/thread.h"
#include "http/growth.h"
#include "http/parts.h"
#include "http/records.h"
#include "http/server.h"

enum {
	/* Bytes, before others have their turn, and for one sendfile: a
	   quarter of it was measured, and costs a tenth more CPU a byte. */
	TURN = 2 * 1024 * 1024,
	STEP = 512 * 1024, /* in which the page cache is looked at, or filled */
	PAGE = 4096
};

void send_frame(struct sending *s, int64_t size)
{
	if (!s->chunked)
		return;
	buf_addf(&s->text, "%s%llx\r\n", s->body > 0 ? "\r\n" : "",
		 (unsigned long long)size);
}

void send_last_frame(struct sending *s)
{
	if (s->chunked)
		buf_add(&s->text, s->body > 0 ? SPAN("\r\n0\r\n\r\n") :
						SPAN("0\r\n\r\n"));
	s->ended = true;
}

/* How far a growing file may be sent by now. */
static int64_t grown(const struct exchange *x)
{
	const struct sending *s = &x->sending;
	int64_t length = growing_length(x->response.growing);

	return s->end >= 0 && length > s->end ? s->end : length;
}

void send_start(struct exchange *x)
{
	enum { JOINED = 16 * 1024 };
	const struct response *res = &x->response;
	struct sending *s = &x->sending;

	s->ended = res->kind <= BODY_FILE;
	s->offset = s->until = res->offset;
	s->end = res->length < 0 ? -1 : res->offset + res->length;
	if (res->kind == BODY_FILE) {
		s->until = s->end;
	} else if (res->kind == BODY_GROWING && !s->chunked) {
		if (grown(x) > s->offset)
			s->until = grown(x);
	} else if (res->kind == BODY_BYTES && res->bytes.len <= JOINED) {
		buf_add(&s->text, res->bytes);
		s->body = res->length;
	} else if (res->kind == BODY_BYTES) {
		s->bytes = res->bytes;
	}
}

/* ------------------------------------------------------------ files */

static int file_of(const struct exchange *x)
{
	return x->response.kind == BODY_GROWING ?
		       growing_fd(x->response.growing) :
		       x->response.fd;
}

static int64_t step_end(const struct sending *s, int64_t from)
{
	return s->until - from > STEP ? from + STEP : s->until;
}

/* File systems that cannot say count as warm. */
static bool page_is_cached(int fd, int64_t offset)
{
	char byte;
	struct iovec piece = { &byte, 1 };

	return preadv2(fd, &piece, 1, offset, RWF_NOWAIT) >= 0 ||
	       errno != EAGAIN;
}

/* Its first and its last page: what lies between was read with them. */
static bool step_is_cached(int fd, int64_t from, int64_t to)
{
	return page_is_cached(fd, from) &&
	       (to - from <= PAGE || page_is_cached(fd, to - 1));
}

/* Something of the file can be sent without waiting, if any is left. */
static bool is_warm(struct exchange *x)
{
	struct sending *s = &x->sending;
	int fd = file_of(x);

	if (s->offset < s->warm || s->offset == s->until)
		return true;
	s->warm = s->offset;
	while (s->warm < s->until && s->warm - s->offset < TURN &&
	       step_is_cached(fd, s->warm, step_end(s, s->warm)))
		s->warm = step_end(s, s->warm);
	return s->warm > s->offset;
}

void send_warm(struct exchange *x)
{
	struct sending *s = &x->sending;
	int64_t end = step_end(s, s->offset);
	char piece[64 * 1024];
	ssize_t n = 1;

	thread_may_wait("send_warm");
	/* An error, or a short file, is found again by who sends. */
	for (int64_t at = s->offset; at < end && n > 0; at += n) {
		size_t size = sizeof(piece);
		if (end - at < (int64_t)size)
			size = (size_t)(end - at);
		n = pread(file_of(x), piece, size, at);
	}
	s->warm = end;
}

/* ------------------------------------------------------------ one piece */

static struct span text_left(const struct sending *s)
{
	return span_from(buf_span(&s->text), s->text_sent);
}

static bool nothing_is_ready(const struct sending *s)
{
	return s->text_sent == s->text.len && s->bytes.len == 0 &&
	       s->offset == s->until;
}

static void text_was_sent(struct sending *s, size_t count)
{
	s->text_sent += count;
	if (s->text_sent == s->text.len) {
		buf_clear(&s->text);
		s->text_sent = 0;
	}
}

static void file_was_sent(struct sending *s, ssize_t count)
{
	s->offset += count;
	s->body += count;
}

static ssize_t send_text(struct connection *c, bool more)
{
	struct sending *s = &c->exchange->sending;
	ssize_t n = wire_write(&c->wire, text_left(s), more);

	if (n > 0)
		text_was_sent(s, (size_t)n);
	return n;
}

static ssize_t send_bytes(struct connection *c)
{
	struct sending *s = &c->exchange->sending;
	ssize_t n = wire_write(&c->wire, s->bytes, false);

	if (n > 0) {
		s->bytes = span_from(s->bytes, (size_t)n);
		s->body += n;
	}
	return n;
}

/* The file has not what was promised, so the client gets no end. */
static ssize_t file_failed(struct sending *s)
{
	s->bad_file = true;
	return WIRE_GONE;
}

static ssize_t send_plain(struct connection *c)
{
	struct sending *s = &c->exchange->sending;

	if (text_left(s).len > 0)
		return send_text(c, s->bytes.len > 0 || s->offset < s->until);
	if (s->bytes.len > 0)
		return send_bytes(c);
	ssize_t n = wire_send_file(&c->wire, file_of(c->exchange), s->offset,
				   (size_t)(s->warm - s->offset));
	if (n > 0)
		file_was_sent(s, n);
	return n == 0 ? file_failed(s) : n;
}

/* Text and file in one piece. */
static ssize_t send_sealed_file(struct connection *c)
{
	struct sending *s = &c->exchange->sending;
	struct span text = text_left(s);
	char *chunk = c->home->chunk;
	size_t room = TLS_BATCH - text.len;
	int busy = wire_flush(&c->wire);

	if (busy)
		return busy;
	if (s->warm - s->offset < (int64_t)room)
		room = (size_t)(s->warm - s->offset);
	memcpy(chunk, text.at, text.len);
	ssize_t file =
		pread(file_of(c->exchange), chunk + text.len, room, s->offset);
	if (file <= 0)
		return file_failed(s);
	ssize_t n = wire_write(
		&c->wire, span_make(chunk, text.len + (size_t)file), false);
	if (n > 0) {
		text_was_sent(s, text.len);
		file_was_sent(s, file);
	}
	return n;
}

static ssize_t send_sealed(struct connection *c)
{
	struct sending *s = &c->exchange->sending;
	struct span text = text_left(s);

	if (s->offset < s->until && text.len < TLS_BATCH / 2)
		return send_sealed_file(c);
	return text.len > 0 ? send_text(c, false) : send_bytes(c);
}

/* ------------------------------------------------------------ what comes next
 */

/* The file may have grown. */
static enum next look_for_growth(struct connection *c)
{
	struct sending *s = &c->exchange->sending;
	struct growing *growing = c->exchange->response.growing;
	enum growing_state state = growing_state(growing);
	int64_t length = grown(c->exchange);

	if (s->offset < length) {
		s->until = length - s->offset > TURN ? s->offset + TURN :
						       length;
		send_frame(s, s->until - s->offset);
		return NEXT_STEP;
	}
	if (s->offset == s->end || (s->end < 0 && state == GROWING_WHOLE)) {
		send_last_frame(s);
		return NEXT_STEP;
	}
	if (state != GROWING) {
		c->exchange->cut = true; /* broken, or shorter than promised */
		return NEXT_STEP;
	}
	return growth_wait(c, growing, length) ? NEXT_GROWTH : NEXT_STEP;
}

static enum next blocked(struct connection *c)
{
	struct sending *s = &c->exchange->sending;

	if (s->blocked_ms)
		return NEXT_SOCKET;
	s->blocked_ms = c->home->now_ms;
	if (exchange_hold(c->exchange))
		return NEXT_SOCKET;
	c->exchange->cut = true;
	return NEXT_STEP;
}

static void progressed(struct connection *c, ssize_t count)
{
	struct sending *s = &c->exchange->sending;

	c->renew = true;
	s->pace.bytes += count;
	if (s->blocked_ms == 0)
		return;
	s->pace.waited_ms += c->home->now_ms - s->blocked_ms;
	s->blocked_ms = 0;
	exchange_let_go(c->exchange);
	if (pace_is_too_slow(&s->pace, c->home->http->options.stall_ms))
		c->exchange->cut = true;
}

/* Bytes, 0 when nothing is left to be sent, or WIRE_…. */
static ssize_t send_ready(struct connection *c)
{
	if (nothing_is_ready(&c->exchange->sending))
		return wire_flush(&c->wire);
	return c->wire.seals ? send_sealed(c) : send_plain(c);
}

/* Nothing is ready, and the response has not ended. */
static enum next find_more(struct connection *c)
{
	if (c->exchange->response.kind != BODY_PARTS)
		return look_for_growth(c);
	parts_send_next(c->exchange);
	return NEXT_STEP;
}

enum next send_on(struct connection *c)
{
	struct exchange *x = c->exchange;
	int64_t turn = TURN;
	enum next next;

	while (!x->cut && turn > 0) {
		if (!is_warm(x)) {
			c->lane = LANE_WARM;
			return NEXT_LANE;
		}
		ssize_t n = send_ready(c);
		if (n == WIRE_WAIT)
			return blocked(c);
		if (n == WIRE_GONE) {
			x->cut = true;
		} else if (n > 0) {
			progressed(c, n);
			turn -= n;
		} else if (x->sending.ended) {
			return NEXT_STEP;
		} else if ((next = find_more(c)) != NEXT_STEP) {
			return next;
		}
	}
	return x->cut ? NEXT_STEP : NEXT_TURN;
}
