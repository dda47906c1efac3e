/*
 * The mirror as a whole: its upstreams, its threads, its end.
 */
#include "mirror/mirror.h"

#include "base/mem.h"
#include "mirror/flight.h"

enum { BLOBS_AT_ONCE = 64, MANIFESTS_AT_ONCE = 16 }; /* an upstream */

struct mirror *mirror_open(const struct mirror_options *options)
{
	struct mirror *mirror = mem_alloc(sizeof(*mirror));

	mirror->options = *options;
	mirror->store = options->store;
	pthread_mutex_init(&mirror->lock, NULL);
	mirror->crews =
		mem_array(options->upstream_count, sizeof(*mirror->crews));
	for (size_t i = 0; i < options->upstream_count; i++)
		mirror->crews[i] = (struct crew){
			pool_open("blobs", BLOBS_AT_ONCE),
			pool_open("manifests", MANIFESTS_AT_ONCE),
		};
	return mirror;
}

void mirror_stop(struct mirror *mirror)
{
	for (size_t i = 0; i < mirror->options.upstream_count; i++)
		upstream_abort(mirror->options.upstreams[i].upstream);
}

void mirror_close(struct mirror **owned)
{
	struct mirror *mirror = steal_ptr(owned);

	mirror_stop(mirror);
	for (size_t i = 0; i < mirror->options.upstream_count; i++) {
		pool_close(&mirror->crews[i].blobs);
		pool_close(&mirror->crews[i].manifests);
	}
	free(mirror->crews);
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

const struct mirror_upstream *
mirror_upstream_of(const struct mirror *mirror,
		   const struct repository *repository)
{
	return mirror_upstream_find(mirror, span_of(repository->upstream));
}

struct crew *mirror_crew_of(struct mirror *mirror,
			    const struct mirror_upstream *upstream)
{
	return &mirror->crews[upstream - mirror->options.upstreams];
}
