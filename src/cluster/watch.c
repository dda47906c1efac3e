/*
 * etcd's own watch is only a bell here. What counts is always a list of all
 * that is there, which is asked for when the bell rings and every few seconds
 * anyhow. So nothing depends on revisions, which end with compaction, go back
 * when etcd is restored, and begin anew when it is replaced; nor on a stream,
 * which may be frozen, or lose an event.
 */
#include "cluster/watch.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "cluster/etcd.h"
#include "cluster/told.h"

enum {
	LOOK_MS = 3000,	 /* without the bell */
	RETRY_MS = 1000, /* when etcd could not be asked */
	BREATH_MS = 100, /* between two looks, however often it rings */
	KEY_SHOWN = 64	 /* characters of a key that is no record's */
};

struct cluster_watch {
	struct cluster_watch_options options;
	char *prefix;
	struct etcd *lists;
	struct etcd *streams;
	struct buf seen;  /* what was told last; the looking thread's own */
	bool has_told;	  /* likewise */
	struct told told; /* likewise: the trouble */
	struct thread looking;
	struct thread listening;
	pthread_mutex_t lock;
	pthread_cond_t rung;
	/* Guarded by lock: */
	bool rings;
	bool closing;
};

/* ------------------------------------------------------------------- views */

void cluster_view_close(struct cluster_view **at)
{
	struct cluster_view *view = steal_ptr(at);

	if (!view)
		return;
	arena_close(&view->arena);
	free(view);
}

/* A view that is being filled. */
struct filling {
	struct arena *arena;
	struct record *registries;
	size_t registry_count;
	struct cluster_refusal *refusals;
	size_t refusal_count;
};

/* Whoever wrote the key may have written anything. */
static const char *show_key(struct arena *arena, struct span key)
{
	if (key.len > KEY_SHOWN)
		key.len = KEY_SHOWN;
	char *shown = arena_text(arena, key);
	etcd_clean(shown);
	return shown;
}

static void refuse(struct filling *filling, struct span key, const char *why)
{
	filling->refusals[filling->refusal_count++] = (struct cluster_refusal){
		show_key(filling->arena, key),
		arena_text(filling->arena, span_of(why)),
	};
}

static void add(struct filling *filling, const struct etcd_pair *pair,
		size_t prefix_len)
{
	struct span key = span_from(pair->key, prefix_len);
	struct record *record = &filling->registries[filling->registry_count];
	struct err e;

	if (pair->cut)
		refuse(filling, key, "it is too large");
	else if (record_parse(pair->value, filling->arena, record, &e) < 0)
		refuse(filling, key, e.message);
	else if (!span_is(key, record->id))
		refuse(filling, key, "its id is not that of its key");
	else {
		record->leased = pair->lease != 0;
		filling->registry_count++;
	}
}

static struct cluster_view *view_make(const struct etcd_list *list,
				      size_t prefix_len)
{
	struct arena *arena = arena_open();
	struct filling filling = {
		.arena = arena,
		.registries = arena_alloc(arena, (list->count + 1) *
							 sizeof(struct record)),
		.refusals = arena_alloc(arena,
					(list->count + 1) *
						sizeof(struct cluster_refusal)),
	};

	for (size_t i = 0; i < list->count; i++)
		add(&filling, &list->pairs[i], prefix_len);
	struct cluster_view *view = mem_alloc(sizeof(*view));
	*view = (struct cluster_view){
		.arena = arena,
		.registries = filling.registries,
		.registry_count = filling.registry_count,
		.refusals = filling.refusals,
		.refusal_count = filling.refusal_count,
	};
	return view;
}

static char *whole_prefix(const struct cluster_options *options)
{
	auto_buf struct buf prefix = { 0 };

	buf_addf(&prefix, "%sregistries/", options->prefix);
	return steal_ptr(&prefix.at);
}

int cluster_look(const struct cluster_options *options,
		 struct cluster_view **out, struct err *e)
{
	auto_of(arena) struct arena *arena = arena_open();
	auto_free char *prefix = whole_prefix(options);
	auto_with(etcd_close) struct etcd *etcd = NULL;
	struct etcd_list list;

	if (etcd_open(options, &etcd, e) < 0 ||
	    etcd_list(etcd, span_of(prefix), CLUSTER_REGISTRIES, arena, &list,
		      e) < 0)
		return -1;
	*out = view_make(&list, strlen(prefix));
	return 0;
}

/* ----------------------------------------------------------------- looking */

static void write_down(const struct etcd_list *list, struct buf *out)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct etcd_pair *pair = &list->pairs[i];

		buf_addf(out, "%zu %zu %d %d ", pair->key.len, pair->value.len,
			 pair->cut, pair->lease != 0);
		buf_add(out, pair->key);
		buf_add(out, pair->value);
	}
}

static void tell(struct cluster_watch *watch, const struct etcd_list *list)
{
	auto_buf struct buf now = { 0 };

	write_down(list, &now);
	if (watch->has_told && span_eq(buf_span(&now), buf_span(&watch->seen)))
		return;
	buf_clear(&watch->seen);
	buf_add(&watch->seen, buf_span(&now));
	watch->has_told = true;
	watch->options.changed(view_make(list, strlen(watch->prefix)),
			       watch->options.arg);
}

static void tell_trouble(struct cluster_watch *watch, const struct err *why)
{
	bool is_new = why ? told_is_news(&watch->told, why, clock_ms()) :
			    watch->told.kind != ERR_NONE;

	if (is_new)
		watch->options.trouble(why, watch->options.arg);
	if (!why)
		watch->told = (struct told){ 0 };
}

static void look(struct cluster_watch *watch)
{
	auto_of(arena) struct arena *arena = arena_open();
	struct etcd_list list;
	struct err e;

	if (etcd_list(watch->lists, span_of(watch->prefix), CLUSTER_REGISTRIES,
		      arena, &list, &e) == 0) {
		tell_trouble(watch, NULL);
		tell(watch, &list);
	} else if (e.kind != ERR_CLOSED) {
		tell_trouble(watch, &e);
	}
}

/* Until `until`, or as soon as it is closed; false if it is. */
static bool rest(struct cluster_watch *watch, int64_t until)
{
	hold_mutex(&watch->lock);
	while (!watch->closing && clock_ms() < until)
		cond_wait_until(&watch->rung, &watch->lock, until);
	return !watch->closing;
}

/* The same, or until it rings. */
static bool rest_or_ring(struct cluster_watch *watch, int64_t until)
{
	hold_mutex(&watch->lock);
	while (!watch->closing && !watch->rings && clock_ms() < until)
		cond_wait_until(&watch->rung, &watch->lock, until);
	watch->rings = false;
	return !watch->closing;
}

static void run_looking(void *arg)
{
	struct cluster_watch *watch = arg;
	int64_t began;

	do {
		began = clock_ms();
		look(watch);
	} while (rest(watch, began + BREATH_MS) &&
		 rest_or_ring(watch,
			      clock_ms() +
				      (watch->told.kind ? RETRY_MS : LOOK_MS)));
}

/* --------------------------------------------------------------- listening */

static void ring(void *arg)
{
	struct cluster_watch *watch = arg;

	hold_mutex(&watch->lock);
	watch->rings = true;
	pthread_cond_broadcast(&watch->rung);
}

static void run_listening(void *arg)
{
	struct cluster_watch *watch = arg;
	struct err e;

	do {
		if (etcd_watch(watch->streams, span_of(watch->prefix), ring,
			       watch, &e) < 0)
			ring(watch);
	} while (etcd_pause(watch->streams, RETRY_MS, &e) == 0);
}

/* ---------------------------------------------------------- open and close */

static void watch_free(struct cluster_watch *watch)
{
	etcd_close(&watch->lists);
	etcd_close(&watch->streams);
	buf_free(&watch->seen);
	pthread_cond_destroy(&watch->rung);
	pthread_mutex_destroy(&watch->lock);
	free(watch->prefix);
	free(watch);
}

int cluster_watch_open(const struct cluster_watch_options *options,
		       struct cluster_watch **out, struct err *e)
{
	struct cluster_watch *watch = mem_alloc(sizeof(*watch));

	watch->options = *options;
	watch->prefix = whole_prefix(options->etcd);
	pthread_mutex_init(&watch->lock, NULL);
	cond_open(&watch->rung);
	if (etcd_open(options->etcd, &watch->lists, e) < 0 ||
	    etcd_open(options->etcd, &watch->streams, e) < 0) {
		watch_free(watch);
		return -1;
	}
	thread_start(&watch->looking, "etcd-list", run_looking, watch);
	thread_start(&watch->listening, "etcd-watch", run_listening, watch);
	*out = watch;
	return 0;
}

static void end(struct cluster_watch *watch)
{
	hold_mutex(&watch->lock);
	watch->closing = true;
	pthread_cond_broadcast(&watch->rung);
}

void cluster_watch_close(struct cluster_watch **owned)
{
	struct cluster_watch *watch = steal_ptr(owned);

	thread_may_wait("cluster_watch_close");
	end(watch);
	etcd_abort(watch->lists);
	etcd_abort(watch->streams);
	thread_join(&watch->looking);
	thread_join(&watch->listening);
	watch_free(watch);
}
