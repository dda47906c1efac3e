/*
 * Who reads everything back, and when.
 *
 * Quietly, at a bounded rate, every so often; as everywhere, time is uptime.
 * How far it came is noted, so that a round of many days comes to its end also
 * where nothing runs for so long. Blobs that somebody stumbled over are looked
 * at in between.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "store/inside.h"

#define EVERY_LEAST_MS 1000
#define STEP_MS (5 * 60 * 1000) /* a crash loses so much uptime */
#define LATE_US 1000000		/* that may be made up for */
#define PART_MS 500		/* of a pause */

/* -------------------------------------------------------- opening, closing */

void scrubber_open(struct scrubber *scrubber)
{
	pthread_mutex_init(&scrubber->lock, NULL);
	cond_open(&scrubber->changed);
}

void store_stop_verify(struct store *store)
{
	struct scrubber *scrubber = &store->scrubber;

	hold_mutex(&scrubber->lock);
	scrubber->stopping = true;
	pthread_cond_broadcast(&scrubber->changed);
}

/* False when it is time to end. */
static bool wait_until(struct scrubber *scrubber, int64_t deadline_ms)
{
	hold_mutex(&scrubber->lock);
	while (!scrubber->stopping &&
	       cond_wait_until(&scrubber->changed, &scrubber->lock,
			       deadline_ms))
		;
	return !scrubber->stopping;
}

/* The same, but also when something has changed. */
static bool wait_for_change(struct scrubber *scrubber, int64_t deadline_ms)
{
	hold_mutex(&scrubber->lock);
	while (!scrubber->stopping && !scrubber->woken &&
	       cond_wait_until(&scrubber->changed, &scrubber->lock,
			       deadline_ms))
		;
	scrubber->woken = false;
	return !scrubber->stopping;
}

/* ---------------------------------------------------------------- counting */

/* With the lock held. */
static void gauges_set(struct scrubber *scrubber,
		       const struct meta_damaged *now)
{
	metric_add(METRIC_DAMAGED_BLOBS, now->blobs - scrubber->damaged.blobs);
	metric_add(METRIC_DAMAGED_MANIFESTS,
		   now->manifests - scrubber->damaged.manifests);
	scrubber->damaged = *now;
}

static bool any_damaged(struct scrubber *scrubber)
{
	hold_mutex(&scrubber->lock);
	return scrubber->damaged.blobs || scrubber->damaged.manifests;
}

void scrubber_count(struct store *store, bool found)
{
	struct scrubber *scrubber = &store->scrubber;
	struct meta_damaged now;
	struct err e;

	if (!scrubber->serving || (!found && !any_damaged(scrubber)))
		return;
	if (meta_damaged(store->meta, &now, &e) < 0)
		return log_say(LOG_WARN, "verify", "%s", e.message);
	hold_mutex(&scrubber->lock);
	gauges_set(scrubber, &now);
}

/* ------------------------------------------------------------------- pace */

static int64_t later(int64_t one, int64_t other)
{
	return one > other ? one : other;
}

/* When the next piece may begin. */
static int64_t next_us(struct scrub_pace *pace, size_t bytes, int64_t now)
{
	int64_t rate = pace->rate < 0 ? pace->scrubber->rate : pace->rate;
	int64_t until = pace->gentle ? now + (now - pace->began_us) : now;

	if (!rate)
		return until;
	pace->due_us = later(pace->due_us, now - LATE_US) +
		       (int64_t)bytes * 1000000 / rate;
	return later(until, pace->due_us);
}

/* Whoever asked is told in between, and heard. */
static int pause_part(const struct scrub_pace *pace, int64_t until_us,
		      struct err *e)
{
	const struct store_verify *how = pace->how;
	int64_t left_ms = (until_us - clock_us()) / 1000;

	if (how->progress && !how->progress(pace->done, pace->all, how->arg))
		return err_set(e, ERR_CLOSED, "nobody waits for it any more");
	if (!wait_until(pace->scrubber,
			clock_ms() + (left_ms < PART_MS ? left_ms : PART_MS)))
		return err_set(e, ERR_CLOSED, "the store is closing");
	return 0;
}

int scrub_pause(struct scrub_pace *pace, size_t bytes, struct err *e)
{
	int64_t now = clock_us();
	int64_t until = next_us(pace, bytes, now);

	metric_add(METRIC_VERIFIED_BYTES, (int64_t)bytes);
	pace->done += (int64_t)bytes;
	do {
		if (pause_part(pace, until, e) < 0)
			return -1;
	} while (until - clock_us() >= 1000);
	if (until - now >= 1000)
		pace->began_us = clock_us();
	return 0;
}

/* --------------------------------------------------------------- suspects */

struct suspect {
	struct store *store;
	struct digest digest;
};

static size_t suspect_find(const struct scrubber *scrubber,
			   const struct digest *digest)
{
	size_t i = 0;

	while (i < scrubber->suspect_count &&
	       !digest_eq(&scrubber->suspects[i], digest))
		i++;
	return i;
}

static void suspect_forget(struct scrubber *scrubber,
			   const struct digest *digest)
{
	hold_mutex(&scrubber->lock);
	size_t i = suspect_find(scrubber, digest);

	scrubber->suspects[i] = scrubber->suspects[--scrubber->suspect_count];
}

static void suspect_verify(void *arg)
{
	auto_free struct suspect *suspect = arg;
	struct store *store = suspect->store;
	struct err e;
	int failed;

	do
		failed = scrub_blob(store, &suspect->digest, &e);
	while (failed && e.kind == ERR_BUSY &&
	       wait_until(&store->scrubber, clock_ms() + PART_MS));
	if (failed && e.kind != ERR_CLOSED)
		log_say(LOG_WARN, "verify", "%s", e.message);
	suspect_forget(&store->scrubber, &suspect->digest);
}

void store_suspect(struct store *store, const struct digest *digest)
{
	struct scrubber *scrubber = &store->scrubber;

	hold_mutex(&scrubber->lock);
	if (!scrubber->serving || scrubber->stopping ||
	    scrubber->suspect_count == SUSPECTS ||
	    suspect_find(scrubber, digest) < scrubber->suspect_count)
		return;
	struct suspect *suspect = mem_alloc(sizeof(*suspect));

	*suspect = (struct suspect){ store, *digest };
	scrubber->suspects[scrubber->suspect_count++] = *digest;
	pool_run(scrubber->rechecks, suspect_verify, suspect);
}

/* ------------------------------------------------------------------ rounds */

static void round_note(struct store *store, const struct meta_round *round)
{
	struct err e;

	if (meta_round_note(store->meta, round, &e) < 0)
		log_say(LOG_WARN, "verify", "%s", e.message);
}

static void round_report(const struct store_verified *verified, int64_t ms)
{
	struct log_line line;

	log_begin(&line, LOG_INFO, "verified");
	log_number(&line, "blobs", (int64_t)verified->blobs.number);
	log_number(&line, "bytes", verified->blobs.bytes);
	log_number(&line, "manifests", (int64_t)verified->manifests);
	log_number(&line, "findings", (int64_t)store_findings(verified));
	log_number(&line, "ms", ms);
	log_send(&line);
}

/* To its end, or until something is in the way. */
static void round_run(struct store *store, struct meta_round *round)
{
	struct store_verify how = { .rate = -1 };
	struct store_verified verified;
	int64_t began_ms = clock_ms();
	struct err e;

	if (scrub_pass(store, &how, round, &verified, &e) == 0) {
		round_report(&verified, clock_ms() - began_ms);
		*round = (struct meta_round){ 0 };
	} else if (e.kind != ERR_CLOSED) {
		log_say(LOG_WARN, "verify", "%s", e.message);
	}
	round_note(store, round);
}

static bool is_due(const struct scrubber *scrubber,
		   const struct meta_round *round)
{
	return scrubber->every_ms &&
	       (round->under_way || round->waited_ms >= scrubber->every_ms);
}

/* When to look next: a step further, or when it is time. */
static int64_t look_ms(const struct scrubber *scrubber,
		       const struct meta_round *round)
{
	int64_t left = scrubber->every_ms - round->waited_ms;

	return clock_ms() + (left > 0 && left < STEP_MS ? left : STEP_MS);
}

static void scrub_main(void *arg)
{
	struct store *store = arg;
	struct scrubber *scrubber = &store->scrubber;
	struct meta_round round = { 0 };
	struct err e;
	bool open = true;

	if (meta_round_read(store->meta, &round, &e) < 0)
		log_say(LOG_WARN, "verify", "%s", e.message);
	while (open) {
		if (is_due(scrubber, &round))
			round_run(store, &round);
		int64_t counted_ms = clock_ms();
		open = wait_for_change(scrubber, look_ms(scrubber, &round));
		round.waited_ms += clock_ms() - counted_ms;
		round_note(store, &round);
		scrubber_count(store, false);
	}
}

static void scrub_wake(struct scrubber *scrubber)
{
	hold_mutex(&scrubber->lock);
	scrubber->woken = true;
	pthread_cond_broadcast(&scrubber->changed);
}

void store_scrub(struct store *store, const struct store_scrub *how)
{
	struct scrubber *scrubber = &store->scrubber;

	scrubber->rate = how->rate;
	scrubber->every_ms =
		how->every_ms ? later(how->every_ms, EVERY_LEAST_MS) : 0;
	if (scrubber->started)
		return scrub_wake(scrubber);
	scrubber->rechecks = pool_open("recheck", 1);
	scrubber->serving = true;
	scrubber_count(store, true);
	scrubber->started = true;
	thread_start(&scrubber->thread, "scrub", scrub_main, store);
}

void scrubber_close(struct store *store)
{
	static const struct meta_damaged none;
	struct scrubber *scrubber = &store->scrubber;

	store_stop_verify(store);
	if (scrubber->started)
		thread_join(&scrubber->thread);
	if (scrubber->rechecks)
		pool_close(&scrubber->rechecks);
	gauges_set(scrubber, &none);
	pthread_cond_destroy(&scrubber->changed);
	pthread_mutex_destroy(&scrubber->lock);
}

/* ------------------------------------------------------------ when asked */

int store_verify(struct store *store, const struct store_verify *how,
		 struct store_verified *out, struct err *e)
{
	thread_may_wait("store_verify");
	return scrub_pass(store, how, NULL, out, e);
}
