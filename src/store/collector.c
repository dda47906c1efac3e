/*
 * Who removes what nobody needs any more, and when.
 *
 * Age is counted in uptime: the clock of the wall may jump, and while nothing
 * runs, no client can come back. So a thread counts the time that it runs to
 * the epoch in the database, every minute and at its end, and short lives add
 * up as well; it stamps what was used meanwhile. After each epoch, and in
 * between, it sweeps.
 *
 * Where clients come and go it does not hurry: after each piece of work it
 * rests for longer than that took, also if somebody asked for it.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "store/inside.h"

#define GRACE_LEAST_MS 1000
#define LONELY_US (1000 * 1000)
#define COUNT_MS (60 * 1000)	  /* a crash loses so much uptime */
#define SWEEP_MS (60 * 60 * 1000) /* files that nothing knows go then, too */

/* ------------------------------------------------------- opening, closing */

void collector_open(struct collector *collector)
{
	pthread_mutex_init(&collector->pass, NULL);
	pthread_mutex_init(&collector->count, NULL);
	pthread_mutex_init(&collector->lock, NULL);
	cond_open(&collector->changed);
	collector->counted_ms = clock_ms();
}

void store_stop_sweeps(struct store *store)
{
	struct collector *collector = &store->collector;

	hold_mutex(&collector->lock);
	collector->stopping = true;
	pthread_cond_broadcast(&collector->changed);
}

void collector_close(struct store *store)
{
	struct collector *collector = &store->collector;

	store_stop_sweeps(store);
	if (collector->started)
		thread_join(&collector->thread);
	pthread_cond_destroy(&collector->changed);
	pthread_mutex_destroy(&collector->lock);
	pthread_mutex_destroy(&collector->count);
	pthread_mutex_destroy(&collector->pass);
}

/* False when it is time to end. */
static bool wait_until(struct collector *collector, int64_t deadline_ms)
{
	hold_mutex(&collector->lock);
	while (!collector->stopping && clock_ms() < deadline_ms &&
	       cond_wait_until(&collector->changed, &collector->lock,
			       deadline_ms))
		;
	return !collector->stopping;
}

void collector_wake(struct collector *collector)
{
	hold_mutex(&collector->lock);
	collector->woken = true;
	pthread_cond_broadcast(&collector->changed);
}

/* Until the next round is due. False when it is time to end. */
static bool sleep_until(struct collector *collector, int64_t deadline_ms)
{
	hold_mutex(&collector->lock);
	while (!collector->stopping && !collector->woken &&
	       cond_wait_until(&collector->changed, &collector->lock,
			       deadline_ms))
		;
	collector->woken = false;
	return !collector->stopping;
}

/* Those that fail are no reason to hurry less, nor is who only watches. */
static int64_t answered(void)
{
	return metric_read(METRIC_SERVED);
}

struct pace pace_begin(void)
{
	return (struct pace){
		.piece_us = clock_us(),
		.answered = answered(),
	};
}

static bool is_lonely(struct pace *pace, int64_t now_us)
{
	int64_t before = pace->answered;

	pace->answered = answered();
	if (pace->answered != before)
		pace->lonely_us = now_us + LONELY_US;
	return now_us >= pace->lonely_us;
}

int collector_rest(struct collector *collector, enum rest times,
		   struct pace *pace, struct err *e)
{
	int64_t now_us = clock_us();
	int64_t ms = (now_us - pace->piece_us) / 1000;

	if (ms > 0 && is_lonely(pace, now_us))
		times = REST_NONE;
	if (!wait_until(collector, clock_ms() + ms * (int64_t)times))
		return err_set(e, ERR_CLOSED, "the store is closing");
	if (ms > 0)
		pace->piece_us = clock_us();
	return 0;
}

/* ---------------------------------------------------------------- sweeping */

/* What could not be noted is noted the next time. */
static int uptime_count(struct store *store, int64_t grace_ms,
			struct meta_epoch *out, struct err *e)
{
	struct collector *collector = &store->collector;

	hold_mutex(&collector->count);
	int64_t now = clock_ms();
	if (meta_epoch_run(store->meta, now - collector->counted_ms, grace_ms,
			   out, e) < 0)
		return -1;
	collector->counted_ms = now;
	return 0;
}

/*
 * What was released in an earlier epoch than this was released at least
 * `age_ms` ago, as far as epochs can tell.
 */
static int64_t epoch_before(const struct meta_epoch *now, int64_t grace_ms,
			    int64_t age_ms)
{
	int64_t missing_ms = age_ms - now->uptime_ms;

	if (age_ms == 0)
		return now->number + 1;
	if (missing_ms <= 0)
		return now->number;
	return now->number - (missing_ms + grace_ms - 1) / grace_ms;
}

static int64_t grace_of(int64_t ms)
{
	return ms > GRACE_LEAST_MS ? ms : GRACE_LEAST_MS;
}

static void count(const struct store_swept *swept)
{
	metric_add(METRIC_SWEPT_ARRIVALS, (int64_t)swept->arrivals.number);
	metric_add(METRIC_SWEPT_BLOBS, (int64_t)swept->blobs.number);
	metric_add(METRIC_SWEPT_FILES, (int64_t)swept->files.number);
	metric_add(METRIC_SWEPT_BYTES, swept->arrivals.bytes +
					       swept->blobs.bytes +
					       swept->files.bytes);
}

static void report(const struct store_swept *swept, int64_t ms)
{
	struct log_line line;

	log_begin(&line, LOG_INFO, "sweep");
	log_number(&line, "blobs", (int64_t)swept->blobs.number);
	log_number(&line, "blob_bytes", swept->blobs.bytes);
	log_number(&line, "arrivals", (int64_t)swept->arrivals.number);
	log_number(&line, "arrival_bytes", swept->arrivals.bytes);
	log_number(&line, "files", (int64_t)swept->files.number);
	log_number(&line, "file_bytes", swept->files.bytes);
	log_number(&line, "links", (int64_t)swept->links.number);
	log_number(&line, "ms", ms);
	log_send(&line);
}

/* Whoever sweeps without a collector tells of it in another way. */
static void note(struct store *store, const struct store_swept *swept,
		 int64_t ms)
{
	bool any = swept->arrivals.number || swept->links.number ||
		   swept->blobs.number || swept->files.number;

	count(swept);
	if (any && store->collector.started)
		report(swept, ms);
}

static int sweep_run(struct store *store, const struct store_sweep *sweep,
		     struct store_swept *out, struct err *e)
{
	int64_t grace_ms = grace_of(sweep->grace_ms);
	struct meta_epoch now;

	if (uptime_count(store, grace_ms, &now, e) < 0)
		return -1;

	struct meta_horizon horizon = {
		.promised = now.number - 1,
		.released = epoch_before(&now, grace_ms, sweep->released_ms),
	};
	if (horizon.promised > horizon.released)
		horizon.promised = horizon.released;
	return sweep_pass(store, sweep, &horizon, out, e);
}

void pass_await(pthread_mutex_t *pass)
{
	pthread_mutex_lock(pass);
	pthread_mutex_unlock(pass);
}

/*
 * A look holds up nobody, for whoever is told of it may take his time. But a
 * file whose row is just gone would look as if it had been left over.
 */
int store_sweep(struct store *store, const struct store_sweep *sweep,
		struct store_swept *out, struct err *e)
{
	int64_t began_ms = clock_ms();

	thread_may_wait("store_sweep");
	*out = (struct store_swept){ 0 };
	if (sweep->dry) {
		pass_await(&store->collector.pass);
		return sweep_run(store, sweep, out, e);
	}

	hold_mutex(&store->collector.pass);
	int failed = sweep_run(store, sweep, out, e);
	note(store, out, clock_ms() - began_ms);
	return failed;
}

/* ------------------------------------------------------------- the thread */

static void say_failed(const struct err *e)
{
	if (e->kind != ERR_CLOSED)
		log_say(LOG_WARN, "sweep", "%s", e->message);
}

/* What was used meanwhile is stamped. Did another epoch begin? */
static bool epoch_began(struct store *store, struct meta_epoch *epoch)
{
	int64_t before = epoch->number;
	struct err e;

	if (uptime_count(store, store->collector.grace_ms, epoch, &e) < 0 ||
	    meta_use_flush(store->meta, &e) < 0)
		say_failed(&e);
	return epoch->number != before;
}

/* Who collects nothing has no epochs, and time stands still. */
void collector_stamp(struct store *store)
{
	struct meta_epoch epoch = { 0 };
	struct err e;

	if (store->collector.started)
		epoch_began(store, &epoch);
	else if (meta_use_flush(store->meta, &e) < 0)
		say_failed(&e);
}

static void sweep_quietly(struct store *store)
{
	struct store_sweep sweep = {
		.grace_ms = store->collector.grace_ms,
		.released_ms = store->collector.grace_ms,
	};
	struct store_swept swept;
	struct err e;

	if (store_sweep(store, &sweep, &swept, &e) < 0)
		say_failed(&e);
}

static int64_t step_of(const struct collector *collector)
{
	int64_t grace_ms = collector->grace_ms;

	return grace_ms < COUNT_MS ? grace_ms : COUNT_MS;
}

static void collect(void *arg)
{
	struct store *store = arg;
	struct collector *collector = &store->collector;
	int64_t sweep_ms = clock_ms() + step_of(collector);
	struct meta_epoch epoch = { 0 };

	thread_yields();
	epoch_began(store, &epoch); /* in an earlier life: no reason to sweep */
	cache_look(store);
	while (sleep_until(collector, clock_ms() + step_of(collector))) {
		mem_give_back(); /* what a crowd has left */
		cache_look(store);
		if (!epoch_began(store, &epoch) && clock_ms() < sweep_ms)
			continue;
		keep_quietly(store);
		sweep_quietly(store);
		sweep_ms = clock_ms() + SWEEP_MS;
	}
	epoch_began(store, &epoch);
}

void store_collect(struct store *store, int64_t grace_ms)
{
	struct collector *collector = &store->collector;

	collector->grace_ms = grace_of(grace_ms);
	if (collector->started)
		return;
	collector->started = true;
	thread_start(&collector->thread, "collect", collect, store);
}
