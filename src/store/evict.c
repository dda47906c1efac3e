/*
 * Cached content gives way: to its limit, to the room that the disk is to keep
 * free, and to whatever finds the disk full.
 *
 * Room is made before a fetch begins, for it and for all that are under way,
 * and before it is kept: so what is cached never exceeds the limit, and both
 * together do only if what is under way does by itself. A fetch has its bytes
 * set aside on the disk, so what is free counts them from its start, and it
 * does not find the disk full half way.
 *
 * Who needs room evicts, one at a time, on his own thread. That is never a
 * reactor's: the last close of a large file takes long.
 */
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/metrics.h"
#include "store/inside.h"

#define DISK_SHARE 10 /* of a small disk, this part is kept free */
#define YIELD ((int64_t)16 * 1024 * 1024) /* to who found the disk full */

void evictor_open(struct evictor *evictor)
{
	pthread_mutex_init(&evictor->pass, NULL);
}

void evictor_close(struct evictor *evictor)
{
	metric_add(METRIC_CACHE_LIMIT, -evictor->limit);
	metric_add(METRIC_CACHE_BYTES, -evictor->shown);
	pthread_mutex_destroy(&evictor->pass);
}

void store_cache(struct store *store, const struct store_cache *cache)
{
	struct evictor *evictor = &store->evictor;
	int64_t before = atomic_exchange(&evictor->limit, cache->limit);

	metric_add(METRIC_CACHE_LIMIT, cache->limit - before);
	evictor->keep_free = cache->keep_free;
}

/* ------------------------------------------------------------ what is there */

/* Nothing, if that cannot be known now. */
static int64_t cached(struct store *store)
{
	int64_t bytes = 0;
	struct err ignored;

	if (meta_cached_peek(store->meta, &bytes, &ignored) < 0)
		return 0;
	return bytes;
}

static void show(struct store *store)
{
	int64_t bytes = cached(store);
	int64_t before = atomic_exchange(&store->evictor.shown, bytes);

	metric_add(METRIC_CACHE_BYTES, bytes - before);
}

/* What has to go so that `more` fits beside what is cached. */
static int64_t over_limit(struct store *store, int64_t more)
{
	int64_t limit = store->evictor.limit;

	return limit ? cached(store) + more - limit : 0;
}

/* What has to go so that the disk has the room that it is to keep. */
static int64_t under_floor(struct store *store)
{
	int64_t least = store->evictor.keep_free;
	struct statvfs disk;

	if (!least || fstatvfs(store->data, &disk) < 0)
		return 0;
	int64_t unit = (int64_t)disk.f_frsize;
	int64_t share = (int64_t)disk.f_blocks / DISK_SHARE * unit;

	return (least < share ? least : share) - (int64_t)disk.f_bavail * unit;
}

static int64_t most(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* ---------------------------------------------------------------- evicting */

struct eviction {
	struct store *store;
	const char *why;
	uint64_t blobs;
	uint64_t manifests;
	int64_t freed; /* bytes */
	int64_t began_ms;
	bool thrown; /* the ballast is overboard */
};

/* Rows first: what stays of the files is found by a sweep. */
static void page_gone(struct eviction *eviction, const struct meta_evict *page)
{
	struct err ignored;

	for (size_t i = 0; i < page->count; i++)
		never_mind(blob_delete(eviction->store->blobs,
				       &page->blobs[i].digest,
				       page->blobs[i].id, &ignored));
	eviction->blobs += page->count;
	eviction->manifests += page->manifests;
	eviction->freed += page->freed;
}

/* On a full disk the database may need the room of the ballast for it. */
static int page_evict(struct eviction *eviction, struct meta_evict *page,
		      struct err *e)
{
	struct store *store = eviction->store;

	if (meta_evict(store->meta, page, e) == 0)
		return 0;
	if (e->kind != ERR_NO_SPACE)
		return -1;
	ballast_drop(store->data);
	eviction->thrown = true;
	return meta_evict(store->meta, page, e);
}

static int pages_evict(struct eviction *eviction, int64_t wanted, struct err *e)
{
	struct collector *collector = &eviction->store->collector;
	struct meta_evict page = { .count = 0 };
	int64_t piece_us = clock_us();

	for (;;) {
		page.wanted = wanted - eviction->freed;
		if (page_evict(eviction, &page, e) < 0)
			return -1;
		page_gone(eviction, &page);
		if (!page.more)
			return 0;
		if (collector_rest(collector, &piece_us, e) < 0)
			return -1;
	}
}

static void report(const struct eviction *eviction)
{
	struct log_line line;

	metric_add(METRIC_EVICTED_BLOBS, (int64_t)eviction->blobs);
	metric_add(METRIC_EVICTED_BYTES, eviction->freed);
	metric_add(METRIC_EVICTED_MANIFESTS, (int64_t)eviction->manifests);
	if (!eviction->blobs && !eviction->manifests)
		return;
	log_begin(&line, LOG_INFO, "evict");
	log_text(&line, "why", eviction->why);
	log_number(&line, "blobs", (int64_t)eviction->blobs);
	log_number(&line, "bytes", eviction->freed);
	log_number(&line, "manifests", (int64_t)eviction->manifests);
	log_number(&line, "ms", clock_ms() - eviction->began_ms);
	log_send(&line);
}

/* With the pass held. Returns how many bytes went. */
static int64_t evict(struct store *store, int64_t wanted, const char *why)
{
	struct eviction eviction = {
		.store = store,
		.why = why,
		.began_ms = clock_ms(),
	};
	struct err e;

	collector_stamp(store);
	if (pages_evict(&eviction, wanted, &e) < 0 && e.kind != ERR_CLOSED)
		log_say(LOG_WARN, "evict", "%s", e.message);
	if (eviction.thrown)
		ballast_take(store->data);
	report(&eviction);
	show(store);
	return eviction.freed;
}

/* Makes `more` fit into the limit, beside what is cached. */
static void fit(struct store *store, const _Atomic int64_t *more)
{
	if (over_limit(store, *more) <= 0)
		return;
	hold_mutex(&store->evictor.pass);
	int64_t over = over_limit(store, *more);
	if (over > 0)
		evict(store, over, "limit");
}

/* ---------------------------------------------------------------- fetches */

static void expect(struct incoming *incoming, int64_t size)
{
	incoming->store->evictor.expected += size - incoming->expected;
	incoming->expected = size;
}

static int room_reserve(struct incoming *incoming, struct err *e)
{
	int64_t size = incoming->session.size;

	while (io_reserve(incoming->fd, size, e) < 0) {
		if (!cache_yield(incoming->store, size - incoming->length, e))
			return -1;
	}
	return 0;
}

static int floor_keep(struct store *store, struct err *e)
{
	if (under_floor(store) <= 0)
		return 0;
	hold_mutex(&store->evictor.pass);
	int64_t under = under_floor(store);
	if (under <= 0 || evict(store, under, "floor") >= under)
		return 0;
	return err_set(e, ERR_NO_SPACE,
		       "nothing more is cached, so that the disk keeps some "
		       "room");
}

int cache_admit(struct incoming *incoming, struct err *e)
{
	struct evictor *evictor = &incoming->store->evictor;
	int64_t size = incoming->session.size;
	int64_t limit = evictor->limit;

	if (size > 0 && (!limit || size <= limit)) {
		expect(incoming, size);
		fit(incoming->store, &evictor->expected);
	}
	if (size > 0 && room_reserve(incoming, e) < 0)
		return -1;
	return floor_keep(incoming->store, e);
}

void cache_dismiss(struct incoming *incoming)
{
	expect(incoming, 0);
}

bool cache_enter(struct incoming *incoming)
{
	struct evictor *evictor = &incoming->store->evictor;
	int64_t limit = evictor->limit;

	if (limit && incoming->length > limit)
		return false;
	expect(incoming, incoming->length);
	evictor->entering += incoming->length;
	fit(incoming->store, &evictor->entering);
	return true;
}

void cache_entered(struct incoming *incoming)
{
	incoming->store->evictor.entering -= incoming->length;
	expect(incoming, 0);
	show(incoming->store);
}

/* --------------------------------------------------------------- full disks */

bool cache_yield(struct store *store, int64_t least, const struct err *why)
{
	if (why->kind != ERR_NO_SPACE)
		return false;
	hold_mutex(&store->evictor.pass);
	return evict(store, most(under_floor(store), most(least, YIELD)),
		     "full") > 0;
}

/* ------------------------------------------------------------- now and then */

void cache_look(struct store *store)
{
	hold_mutex(&store->evictor.pass);
	int64_t over = over_limit(store, store->evictor.entering);
	int64_t under = under_floor(store);

	if (over > 0)
		under -= evict(store, over, "limit");
	if (under > 0)
		evict(store, under, "floor");
	show(store);
}
