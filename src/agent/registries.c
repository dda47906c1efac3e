/*
 * A registry is one by its id and its URL: one that moved is another one, and
 * the old one is kept as long as it is in use.
 *
 * What makes a connection trust it is a file to libcurl, so the PEM is one in
 * memory.
 */
#include "agent/registries.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/canary.h"
#include "agent/names.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "client/client.h"

#define HUB "docker.io"
enum {
	/* of a view, of the one before, and the present one */
	REGISTRIES_MOST = 2 * CLUSTER_REGISTRIES + 1,
	CANARY_MS = 30000 /* between two tries */
};

struct registry {
	char *url, *id, *zone, *ca;
	char *hub; /* target.hub, once it has answered this host; null */
	char **upstreams;
	struct agent_target target; /* of the above */
	struct buf record;	    /* that listed it; or empty */
	struct client *client;
	int ca_file; /* -1: none */
	struct thread thread;
	const char *instance; /* its id, where that is who answers; null */
	const char *canary;   /* null: none */
	int silent;	      /* probes in a row that nobody answered */
	bool proven;	      /* the canary came, and it was not gone since */
	int64_t prove_ms;     /* when it may be tried again */
	int failed;	      /* the last probe */
	struct err why;
};

struct registries {
	const char *canary;
	struct registry *at[REGISTRIES_MOST];
	struct candidate candidates[REGISTRIES_MOST];
	size_t count;
};

static void registry_free(struct registry **pointer)
{
	struct registry *registry = steal_ptr(pointer);

	if (registry->client)
		client_close(&registry->client);
	if (registry->ca_file >= 0)
		close(registry->ca_file);
	for (size_t i = 0; i < registry->target.upstream_count; i++)
		free(registry->upstreams[i]);
	free(registry->upstreams);
	free(registry->url);
	free(registry->hub);
	free(registry->id);
	free(registry->zone);
	free(registry->ca);
	buf_free(&registry->record);
	free(registry);
}
DEFINE_AUTO(registry, registry_free)

struct registries *registries_open(const char *canary)
{
	struct registries *all = mem_alloc(sizeof(*all));

	all->canary = canary;
	return all;
}

void registries_close(struct registries **pointer)
{
	struct registries *all = steal_ptr(pointer);

	for (size_t i = 0; i < all->count; i++)
		registry_free(&all->at[i]);
	free(all);
}

/* -------------------------------------------------------------------- lists */

static int trust(struct registry *registry, struct err *e)
{
	struct client_options options = { 0 };
	char path[40];

	if (registry->ca) {
		registry->ca_file = memfd_create("ca", MFD_CLOEXEC);
		if (registry->ca_file < 0)
			return err_sys(e, "memory file");
		if (io_write_at(registry->ca_file, 0, span_of(registry->ca),
				e) < 0)
			return -1;
		snprintf(path, sizeof(path), "/proc/self/fd/%d",
			 registry->ca_file);
		options.ca = path;
	}
	return client_open(&options, &registry->client, e);
}

static struct registry *
registry_make(const char *id, const struct agent_target *target, struct err *e)
{
	auto_of(registry) struct registry *registry =
		mem_alloc(sizeof(*registry));
	auto_buf struct buf ca = { 0 };

	registry->ca_file = -1;
	registry->url = mem_text(target->url);
	if (target->hub)
		registry->hub = mem_text(target->hub);
	registry->id = mem_text(id);
	if (target->ca.at) {
		buf_add(&ca, target->ca);
		registry->ca = mem_text(ca.at);
	}
	registry->upstreams = mem_array(target->upstream_count + 1,
					sizeof(*registry->upstreams));
	for (size_t i = 0; i < target->upstream_count; i++)
		registry->upstreams[i] = mem_text(target->upstreams[i]);
	registry->target = (struct agent_target){
		.url = registry->url,
		.ca = span_of(registry->ca),
		.upstreams = (const char *const *)registry->upstreams,
		.upstream_count = target->upstream_count,
	};
	if (trust(registry, e) < 0)
		return NULL;
	return steal_ptr(&registry);
}

static bool has_target(const struct registry *registry,
		       const struct agent_target *b)
{
	const struct agent_target *a = &registry->target;

	if (strcmp(a->url, b->url) != 0 || !span_eq(a->ca, b->ca) ||
	    !span_eq(span_of(registry->hub), span_of(b->hub)) ||
	    a->upstream_count != b->upstream_count)
		return false;
	for (size_t i = 0; i < a->upstream_count; i++)
		if (strcmp(a->upstreams[i], b->upstreams[i]) != 0)
			return false;
	return true;
}

static struct candidate *find(struct registries *all, const char *id,
			      const struct agent_target *target)
{
	for (size_t i = 0; i < all->count; i++)
		if (strcmp(all->at[i]->id, id) == 0 &&
		    has_target(all->at[i], target))
			return &all->candidates[i];
	return NULL;
}

/* One that is known keeps how it answered. */
static struct candidate *enter(struct registries *all, const char *id,
			       const struct agent_target *target, struct err *e)
{
	struct candidate *known = find(all, id, target);

	if (known)
		return known;
	if (all->count == REGISTRIES_MOST) {
		err_set(e, ERR_TOO_MANY, "more than %d registries",
			REGISTRIES_MOST);
		return NULL;
	}
	struct registry *registry = registry_make(id, target, e);
	if (!registry)
		return NULL;
	registry->canary = all->canary;
	all->at[all->count] = registry;
	known = &all->candidates[all->count++];
	*known = (struct candidate){ .id = registry->id };
	return known;
}

int registries_add(struct registries *all, const struct agent_target *target,
		   struct err *e)
{
	return enter(all, target->url, target, e) ? 0 : -1;
}

/* The door at which each name is Docker Hub's, as safe as the first; null. */
static const char *hub_of(const struct record *record)
{
	for (size_t i = 1; i < record->door_count; i++) {
		const struct record_door *door = &record->doors[i];

		if (door->upstream && strcmp(door->upstream, HUB) == 0 &&
		    strcmp(door->scheme, record->doors[0].scheme) == 0)
			return door->url;
	}
	return NULL;
}

/* Its candidate, or null. */
static struct candidate *record_enter(struct registries *all,
				      const struct record *record)
{
	const struct record_door *door = &record->doors[0];
	struct agent_target target = {
		.url = door->url,
		.hub = hub_of(record),
		.upstreams = record->upstreams,
		.upstream_count = record->upstream_count,
	};
	struct candidate *known;
	struct err e;

	if (strcmp(door->scheme, "https") == 0)
		target.ca = span_of(record->ca);
	known = enter(all, record->id, &target, &e);
	if (!known) {
		log_say(LOG_WARN, "registry", "%s: %s", door->url, e.message);
		return NULL;
	}
	struct registry *registry = all->at[known - all->candidates];
	free(registry->zone);
	registry->zone = mem_text(record->zone);
	known->zone = registry->zone;
	known->weight = record->weight;
	known->full = record->health == RECORD_FULL;
	known->leaving = record->health == RECORD_LEAVING;
	buf_clear(&registry->record);
	record_print(record, &registry->record);
	return known;
}

int registries_remember(struct registries *all, const struct record *record,
			enum listed how)
{
	struct candidate *known = record_enter(all, record);

	if (!known)
		return CHOICE_NONE;
	int position = (int)(known - all->candidates);
	if (how == LISTED_IN_ETCD && strcmp(record->id, NAMES_ID) != 0)
		all->at[position]->instance = known->id;
	return position;
}

void registries_list(struct registries *all, const struct cluster_view *view,
		     enum listed how)
{
	for (size_t i = 0; i < all->count; i++)
		all->candidates[i].listed = all->candidates[i].leased = false;
	for (size_t i = 0; i < view->registry_count; i++) {
		struct candidate *known =
			record_enter(all, &view->registries[i]);

		if (!known)
			continue;
		known->listed = true;
		known->leased = how == LISTED_IN_ETCD &&
				view->registries[i].leased;
		all->at[known - all->candidates]->instance =
			how == LISTED_IN_ETCD ? known->id : NULL;
	}
}

static void remove_at(struct registries *all, size_t i)
{
	registry_free(&all->at[i]);
	all->count--;
	memmove(&all->at[i], &all->at[i + 1],
		(all->count - i) * sizeof(*all->at));
	memmove(&all->candidates[i], &all->candidates[i + 1],
		(all->count - i) * sizeof(*all->candidates));
}

void registries_tidy(struct registries *all, int *present)
{
	for (int i = 0; i < (int)all->count;) {
		if (all->candidates[i].listed || i == *present) {
			i++;
			continue;
		}
		remove_at(all, (size_t)i);
		*present -= *present > i;
	}
}

/* ------------------------------------------------------------------- probes */

/* Why it failed last stays said until it is tried again. */
static int prove(struct registry *registry)
{
	if (clock_ms() < registry->prove_ms)
		return -1;
	if (canary_pull(registry->client, registry->url, registry->canary,
			&registry->why) < 0) {
		registry->prove_ms = clock_ms() + CANARY_MS;
		return -1;
	}
	registry->proven = true;
	return 0;
}

static void probe(void *arg)
{
	struct registry *registry = arg;
	struct err ignored;

	registry->failed = agent_probe(registry->client, registry->url,
				       registry->instance, &registry->why);
	registry->silent = registry->failed ? registry->silent + 1 : 0;
	if (registry->silent >= CHOICE_GONE)
		registry->proven = false;
	if (!registry->failed && registry->canary && !registry->proven)
		registry->failed = prove(registry);
	if (registry->failed || !registry->hub || registry->target.hub)
		return;
	if (agent_probe(registry->client, registry->hub, registry->instance,
			&ignored) == 0)
		registry->target.hub = registry->hub;
}

void registries_probe(struct registries *all)
{
	bool started[REGISTRIES_MOST] = { false };

	for (size_t i = 1; i < all->count; i++)
		started[i] = thread_try(&all->at[i]->thread, "probe", probe,
					all->at[i]);
	for (size_t i = 0; i < all->count; i++) {
		struct registry *registry = all->at[i];
		struct candidate *candidate = &all->candidates[i];

		if (started[i])
			thread_join(&registry->thread);
		else
			probe(registry);
		candidate->answers = registry->failed ? 0 :
							candidate->answers + 1;
		candidate->failures =
			registry->failed ? candidate->failures + 1 : 0;
		if (candidate->answers >= CHOICE_CALM)
			candidate->fell = false;
	}
}

void registries_fell(struct registries *all, int position)
{
	all->candidates[position].fell = true;
}

const struct candidate *registries_all(const struct registries *all,
				       size_t *count_out)
{
	*count_out = all->count;
	return all->candidates;
}

const struct agent_target *registries_target(const struct registries *all,
					     int position)
{
	return &all->at[position]->target;
}

struct span registries_record(const struct registries *all, int position)
{
	return buf_span(&all->at[position]->record);
}

const char *registries_why(const struct registries *all, int position)
{
	if (all->candidates[position].leaving)
		return "it says that it is leaving";
	return all->at[position]->why.message;
}
