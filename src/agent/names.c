/*
 * The best name has the most weight, and names that are as good as each other
 * have the same: so hosts choose among them as among those of etcd.
 */
#include "agent/names.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "client/client.h"

enum { LOOK_MS = 5000 };

/* ------------------------------------------------------------------- views */

static bool is_as_good(const struct srv_target *one,
		       const struct srv_target *other)
{
	return one->priority == other->priority && one->weight == other->weight;
}

static void fill_in(const struct agent_source *source, const char *scheme,
		    const struct srv_target *target, struct arena *arena,
		    struct record *out)
{
	struct record_door *door = arena_alloc(arena, sizeof(*door));

	door->host = arena_printf(arena, "%s:%u", target->host, target->port);
	door->scheme = arena_text(arena, span_of(scheme));
	door->url = arena_printf(arena, "%s://%s", scheme, door->host);
	*out = (struct record){
		.id = NAMES_ID,
		.version = "0",
		.doors = door,
		.door_count = 1,
		.upstreams = source->registry->upstreams,
		.upstream_count = source->registry->upstream_count,
	};
	if (source->registry->ca.at)
		out->ca = arena_text(arena, source->registry->ca);
}

static struct cluster_view *view_make(const struct agent_source *source,
				      const char *scheme,
				      const struct srv_list *list)
{
	struct arena *arena = arena_open();
	struct cluster_view *view = mem_alloc(sizeof(*view));
	struct record *records =
		arena_alloc(arena, (list->count + 1) * sizeof(*records));
	int64_t weight = RECORD_WEIGHT_MAX;

	for (size_t i = 0; i < list->count; i++) {
		const struct srv_target *target = &list->targets[i];

		if (i > 0 && !is_as_good(target, &list->targets[i - 1]))
			weight--;
		fill_in(source, scheme, target, arena, &records[i]);
		records[i].weight = weight;
	}
	view->arena = arena;
	view->registries = records;
	view->registry_count = list->count;
	return view;
}

static int ask(const struct agent_source *source, struct client_url *url_out,
	       struct srv_list *out, struct err *e)
{
	if (!client_url_parse(span_of(source->srv), url_out))
		return err_set(e, ERR_USAGE, "%.100s is no URL with a name",
			       source->srv);
	return srv_find(url_out->host, out, e);
}

int names_look(const struct agent_source *source, struct cluster_view **out,
	       struct err *e)
{
	struct client_url url;
	struct srv_list list;

	if (ask(source, &url, &list, e) < 0)
		return -1;
	*out = view_make(source, url.scheme, &list);
	return 0;
}

/* ------------------------------------------------------------------ asking */

struct names {
	struct names_options options;
	struct srv_list seen; /* what was told last; the thread's own */
	bool has_told;	      /* likewise */
	bool in_trouble;      /* likewise */
	struct thread thread;
	pthread_mutex_t lock;
	pthread_cond_t closed;
	bool closing; /* guarded by lock */
};

static bool is_seen(const struct names *names, const struct srv_list *list)
{
	return names->has_told && names->seen.count == list->count &&
	       memcmp(names->seen.targets, list->targets,
		      list->count * sizeof(list->targets[0])) == 0;
}

static void tell_trouble(struct names *names, const struct err *why)
{
	if (names->in_trouble != (why != NULL))
		names->options.trouble(why, names->options.arg);
	names->in_trouble = why != NULL;
}

static void look(struct names *names)
{
	const struct agent_source *source = names->options.source;
	struct client_url url;
	struct srv_list list;
	struct err e;

	if (ask(source, &url, &list, &e) < 0) {
		tell_trouble(names, &e);
		return;
	}
	tell_trouble(names, NULL);
	if (is_seen(names, &list))
		return;
	names->seen = list;
	names->has_told = true;
	names->options.changed(view_make(source, url.scheme, &list),
			       names->options.arg);
}

static bool rest(struct names *names)
{
	int64_t until = clock_ms() + LOOK_MS;

	hold_mutex(&names->lock);
	while (!names->closing && clock_ms() < until)
		cond_wait_until(&names->closed, &names->lock, until);
	return !names->closing;
}

static void run(void *arg)
{
	struct names *names = arg;

	do {
		look(names);
	} while (rest(names));
}

struct names *names_open(const struct names_options *options)
{
	struct names *names = mem_alloc(sizeof(*names));

	names->options = *options;
	pthread_mutex_init(&names->lock, NULL);
	cond_open(&names->closed);
	thread_start(&names->thread, "names", run, names);
	return names;
}

static void end(struct names *names)
{
	hold_mutex(&names->lock);
	names->closing = true;
	pthread_cond_broadcast(&names->closed);
}

void names_close(struct names **pointer)
{
	struct names *names = steal_ptr(pointer);

	end(names);
	thread_join(&names->thread);
	pthread_cond_destroy(&names->closed);
	pthread_mutex_destroy(&names->lock);
	free(names);
}
