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
 * Who needs room evicts on his own thread, a page at a time, and others come in
 * between. Where much has to go, after a limit was lowered, say, a fetch pays
 * with about its own size and goes on; the collector does the rest, and takes
 * its time. The thread is never a reactor's: the last close of a large file
 * takes long.
 */
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/metrics.h"
#include "store/inside.h"

#define DISK_SHARE 10 /* of a small disk, this part is kept free */
#define YIELD ((int64_t)16 * 1024 * 1024) /* to who found the disk full */
#define SHARE_LEAST ((int64_t)1024 * 1024)
#define GROWTH ((int64_t)1024 * 1024) /* of what has no known end, at once */

void evictor_open(struct evictor *evictor)
{
	pthread_mutex_init(&evictor->pass, NULL);
	pthread_cond_init(&evictor->entered, NULL);
}

void evictor_close(struct evictor *evictor)
{
	metric_add(METRIC_CACHE_LIMIT, -evictor->limit);
	metric_add(METRIC_CACHE_BYTES, -evictor->shown);
	pthread_cond_destroy(&evictor->entered);
	pthread_mutex_destroy(&evictor->pass);
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
	hold_mutex(&store->evictor.pass);
	int64_t bytes = cached(store);

	metric_add(METRIC_CACHE_BYTES, bytes - store->evictor.shown);
	store->evictor.shown = bytes;
}

void store_cache(struct store *store, const struct store_cache *cache)
{
	struct evictor *evictor = &store->evictor;
	int64_t before = atomic_exchange(&evictor->limit, cache->limit);

	thread_may_wait("store_cache");
	metric_add(METRIC_CACHE_LIMIT, cache->limit - before);
	evictor->keep_free = cache->keep_free;
	show(store);
	collector_wake(&store->collector);
}

int64_t store_cache_limit(const struct store *store)
{
	return store->evictor.limit;
}

/* What has to go so that `more` fits beside what is cached. */
static int64_t over_limit(struct store *store, int64_t more)
{
	int64_t limit = store->evictor.limit;

	return limit ? cached(store) + more - limit : 0;
}

/* What has to go so that the disk takes `more` and keeps the room it is to. */
static int64_t under_floor(struct store *store, int64_t more)
{
	int64_t least = store->evictor.keep_free;
	struct statvfs disk;

	if (fstatvfs(store->data, &disk) < 0 || disk.f_blocks == 0)
		return 0;
	int64_t unit = (int64_t)disk.f_frsize;
	int64_t share = (int64_t)disk.f_blocks / DISK_SHARE * unit;

	return (least < share ? least : share) + more -
	       (int64_t)disk.f_bavail * unit;
}

static int64_t most(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* ---------------------------------------------------------------- evicting */

/* Why how much has to go. */
struct need {
	const char *why;
	int64_t wanted; /* bytes */
	/* So much is lacking by now; null: whatever others take. */
	int64_t (*lacking)(struct store *, int64_t more);
	int64_t more;
	enum rest rest; /* between pages */
};

struct eviction {
	struct store *store;
	const struct need *need;
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

	metric_add(METRIC_EVICTED_BLOBS, (int64_t)page->count);
	metric_add(METRIC_EVICTED_BYTES, page->freed);
	metric_add(METRIC_EVICTED_MANIFESTS, (int64_t)page->manifests);
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

static int page_take(struct eviction *eviction, struct meta_evict *page,
		     struct err *e)
{
	hold_mutex(&eviction->store->evictor.pass);
	if (page_evict(eviction, page, e) < 0)
		return -1;
	page_gone(eviction, page);
	return 0;
}

bool file_is_left(struct store *store, const struct digest *digest, uint64_t id)
{
	struct blob_place place;
	struct err e;

	pass_await(&store->evictor.pass);
	if (blob_peek(store->blobs, digest, id, &place, &e) < 0)
		return e.kind != ERR_NOT_FOUND;
	close(place.fd);
	return true;
}

/* Others may have made the same room meanwhile. */
static int64_t still_wanted(const struct eviction *eviction)
{
	const struct need *need = eviction->need;
	int64_t wanted = need->wanted - eviction->freed;
	int64_t lacking = need->lacking ?
				  need->lacking(eviction->store, need->more) :
				  wanted;

	return lacking < wanted ? lacking : wanted;
}

/* What was pulled while a page went is not the oldest any more. */
static int pages_evict(struct eviction *eviction, struct err *e)
{
	struct store *store = eviction->store;
	struct meta_evict page = { .wanted = eviction->need->wanted };
	struct pace pace = pace_begin();
	struct err ignored;

	for (;;) {
		if (page_take(eviction, &page, e) < 0)
			return -1;
		if (!page.more)
			return 0;
		if (collector_rest(&store->collector, eviction->need->rest,
				   &pace, e) < 0)
			return -1;
		never_mind(meta_use_flush(store->meta, &ignored));
		page.wanted = still_wanted(eviction);
	}
}

static void report(const struct eviction *eviction)
{
	struct log_line line;

	if (!eviction->blobs && !eviction->manifests)
		return;
	log_begin(&line, LOG_INFO, "evict");
	log_text(&line, "why", eviction->need->why);
	log_number(&line, "blobs", (int64_t)eviction->blobs);
	log_number(&line, "bytes", eviction->freed);
	log_number(&line, "manifests", (int64_t)eviction->manifests);
	log_number(&line, "ms", clock_ms() - eviction->began_ms);
	log_send(&line);
}

/* Returns how many bytes went. */
static int64_t evict(struct store *store, const struct need *need)
{
	struct eviction eviction = {
		.store = store,
		.need = need,
		.began_ms = clock_ms(),
	};
	struct err e;

	collector_stamp(store);
	if (pages_evict(&eviction, &e) < 0 && e.kind != ERR_CLOSED)
		log_say(LOG_WARN, "evict", "%s", e.message);
	if (eviction.thrown)
		ballast_take(store->data);
	report(&eviction);
	show(store);
	return eviction.freed;
}

/* ---------------------------------------------------------------- fetches */

static void expect(struct incoming *incoming, int64_t size)
{
	incoming->store->evictor.expected += size - incoming->expected;
	incoming->expected = size;
}

/* What a fetch of `size` bytes evicts, of all that has to go. */
static int64_t share(int64_t wanted, int64_t size)
{
	int64_t most_of_it = most(2 * size, SHARE_LEAST);

	return wanted < most_of_it ? wanted : most_of_it;
}

/* So that all that is under way fits beside what is cached. */
static void fit(struct store *store, int64_t size)
{
	int64_t more = store->evictor.expected;
	int64_t over = over_limit(store, more);
	struct need need = {
		.why = "limit",
		.wanted = share(over, size),
		.lacking = over_limit,
		.more = more,
	};

	if (over > 0)
		evict(store, &need);
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

/* If nothing that could go helps, nothing has to. */
static int floor_keep(struct store *store, int64_t more, struct err *e)
{
	int64_t under = under_floor(store, more);
	struct need need = {
		.why = "floor",
		.wanted = share(under, more),
		.lacking = under_floor,
		.more = more,
	};

	if (under <= 0)
		return 0;
	if (under <= cached(store) && evict(store, &need) > 0)
		return 0;
	return err_set(e, ERR_NO_SPACE,
		       "the disk has no room for what is cached");
}

/* Others do the same meanwhile, so the floor is looked at again behind it. */
static int room_take(struct incoming *incoming, struct err *e)
{
	int64_t missing = incoming->session.size - incoming->length;

	if (missing > 0 && (floor_keep(incoming->store, missing, e) < 0 ||
			    room_reserve(incoming, e) < 0))
		return -1;
	return floor_keep(incoming->store, 0, e);
}

int cache_admit(struct incoming *incoming, struct err *e)
{
	int64_t size = incoming->session.size;
	int64_t limit = incoming->store->evictor.limit;

	if (size > 0 && (!limit || size <= limit)) {
		expect(incoming, size);
		fit(incoming->store, size);
	}
	return room_take(incoming, e);
}

/* Nothing was set aside for it, so it asks in time. */
int cache_grow(struct incoming *incoming, int64_t length, struct err *e)
{
	incoming->granted = most(incoming->granted, incoming->length);
	while (incoming->granted < length) {
		if (floor_keep(incoming->store, GROWTH, e) < 0)
			return -1;
		incoming->granted += GROWTH;
	}
	return 0;
}

void cache_dismiss(struct incoming *incoming)
{
	expect(incoming, 0);
}

/*
 * Takes the room for `size` bytes, or says how much is lacking, and how many
 * have entered by then.
 */
static int64_t room_enter(struct store *store, int64_t size, bool enough,
			  uint64_t *count_out)
{
	hold_mutex(&store->evictor.pass);
	int64_t over = over_limit(store, store->evictor.entering + size);

	*count_out = store->evictor.entered_count;
	if (over > 0 && !enough)
		return over;
	store->evictor.entering += size;
	return 0;
}

/* Until more have entered, and can be evicted; false: nobody is about to. */
static bool entering_wait(struct evictor *evictor, uint64_t count)
{
	hold_mutex(&evictor->pass);
	while (evictor->entered_count == count && evictor->entering > 0)
		pthread_cond_wait(&evictor->entered, &evictor->pass);
	return evictor->entered_count != count;
}

bool cache_enter(struct incoming *incoming)
{
	struct store *store = incoming->store;
	int64_t limit = store->evictor.limit;
	int64_t size = incoming->length;
	int64_t over, gone, paid = 0;
	uint64_t count;
	bool enough = false;

	if (limit && size > limit)
		return false;
	expect(incoming, size);
	while ((over = room_enter(store, size, enough, &count)) > 0) {
		struct need need = {
			.why = "limit",
			.wanted = share(over, size),
			.lacking = over_limit,
			.more = size,
		};

		gone = evict(store, &need);
		paid += gone;
		/* Only after the limit was lowered is more cached than that. */
		enough = (paid > 2 * size && over_limit(store, 0) > 0) ||
			 (gone == 0 && !entering_wait(&store->evictor, count));
	}
	return true;
}

static void room_entered(struct evictor *evictor, int64_t size)
{
	hold_mutex(&evictor->pass);
	evictor->entering -= size;
	evictor->entered_count++;
	pthread_cond_broadcast(&evictor->entered);
}

void cache_entered(struct incoming *incoming)
{
	expect(incoming, 0);
	room_entered(&incoming->store->evictor, incoming->length);
	show(incoming->store);
}

/* --------------------------------------------------------------- full disks */

bool cache_yield(struct store *store, int64_t least, const struct err *why)
{
	struct need need = {
		.why = "full",
		.wanted = most(under_floor(store, 0), most(least, YIELD)),
	};

	return why->kind == ERR_NO_SPACE && evict(store, &need) > 0;
}

/* ------------------------------------------------------------- now and then */

/* Nobody waits for it. */
static void evict_quietly(struct store *store, const char *why,
			  int64_t (*lacking)(struct store *, int64_t more))
{
	struct need need = {
		.why = why,
		.wanted = lacking(store, 0),
		.lacking = lacking,
		.rest = REST_CHANGED,
	};

	if (need.wanted > 0)
		evict(store, &need);
}

void cache_look(struct store *store)
{
	evict_quietly(store, "limit", over_limit);
	evict_quietly(store, "floor", under_floor);
	show(store);
}
