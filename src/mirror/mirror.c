/*
 * The mirror as a whole: its upstreams, its threads, its end.
 */
#include "mirror/mirror.h"

#include "base/mem.h"
#include "mirror/absent.h"
#include "mirror/flight.h"

enum { VIA_MAX = 1024 };
/* Of an upstream; a list may be large, and wait for a manifest. */
enum {
	BLOBS_AT_ONCE = 64,
	MANIFESTS_AT_ONCE = 16,
	LISTS_AT_ONCE = 4,
	AHEAD_AT_ONCE = 8
};

struct mirror *mirror_open(const struct mirror_options *options)
{
	struct mirror *mirror = mem_alloc(sizeof(*mirror));

	mirror->options = *options;
	mirror->store = options->store;
	pthread_mutex_init(&mirror->lock, NULL);
	mirror->absent = absent_open();
	mirror->crews =
		mem_array(options->upstream_count, sizeof(*mirror->crews));
	mirror->counters = mem_array(options->upstream_count,
				     sizeof(struct metric_owner *));
	mirror->upstreams =
		mem_array(options->upstream_count, sizeof(struct upstream *));
	for (size_t i = 0; i < options->upstream_count; i++) {
		mirror->crews[i] = (struct crew){
			.blobs = pool_open("blobs", BLOBS_AT_ONCE),
			.manifests = pool_open("manifests", MANIFESTS_AT_ONCE),
			.lists = pool_open("lists", LISTS_AT_ONCE),
			.ahead = pool_open("ahead", AHEAD_AT_ONCE),
		};
		mirror->counters[i] = metric_owner(options->upstreams[i].name);
		mirror->upstreams[i] =
			upstream_keep(options->upstreams[i].upstream);
	}
	return mirror;
}

static struct upstream *swap_upstream(struct mirror *mirror, size_t index,
				      struct upstream *upstream)
{
	hold_mutex(&mirror->lock);
	struct upstream *old = mirror->upstreams[index];

	mirror->upstreams[index] = upstream_keep(upstream);
	return old;
}

void mirror_replace(struct mirror *mirror, size_t index,
		    struct upstream *upstream)
{
	struct upstream *old = swap_upstream(mirror, index, upstream);

	upstream_close(&old);
}

/* A flight may ask one that was replaced. */
void mirror_stop(struct mirror *mirror)
{
	hold_mutex(&mirror->lock);
	mirror->stopped = true;
	for (size_t i = 0; i < mirror->options.upstream_count; i++)
		upstream_abort(mirror->upstreams[i]);
	for (struct flight *flight = mirror->flights; flight;
	     flight = flight->next)
		upstream_abort(flight->upstream);
}

void mirror_close(struct mirror **owned)
{
	struct mirror *mirror = steal_ptr(owned);

	mirror_stop(mirror);
	for (size_t i = 0; i < mirror->options.upstream_count; i++) {
		pool_close(&mirror->crews[i].lists);
		pool_close(&mirror->crews[i].blobs);
		pool_close(&mirror->crews[i].manifests);
		pool_close(&mirror->crews[i].ahead);
		upstream_close(&mirror->upstreams[i]);
	}
	absent_close(&mirror->absent);
	free(mirror->crews);
	free(mirror->counters);
	free(mirror->upstreams);
	pthread_mutex_destroy(&mirror->lock);
	free(mirror);
}

const struct mirror_upstream *mirror_upstream_find(const struct mirror *mirror,
						   struct span name)
{
	const struct mirror_options *options = &mirror->options;

	for (size_t i = 0; i < options->upstream_count; i++)
		if (span_is_nocase(name, options->upstreams[i].name))
			return &options->upstreams[i];
	return NULL;
}

const struct mirror_upstream_rules *
mirror_rules_of(const struct mirror *mirror, const struct mirror_rules *rules,
		const struct mirror_upstream *upstream)
{
	return &rules->upstreams[upstream - mirror->options.upstreams];
}

const struct mirror_upstream *
mirror_upstream_of(const struct mirror *mirror,
		   const struct repository *repository)
{
	return mirror_upstream_find(mirror, span_of(repository->upstream));
}

unsigned mirror_whom(const struct mirror *mirror,
		     const struct repository *repository)
{
	const struct mirror_upstream *upstream =
		mirror_upstream_of(mirror, repository);

	return upstream ? (unsigned)(upstream - mirror->options.upstreams) + 1 :
			  0;
}

struct upstream *mirror_upstream_take(struct mirror *mirror,
				      const struct mirror_upstream *upstream)
{
	hold_mutex(&mirror->lock);
	return upstream_keep(
		mirror->upstreams[upstream - mirror->options.upstreams]);
}

int64_t mirror_lifetime(struct mirror *mirror,
			const struct mirror_upstream *upstream, int64_t ms)
{
	hold_mutex(&mirror->lock);
	return upstream_lifetime(
		mirror->upstreams[upstream - mirror->options.upstreams], ms);
}

int mirror_may_ask(const struct mirror *mirror, const char *via, struct err *e)
{
	const char *pseudonym = mirror->options.pseudonym;

	if (!via || !pseudonym)
		return 0;
	if (strlen(via) > VIA_MAX)
		return err_set(e, ERR_LOOP,
			       "this question came through too many others");
	if (!strstr(via, pseudonym))
		return 0;
	return err_set(e, ERR_LOOP,
		       "this question came through here before: an upstream "
		       "of this registry leads back to it");
}

struct crew *mirror_crew_of(struct mirror *mirror,
			    const struct mirror_upstream *upstream)
{
	return &mirror->crews[upstream - mirror->options.upstreams];
}
