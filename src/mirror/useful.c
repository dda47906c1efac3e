/*
 * May a manifest be given out? Some engines go nowhere else for its blobs once
 * they hold it: so if these are not here, upstream has to be within reach.
 *
 * Of an index that is so if no image below it is here whole. What BuildKit
 * puts beside images, attestations, for no platform, nobody can run: one that
 * is whole makes no index useful. Only the index says what they are, so it is
 * read, but not while upstream is well.
 */
#include "base/clock.h"
#include "mirror/flight.h"

bool is_down(const struct err *why)
{
	static const enum err_kind kinds[] = { ERR_UNAVAILABLE, ERR_TIMEOUT,
					       ERR_UPSTREAM, ERR_CORRUPT };

	for (size_t i = 0; i < array_size(kinds); i++)
		if (why->kind == kinds[i])
			return true;
	return false;
}

static const struct crew *crew_of(struct mirror *mirror,
				  const struct mirror_target *target)
{
	return mirror_crew_of(mirror,
			      mirror_upstream_of(mirror, &target->repository));
}

static bool is_well(const struct crew *crew)
{
	return !crew->dark && !crew->down;
}

static bool is_within_reach(struct mirror *mirror,
			    const struct mirror_target *target)
{
	const struct crew *crew = crew_of(mirror, target);

	return is_well(crew) &&
	       clock_ms() - crew->answered_ms < target->rules->patience_ms;
}

static bool is_attestation(const struct descriptor *item)
{
	return strcmp(item->platform.os, "unknown") == 0 &&
	       strcmp(item->platform.architecture, "unknown") == 0;
}

static bool is_whole(struct mirror *mirror, const struct repository *repository,
		     const struct descriptor *item)
{
	auto_of(arena) struct arena *arena = arena_open();
	struct reference reference = reference_to_digest(&item->digest);
	struct meta_manifest found;
	struct err ignored;

	return meta_manifest_peek(store_meta(mirror->store), repository,
				  &reference, arena, &found, &ignored) == 0 &&
	       !found.lacks;
}

static bool has_attestation(const struct manifest *index)
{
	for (size_t i = 0; i < index->count; i++)
		if (is_attestation(&index->descriptors[i]))
			return true;
	return false;
}

/* Of what it names, nothing but attestations is here whole. */
static bool only_attests(struct mirror *mirror,
			 const struct mirror_target *target,
			 const struct meta_manifest *found)
{
	auto_of(arena) struct arena *arena = arena_open();
	struct manifest index;
	struct err ignored;

	if (manifest_parse(found->bytes, found->media_type,
			   found->digest.algorithm, arena, &index,
			   &ignored) < 0 ||
	    index.kind != MANIFEST_INDEX || !has_attestation(&index))
		return false;
	for (size_t i = 0; i < index.count; i++)
		if (!is_attestation(&index.descriptors[i]) &&
		    is_whole(mirror, &target->repository,
			     &index.descriptors[i]))
			return false;
	return true;
}

/* Without reading it. */
static bool may_attest(const struct meta_manifest *found)
{
	static const char name[] = "\"unknown\"";

	return memmem(found->bytes.at, found->bytes.len, name, strlen(name));
}

bool is_of_use_at_once(struct mirror *mirror,
		       const struct mirror_target *target,
		       const struct meta_manifest *found)
{
	if (target->looks || repository_is_local(&target->repository))
		return true;
	if (found->lacks)
		return is_within_reach(mirror, target);
	return is_well(crew_of(mirror, target)) || !may_attest(found);
}

bool is_of_use(struct mirror *mirror, const struct mirror_target *target,
	       const struct meta_manifest *found)
{
	return target->looks || is_within_reach(mirror, target) ||
	       (!found->lacks && !only_attests(mirror, target, found));
}

bool is_useless(struct mirror *mirror, const struct mirror_target *target,
		const struct meta_manifest *found, const struct err *why)
{
	return !target->looks && is_down(why) &&
	       (found->lacks || only_attests(mirror, target, found));
}
