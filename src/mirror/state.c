/*
 * What the mirror is at, for whoever asks: nothing here asks an upstream.
 */
#include "base/clock.h"
#include "mirror/flight.h"

static void transfer_fill(const struct flight *flight,
			  struct mirror_transfer *out)
{
	*out = (struct mirror_transfer){
		.kind = flight_kind_text(flight->plan.kind),
		.repository = flight->plan.repository,
		.reference = flight->plan.reference,
		.size = flight->plan.size,
	};
	if (!flight->growing)
		return;
	out->length = growing_length(flight->growing);
	out->size = growing_size(flight->growing);
}

size_t mirror_transfers(struct mirror *mirror, struct mirror_transfer *out,
			size_t room)
{
	size_t count = 0;

	hold_mutex(&mirror->lock);
	for (struct flight *flight = mirror->flights; flight;
	     flight = flight->next, count++)
		if (count < room)
			transfer_fill(flight, &out[count]);
	return count;
}

size_t mirror_upstream_count(const struct mirror *mirror)
{
	return mirror->options.upstream_count;
}

void mirror_upstream_state(struct mirror *mirror, size_t index,
			   struct mirror_upstream_state *out)
{
	const struct mirror_upstream *entry = &mirror->options.upstreams[index];
	auto_of(upstream) struct upstream *upstream =
		mirror_upstream_take(mirror, entry);

	out->name = entry->name;
	upstream_health(upstream, &out->health);
	upstream_budget(upstream, &out->budget);
}

static int64_t lifetime(struct mirror *mirror,
			const struct mirror_target *target)
{
	const struct mirror_upstream *upstream =
		mirror_upstream_of(mirror, &target->repository);

	return mirror_lifetime(mirror, upstream,
			       mirror_rules_of(mirror, target->rules, upstream)
				       ->tag_lifetime_ms);
}

int mirror_foresee(struct mirror *mirror, const struct mirror_target *target,
		   const struct reference *reference, struct arena *arena,
		   struct mirror_prospect *out, struct err *e)
{
	bool local = repository_is_local(&target->repository);
	struct meta_manifest *found = &out->manifest;

	*out = (struct mirror_prospect){ .kind = PROSPECT_HERE };
	if (meta_manifest_peek(store_meta(mirror->store), &target->repository,
			       reference, arena, found, e) < 0) {
		out->kind = local ? PROSPECT_UNKNOWN : PROSPECT_MISS;
		return e->kind == ERR_MANIFEST_UNKNOWN ? 0 : -1;
	}
	if (local || reference->kind == REFERENCE_DIGEST)
		return 0;
	out->age_ms = (clock_wall_s() - found->checked) * 1000;
	out->lifetime_ms = lifetime(mirror, target);
	out->kind = mirror_believes(mirror, target, found->checked) ?
			    PROSPECT_FRESH :
			    PROSPECT_STALE;
	return 0;
}

/* ---------------------------------------------------------------- counters */

void mirror_count(struct mirror *mirror, const struct repository *repository,
		  enum metric_each metric, int64_t amount)
{
	const struct mirror_upstream *upstream =
		mirror_upstream_of(mirror, repository);

	if (upstream)
		metric_add_for(
			mirror->counters[upstream - mirror->options.upstreams],
			metric, amount);
}

void mirror_count_saved(struct mirror *mirror)
{
	for (size_t i = 0; i < mirror->options.upstream_count; i++) {
		struct metric_owner *counters = mirror->counters[i];
		int64_t saved = metric_read_for(counters, EACH_SENT) -
				metric_read_for(counters, EACH_BYTES);

		metric_put_for(counters, EACH_SAVED, saved > 0 ? saved : 0);
	}
}
