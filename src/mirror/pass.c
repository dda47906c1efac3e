/*
 * What goes from upstream to one client, and is not kept: a blob that has no
 * room here, or a part that lies far ahead. The client's pace is the
 * upstream's: what he does not take is not asked for. Held in memory is no more
 * than the tail, which is kept back until the digest matched.
 *
 * Whoever wants the end of the blob makes it come from its first byte, so that
 * it can be verified; of a part in the middle exactly that part is asked for.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "mirror/flight.h"
#include "oci/hash.h"

#define TAIL (64 * 1024)
#define PASSAGES 48 /* of the threads that answer for an upstream's misses */

struct passage {
	const struct mirror_pass *pass;
	int64_t size;	   /* of the blob; -1: unknown */
	struct hash *hash; /* null: only a part in the middle */
	struct buf held;   /* the last that came; not passed on yet */
	int64_t position;  /* of upstream's next byte */
	int64_t length;	   /* as far as bytes came; `position` is before it
			      only while upstream begins anew */
	int64_t passed;	   /* of the first of the held bytes */
};

static int64_t end_of(const struct passage *p)
{
	return p->pass->length < 0 ? INT64_MAX :
				     p->pass->start + p->pass->length;
}

static size_t within(int64_t bytes, size_t len)
{
	if (bytes <= 0)
		return 0;
	return bytes < (int64_t)len ? (size_t)bytes : len;
}

/* Of the held bytes the first `count` go on, as far as the client wants them.
 */
static int pass_on(struct passage *p, size_t count, struct err *e)
{
	struct span bytes = span_make(p->held.at, count);
	int64_t before = p->pass->start - p->passed;

	bytes.len = within(end_of(p) - p->passed, count);
	bytes = span_from(bytes, within(before, bytes.len));
	if (bytes.len && p->pass->write(p->pass->arg, bytes, e) < 0)
		return -1;
	p->passed += (int64_t)count;
	p->held.len -= count;
	memmove(p->held.at, p->held.at + count, p->held.len);
	return 0;
}

/* -------------------------------------------------------- from upstream */

static int passage_start(void *arg, int64_t size, struct err *e)
{
	struct passage *p = arg;

	if (size >= 0 && p->size >= 0 && size != p->size)
		return err_set(e, ERR_UPSTREAM,
			       "%lld bytes are offered, the manifest says %lld",
			       (long long)size, (long long)p->size);
	return 0;
}

static int passage_restart(void *arg, struct err *e)
{
	struct passage *p = arg;

	(void)e;
	p->position = 0;
	return 0;
}

/* Without the bytes that came before upstream began anew. */
static struct span catch_up(struct passage *p, struct span bytes)
{
	int64_t behind = p->length - p->position;
	size_t known = behind < (int64_t)bytes.len ? (size_t)behind : bytes.len;

	p->position += (int64_t)bytes.len;
	if (p->position > p->length)
		p->length = p->position;
	return span_from(bytes, known);
}

/* How far the client may have it before all of it was verified. */
static int64_t shown(const struct passage *p)
{
	int64_t end = p->size < 0 ? p->length - TAIL : p->size - TAIL;

	return !p->hash || end > p->length ? p->length : end;
}

static int passage_write(void *arg, struct span bytes, struct err *e)
{
	struct passage *p = arg;

	bytes = catch_up(p, bytes);
	if (p->hash)
		hash_add(p->hash, bytes);
	buf_add(&p->held, bytes);
	if (shown(p) <= p->passed)
		return 0;
	return pass_on(p, (size_t)(shown(p) - p->passed), e);
}

/* ------------------------------------------------------------ all of it */

static int passage_verify(struct passage *p, const struct digest *digest,
			  struct err *e)
{
	if (!p->hash)
		return 0;

	struct digest found = hash_digest(p->hash);
	if (digest_eq(&found, digest))
		return pass_on(p, p->held.len, e);
	metric_add(METRIC_CORRUPT, 1);
	return err_set(e, ERR_CORRUPT, "%lld bytes have digest %s",
		       (long long)p->length, digest_text(&found).s);
}

/* The flight's is known to have it. */
static const struct repository *asked_in(const struct mirror_pass *pass)
{
	return pass->detour ? &pass->detour->plan.repository : pass->repository;
}

static const char *reason(const struct mirror_pass *pass)
{
	return pass->detour ? "far ahead" : "no room";
}

static int passage_run(struct mirror *mirror, const struct digest *digest,
		       struct passage *p, struct err *e)
{
	const struct repository *repository = asked_in(p->pass);
	auto_of(upstream) struct upstream *upstream = mirror_upstream_take(
		mirror, mirror_upstream_of(mirror, repository));
	struct upstream_question question = {
		.name = &repository->name,
		.reason = reason(p->pass),
	};
	struct upstream_blob blob = {
		.digest = digest,
		.size = p->size,
		.offset = p->position,
		.end = p->hash ? 0 : end_of(p),
	};
	struct upstream_sink sink = {
		.start = passage_start,
		.restart = passage_restart,
		.write = passage_write,
		.arg = p,
	};

	if (upstream_get_blob(upstream, &question, &blob, &sink, e) < 0)
		return -1;
	return passage_verify(p, digest, e);
}

static void report(const struct passage *p, const struct digest *digest,
		   int64_t began_ms, const struct err *why)
{
	struct log_line line;

	metric_add(p->pass->detour ? METRIC_DETOURS : METRIC_PASSED, 1);
	log_begin(&line, why ? LOG_WARN : LOG_INFO, "pass");
	log_text(&line, "why", reason(p->pass));
	log_text(&line, "repository", repository_text(asked_in(p->pass)).s);
	log_text(&line, "blob", digest_text(digest).s);
	log_number(&line, "ms", clock_ms() - began_ms);
	if (why)
		log_err(&line, why);
	log_send(&line);
}

static unsigned *passages_of(struct mirror *mirror,
			     const struct mirror_target *target)
{
	return &mirror_crew_of(mirror,
			       mirror_upstream_of(mirror, &target->repository))
			->passages;
}

int pull_pass_begin(struct mirror *mirror, const struct mirror_target *target,
		    struct err *e)
{
	hold_mutex(&mirror->lock);
	unsigned *passages = passages_of(mirror, target);

	if (*passages == PASSAGES)
		return err_set(e, ERR_BUSY,
			       "there is no room to keep this blob, and %d "
			       "others are passed through already: try again "
			       "later",
			       PASSAGES);
	++*passages;
	return 0;
}

void pull_pass_end(struct mirror *mirror, const struct mirror_target *target)
{
	hold_mutex(&mirror->lock);
	--*passages_of(mirror, target);
}

int pull_pass(struct mirror *mirror, const struct digest *digest,
	      const struct mirror_pass *pass, struct err *e)
{
	bool to_end = !pass->detour &&
		      (pass->length < 0 || pass->size < 0 ||
		       pass->start + pass->length >= pass->size);
	int64_t began_ms = clock_ms();
	struct passage p = {
		.pass = pass,
		.size = pass->size,
		.position = to_end ? 0 : pass->start,
	};

	thread_may_wait("pull_pass");
	if (to_end)
		p.hash = hash_open(digest->algorithm);
	p.length = p.passed = p.position;
	int failed = passage_run(mirror, digest, &p, e);
	report(&p, digest, began_ms, failed ? e : NULL);
	if (p.hash)
		hash_close(&p.hash);
	buf_free(&p.held);
	return failed;
}
