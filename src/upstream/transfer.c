/*
 * A blob's transfer is a row of attempts, each one GET that begins where the
 * last ended. What counts as progress is a byte beyond the furthest that the
 * sink ever had, so an upstream that knows no Range and breaks at the same
 * place again and again does not keep us for ever. Who is silent or too slow
 * makes place for the next address, also after some bytes.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "oci/range.h"
#include "upstream/ask.h"

#define PAUSE_MS 100
#define PAUSE_MAX_MS 2000

struct transfer {
	struct upstream *upstream;
	const struct upstream_question *question;
	const char *path;
	const struct upstream_sink *sink;
	int64_t size;	     /* of the whole blob; -1: unknown */
	int64_t end;	     /* of what is wanted; 0: that of the blob */
	int64_t offset;	     /* what the sink has */
	int64_t furthest;    /* the most that it ever had */
	int64_t progress_ms; /* when that last grew, or the start */
	struct {
		int64_t began_ms;
		int64_t from;	 /* `furthest` then */
		int64_t sink_ms; /* that the sink took since */
	} minute;		 /* of twice pace_ms, in fact */
	size_t fruitless;	 /* attempts without progress since then */
	size_t address;		 /* whose turn it is */
	bool started;		 /* the sink knows */
	bool flowing;		 /* there was progress */
	bool whole;		 /* there is no more to come */
	bool sink_failed;
};

/* -------------------------------------------------------- to the sink */

static int told(struct transfer *t, int result)
{
	t->sink_failed = result < 0;
	return result;
}

/* This attempt says that the blob has `size` bytes; -1: nothing. */
static int learn_size(struct transfer *t, int64_t size, struct err *e)
{
	if (size >= 0 && t->size >= 0 && size != t->size)
		return err_set(e, ERR_UPSTREAM,
			       "offers %" PRId64 " bytes of a blob that has "
			       "%" PRId64,
			       size, t->size);
	if (size >= 0)
		t->size = size;
	if (t->started)
		return 0;
	t->started = true;
	return told(t, t->sink->start(t->sink->arg, t->size, e));
}

static int restart(struct transfer *t, struct err *e)
{
	t->offset = 0;
	return told(t, t->sink->restart(t->sink->arg, e));
}

/* ------------------------------------------------------------ one attempt */

/* 200: all of it from the start, whatever was asked. */
static int begin_whole(struct transfer *t, const struct client_head *head,
		       struct err *e)
{
	if (learn_size(t, client_body_size(head), e) < 0)
		return -1;
	return t->offset > 0 ? restart(t, e) : 0;
}

static bool is_part(const struct transfer *t)
{
	return t->offset > 0 || t->end > 0;
}

/* 206: it must begin where we are. */
static int begin_part(struct transfer *t, const struct client_head *head,
		      struct err *e)
{
	struct span text = client_header(head, "Content-Range");
	struct range range;
	int64_t size;

	if (range_parse_part(text, &range, &size, e) < 0)
		return -1;
	if (!is_part(t) || range.start != t->offset)
		return err_set(e, ERR_UPSTREAM,
			       "sent bytes from %" PRId64 ", not from %" PRId64,
			       range.start, t->offset);
	return learn_size(t, size, e);
}

/* 416: there is nothing at `offset`; the blob ends there, or before. */
static int begin_nothing(struct transfer *t, const struct client_head *head,
			 struct err *e)
{
	struct span size = client_header(head, "Content-Range");

	span_cut(&size, '/');
	if (t->offset > 0 && span_decimal(size) == t->offset) {
		if (learn_size(t, t->offset, e) < 0)
			return -1;
		t->whole = true;
	} else if (t->offset > 0 && restart(t, e) < 0) {
		return -1;
	}
	return err_set(e, ERR_UPSTREAM, "answered 416");
}

static int on_head(const struct client_head *head, void *arg, struct err *e)
{
	switch (client_status(head)) {
	case 206:
		return begin_part(arg, head, e);
	case 416:
		return begin_nothing(arg, head, e);
	default:
		return begin_whole(arg, head, e);
	}
}

static int take(struct transfer *t, struct span piece, struct err *e)
{
	int64_t before_ms = clock_ms();

	if (told(t, t->sink->write(t->sink->arg, piece, e)) < 0)
		return -1;
	t->minute.sink_ms += clock_ms() - before_ms;
	t->offset += (int64_t)piece.len;
	if (t->offset > t->furthest) {
		t->furthest = t->offset;
		t->progress_ms = clock_ms();
		t->flowing = true;
	}
	return 0;
}

static int on_body(struct span piece, void *arg, struct err *e)
{
	struct transfer *t = arg;
	int64_t len = (int64_t)piece.len;

	if (t->size >= 0 && len > t->size - t->offset)
		return err_set(e, ERR_UPSTREAM,
			       "sends more than the %" PRId64
			       " bytes of the blob",
			       t->size);
	if (!t->end || len <= t->end - t->offset)
		return take(t, piece, e);
	if (take(t, span_make(piece.at, (size_t)(t->end - t->offset)), e) < 0)
		return -1;
	t->whole = true;
	return err_set(e, ERR_UPSTREAM, "sends more than was asked");
}

static int64_t deadline(const struct transfer *t)
{
	return t->progress_ms +
	       (t->flowing ? t->upstream->give_up_ms : t->upstream->answer_ms);
}

/* How long this attempt may be silent, so that the other addresses get on. */
static int64_t patience(const struct transfer *t)
{
	size_t count = t->upstream->standing->address_count;
	int64_t share = (deadline(t) - clock_ms()) /
			(int64_t)(count - t->fruitless % count);

	return share > 0 ? share : 1;
}

/* Where what is wanted ends, as far as that is known; or -1. */
static int64_t goal(const struct transfer *t)
{
	if (t->end && (t->size < 0 || t->end < t->size))
		return t->end;
	return t->size;
}

/* "bytes=4-", "bytes=4-9" */
struct range_text {
	char s[64];
};
static struct range_text range_wanted(const struct transfer *t)
{
	struct range_text text;
	int len = snprintf(text.s, sizeof(text.s), "bytes=%" PRId64 "-",
			   t->offset);

	if (t->end)
		snprintf(text.s + len, sizeof(text.s) - (size_t)len, "%" PRId64,
			 t->end - 1);
	return text;
}

static int attempt(struct transfer *t, const char *reason, struct err *e)
{
	struct range_text range = range_wanted(t);
	struct upstream_question question = *t->question;
	struct ask ask = {
		.upstream = t->upstream,
		.question = &question,
		.method = "GET",
		.is_blob = true,
		.path = t->path,
		.unknown = ERR_BLOB_UNKNOWN,
		.on_head = on_head,
		.on_body = on_body,
		.arg = t,
	};

	question.reason = reason;
	if (is_part(t))
		ask.header = (struct client_header){ "Range", range.s };
	if (ask_at(&ask, t->address, patience(t), e) < 0)
		return t->whole ? 0 : -1;
	if (t->offset < goal(t))
		return err_set(e, ERR_UPSTREAM,
			       "ended at byte %" PRId64 " of %" PRId64,
			       t->offset, goal(t));
	return 0;
}

/* ----------------------------------------------------------- the transfer */

static bool is_no(enum err_kind kind)
{
	return kind == ERR_BLOB_UNKNOWN || kind == ERR_DENIED ||
	       kind == ERR_BUSY || kind == ERR_LOOP;
}

static bool worth_another(const struct transfer *t, const struct err *why)
{
	size_t rounds = is_no(why->kind) ? 1 : 2;

	if (t->sink_failed || why->kind == ERR_CLOSED ||
	    clock_ms() >= deadline(t))
		return false;
	return t->flowing ||
	       t->fruitless < rounds * t->upstream->standing->address_count;
}

/* Between two rounds; the addresses of one round follow at once. */
static int take_breath(const struct transfer *t, struct err *e)
{
	size_t count = t->upstream->standing->address_count;
	int64_t ms = PAUSE_MS;

	if (t->fruitless % count != 0)
		return 0;
	for (size_t round = t->fruitless / count; round > 1; round--)
		if (ms < PAUSE_MAX_MS)
			ms *= 2;
	return client_pause(t->upstream->client,
			    ms < PAUSE_MAX_MS ? ms : PAUSE_MAX_MS, e);
}

static void begin_minute(struct transfer *t)
{
	t->minute.began_ms = clock_ms();
	t->minute.from = t->furthest;
	t->minute.sink_ms = 0;
}

/* A byte for each attempt is progress, and would go on for ever. */
static int check_pace(struct transfer *t, struct err *e)
{
	int64_t took_ms = clock_ms() - t->minute.began_ms - t->minute.sink_ms;
	int64_t came = t->furthest - t->minute.from;

	if (took_ms < 2 * t->upstream->pace_ms)
		return 0;
	begin_minute(t);
	if (came >= took_ms)
		return 0;
	return err_set(e, ERR_TIMEOUT,
		       "breaks again and again, and brought %" PRId64
		       " bytes in %" PRId64 " s",
		       came, took_ms / 1000);
}

/* After a failed attempt; `e` says why, and after a -1 why it is over. */
static int prepare_another(struct transfer *t, int64_t before, struct err *e)
{
	bool fruitful = t->furthest > before;

	t->fruitless = fruitful ? 0 : t->fruitless + 1;
	if (!fruitful || e->kind == ERR_TIMEOUT)
		t->address =
			(t->address + 1) % t->upstream->standing->address_count;
	if (t->sink_failed)
		return -1;
	if (!worth_another(t, e) || check_pace(t, e) < 0 ||
	    take_breath(t, e) < 0)
		return err_wrap(e, "upstream %s", t->upstream->name);
	return 0;
}

int upstream_get_blob(struct upstream *upstream,
		      const struct upstream_question *question,
		      const struct upstream_blob *blob,
		      const struct upstream_sink *sink, struct err *e)
{
	auto_with(arena_close) struct arena *arena = arena_open();
	struct transfer t = {
		.upstream = upstream,
		.question = question,
		.path = arena_printf(arena, "/v2/%s/blobs/%s",
				     question->name->s,
				     digest_text(blob->digest).s),
		.sink = sink,
		.size = blob->size,
		.end = blob->end,
		.offset = blob->offset,
		.furthest = blob->offset,
		.progress_ms = clock_ms(),
	};

	begin_minute(&t);
	for (const char *reason = question->reason;;) {
		int64_t before = t.furthest;

		if (attempt(&t, reason, e) == 0)
			return 0;
		reason = t.furthest > before ? "resume" : "retry";
		if (prepare_another(&t, before, e) < 0)
			return -1;
	}
}
