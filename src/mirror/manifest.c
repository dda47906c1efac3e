/*
 * Manifests: by digest they never change, by tag they are as old as the last
 * time that upstream confirmed them.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "mirror/absent.h"
#include "mirror/flight.h"

enum { DARK_MS = 20 }; /* as long as it takes to begin asking behind */

bool mirror_believes(struct mirror *mirror, const struct mirror_target *target,
		     int64_t checked)
{
	const struct mirror_upstream *upstream =
		mirror_upstream_of(mirror, &target->repository);
	int64_t age_ms = (clock_wall_s() - checked) * 1000;

	if (!upstream)
		return true;
	int64_t lifetime_ms = mirror_rules_of(mirror, target->rules, upstream)
				      ->tag_lifetime_ms;
	return age_ms >= 0 &&
	       (age_ms < lifetime_ms ||
		age_ms < mirror_lifetime(mirror, upstream, lifetime_ms));
}

static bool is_fresh(struct mirror *mirror, const struct mirror_target *target,
		     const struct reference *reference, int64_t checked)
{
	return reference->kind == REFERENCE_DIGEST ||
	       mirror_believes(mirror, target, checked);
}

static void view_manifest(const struct mirror *mirror,
			  const struct meta_manifest *found,
			  struct manifest_view *out)
{
	if (found->use)
		meta_use(store_meta(mirror->store), found->use);
	*out = (struct manifest_view){
		.digest = found->digest,
		.media_type = found->media_type,
		.bytes = found->bytes,
		.warning = SPAN_NONE,
	};
}

static struct flight_plan plan_manifest(const struct mirror *mirror,
					const struct mirror_target *target,
					const struct reference *reference)
{
	return (struct flight_plan){
		.kind = FLIGHT_MANIFEST,
		.upstream = mirror_upstream_of(mirror, &target->repository),
		.repository = target->repository,
		.reference = *reference,
		.known = -1,
		.reason = "miss",
		.via = target->via,
		.silence_ms = target->rules->patience_ms,
	};
}

static const struct mirror_upstream_rules *
rules_of(const struct mirror *mirror, const struct mirror_target *target,
	 const struct flight_plan *plan)
{
	return mirror_rules_of(mirror, target->rules, plan->upstream);
}

/* Upstream has said so a moment ago. */
bool mirror_lacks(const struct mirror *mirror,
		  const struct mirror_target *target,
		  const struct flight_plan *plan)
{
	return absent_recall(
		mirror->absent, plan,
		rules_of(mirror, target, plan)->not_found_lifetime_ms);
}

/* It is not here: is there any use in asking? */
static int look_further(const struct mirror *mirror,
			const struct mirror_target *target,
			const struct reference *reference, struct err *e)
{
	struct flight_plan plan = plan_manifest(mirror, target, reference);

	if (!plan.upstream || mirror_lacks(mirror, target, &plan))
		return -1;
	return err_set(e, ERR_NOT_HERE, "upstream has to be asked");
}

int pull_peek_manifest(struct mirror *mirror,
		       const struct mirror_target *target,
		       const struct reference *reference, struct arena *arena,
		       struct manifest_view *out, struct err *e)
{
	struct meta_manifest found;

	out->bytes = SPAN_NONE;
	if (meta_manifest_peek(store_meta(mirror->store), &target->repository,
			       reference, arena, &found, e) < 0) {
		if (e->kind != ERR_MANIFEST_UNKNOWN)
			return -1;
		return look_further(mirror, target, reference, e);
	}
	out->bytes = found.bytes;
	if (!is_fresh(mirror, target, reference, found.checked))
		return err_set(e, ERR_NOT_HERE, "the tag's lifetime is over");
	if (!is_of_use_at_once(mirror, target, &found))
		return err_set(e, ERR_NOT_HERE, "its blobs are upstream");
	mirror_count(mirror, &target->repository, EACH_HITS, 1);
	view_manifest(mirror, &found, out);
	return 0;
}

struct span stale_warning(int64_t checked, const struct err *why,
			  struct arena *arena)
{
	long long age = clock_wall_s() - checked;
	char *reason = arena_text(arena, span_of(why->message));

	for (char *c = reason; *c; c++)
		if (*c == '"' || *c == '\\')
			*c = '\'';
	return span_of(arena_printf(arena,
				    "299 - \"last confirmed %lld s ago: %s\"",
				    age < 0 ? 0 : age, reason));
}

/* It was here a moment ago; if it is evicted, upstream still has it. */
static int take_confirmed(struct mirror *mirror, const struct flight_plan *plan,
			  struct arena *arena, struct meta_manifest *out,
			  struct err *e)
{
	if (meta_manifest_peek(store_meta(mirror->store), &plan->repository,
			       &plan->reference, arena, out, e) == 0)
		return 0;
	if (e->kind != ERR_MANIFEST_UNKNOWN)
		return -1;
	return err_set(e, ERR_BUSY, "it was evicted just now: try again later");
}

/* What the flight brought; what it only confirmed is here. */
static int take(struct mirror *mirror, const struct flight *flight,
		struct arena *arena, struct meta_manifest *out, struct err *e)
{
	const struct flight_plan *plan = &flight->plan;

	if (!flight->arena)
		return take_confirmed(mirror, plan, arena, out, e);
	*out = flight->fetched;
	out->media_type = arena_copy(arena, flight->fetched.media_type);
	out->bytes = arena_copy(arena, flight->fetched.bytes);
	return 0;
}

/* Whoever hardly waited, or stood in a queue, knows nothing new. */
static void note_silence(struct flight *flight, const struct flight_plan *plan,
			 int64_t waited_ms)
{
	struct mirror *mirror = flight->mirror;

	hold_mutex(&mirror->lock);
	if (flight->begun && waited_ms >= plan->silence_ms)
		mirror_crew_of(mirror, plan->upstream)->dark = true;
}

/* As upstream says it: see flight_refused. */
static int ask(struct mirror *mirror, const struct flight_plan *plan,
	       int64_t patience_ms, struct arena *arena,
	       struct meta_manifest *out, struct err *e)
{
	auto_of(flight) struct flight *flight = flight_join(mirror, plan);

	switch (flight_wait(flight, clock_ms() + patience_ms, NULL, e)) {
	case FLIGHT_DONE:
		return take(mirror, flight, arena, out, e);
	case FLIGHT_FAILED:
		return -1;
	default:
		note_silence(flight, plan, patience_ms);
		return flight_late(plan, patience_ms, e);
	}
}

int flight_manifest(struct mirror *mirror, const struct flight_plan *plan,
		    int64_t patience_ms, struct arena *arena,
		    struct meta_manifest *out, struct err *e)
{
	if (ask(mirror, plan, patience_ms, arena, out, e) == 0)
		return 0;
	return flight_refused(e, ERR_MANIFEST_UNKNOWN);
}

int64_t mirror_patience(struct mirror *mirror,
			const struct mirror_target *target,
			const struct flight_plan *plan)
{
	int64_t patience_ms = target->rules->patience_ms;
	bool dark = mirror_crew_of(mirror, plan->upstream)->dark;

	return dark && patience_ms > DARK_MS ? DARK_MS : patience_ms;
}

/* Upstream has the tag no more: is that to be believed? */
static bool forget(struct mirror *mirror, const struct mirror_target *target,
		   const struct flight_plan *plan)
{
	struct err e;

	if (!rules_of(mirror, target, plan)->passes_not_found)
		return false;
	if (store_drop_manifest(mirror->store, &plan->repository,
				&plan->reference, NULL, &e) < 0 &&
	    e.kind != ERR_MANIFEST_UNKNOWN)
		log_say(LOG_WARN, "forget", "tag %s of %s: %s",
			reference_text(&plan->reference).s,
			repository_text(&plan->repository).s, e.message);
	return true;
}

/* Anew, or whether what is cached still holds. */
static int renew(struct mirror *mirror, const struct mirror_target *target,
		 const struct flight_plan *plan, int64_t patience_ms,
		 struct arena *arena, struct meta_manifest *out, struct err *e)
{
	if (mirror_lacks(mirror, target, plan))
		return err_set(e, ERR_MANIFEST_UNKNOWN,
			       "upstream %s: answered 404 a moment ago",
			       plan->upstream->name);
	return ask(mirror, plan, patience_ms, arena, out, e);
}

int pull_manifest(struct mirror *mirror, const struct mirror_target *target,
		  const struct reference *reference, struct arena *arena,
		  struct manifest_view *out, struct err *e)
{
	struct flight_plan plan = plan_manifest(mirror, target, reference);
	struct meta_manifest old, found;
	int64_t deadline_ms = mirror_deadline(target);
	int64_t patience_ms = deadline_ms - clock_ms();
	bool have = meta_manifest_peek(store_meta(mirror->store),
				       &target->repository, reference, arena,
				       &old, e) == 0;

	if (have) {
		plan.reason = "tag expired";
		plan.known = old.checked;
		patience_ms = mirror_patience(mirror, target, &plan);
		view_manifest(mirror, &old, out);
	} else if (flight_in_time(&plan, deadline_ms, e) < 0) {
		return -1;
	}
	bool fresh = have && is_fresh(mirror, target, reference, old.checked);
	/* Somebody else may have asked since the peek. */
	if (fresh && is_of_use(mirror, target, &old))
		return 0;
	if (fresh)
		plan.reason = "blobs missing";
	if (renew(mirror, target, &plan, patience_ms, arena, &found, e) == 0) {
		view_manifest(mirror, &found, out);
		return 0;
	}
	bool gone = e->kind == ERR_MANIFEST_UNKNOWN;
	flight_refused(e, ERR_MANIFEST_UNKNOWN);
	if (!have || (gone && forget(mirror, target, &plan)))
		return -1;
	if (is_useless(mirror, target, &old, e)) {
		e->kind = ERR_MANIFEST_UNKNOWN;
		return err_wrap(e, "what it names is not here");
	}
	if (fresh)
		return 0;
	out->warning = stale_warning(old.checked, e, arena);
	mirror_count(mirror, &target->repository, EACH_STALE, 1);
	return 0;
}

/* ------------------------------------------------------------ the flight */

static int get(struct flight *flight, const struct digest *digest,
	       struct manifest *out, struct err *e)
{
	struct reference reference = reference_to_digest(digest);
	struct upstream_question question = flight_question(flight);
	struct upstream_manifest got;

	flight->arena = arena_open();
	if (upstream_get_manifest(flight->upstream, &question, &reference,
				  flight->arena, &got, e) < 0)
		return -1;
	if (manifest_parse(got.bytes, got.media_type, digest->algorithm,
			   flight->arena, out, e) < 0) {
		e->kind = ERR_UPSTREAM;
		return err_wrap(e, "upstream's manifest");
	}
	flight->fetched = (struct meta_manifest){
		.digest = *digest,
		.media_type =
			arena_copy(flight->arena, span_of(out->media_type)),
		.bytes = got.bytes,
		.checked = clock_wall_s(),
	};
	return 0;
}

/* What finds no room is given to those who wait, and no others. */
static int fetch(struct flight *flight, const struct digest *digest,
		 const struct tag *tag, struct err *e)
{
	struct reference reference = reference_to_digest(digest);
	struct manifest manifest;
	struct meta_put put = {
		.repository = &flight->plan.repository,
		.manifest = &manifest,
		.reference = &reference,
		.tags = tag,
		.tag_count = tag ? 1 : 0,
	};

	if (get(flight, digest, &manifest, e) < 0)
		return -1;
	if (store_put_manifest(flight->mirror->store, &put, e) == 0) {
		news_add(flight->mirror, digest, tag);
		return 0;
	}
	if (e->kind != ERR_NO_SPACE)
		return -1;
	metric_add(METRIC_PASSED, 1);
	return 0;
}

/* When what is here was confirmed; -1 if it is not. */
static int64_t checked(const struct flight *flight)
{
	const struct flight_plan *plan = &flight->plan;
	auto_of(arena) struct arena *arena = arena_open();
	struct meta_manifest found;
	struct err e;

	return meta_manifest_peek(store_meta(flight->mirror->store),
				  &plan->repository, &plan->reference, arena,
				  &found, &e) == 0 ?
		       found.checked :
		       -1;
}

/*
 * A tag is asked for by HEAD, which registries do not count against a limit;
 * only what is not here yet is fetched, by its digest.
 */
static int fly(struct flight *flight, bool is_here, struct err *e)
{
	const struct flight_plan *plan = &flight->plan;
	const struct reference *reference = &plan->reference;
	struct meta *meta = store_meta(flight->mirror->store);
	struct upstream_question question = flight_question(flight);
	struct digest digest;

	/* What is here is asked for when its blobs are not. */
	if (reference->kind == REFERENCE_DIGEST && !is_here)
		return fetch(flight, &reference->digest, NULL, e);
	if (upstream_head_manifest(flight->upstream, &question, reference,
				   &digest, e) < 0)
		return -1;
	if (reference->kind == REFERENCE_DIGEST)
		return 0;
	if (meta_tag_confirm(meta, &plan->repository, &reference->tag, &digest,
			     e) == 0)
		return 0;
	if (e->kind != ERR_MANIFEST_UNKNOWN && e->kind != ERR_NO_SPACE)
		return -1;
	return fetch(flight, &digest, &reference->tag, e);
}

/* What this says of the upstream, for those who ask next. */
int fly_manifest(struct flight *flight, struct err *e)
{
	struct mirror *mirror = flight->mirror;
	struct crew *crew = mirror_crew_of(mirror, flight->plan.upstream);
	int64_t here = checked(flight);

	/* A flight may have ended between a look and a join. */
	if (flight_is_answered(flight, here))
		return 0;
	int failed = fly(flight, here >= 0, e);

	crew->dark = failed &&
		     (e->kind == ERR_UNAVAILABLE || e->kind == ERR_TIMEOUT);
	bool down = failed && is_down(e);
	crew->down = down;
	if (!down)
		crew->answered_ms = clock_ms();
	if (failed && e->kind == ERR_MANIFEST_UNKNOWN)
		absent_note(mirror->absent, &flight->plan);
	return failed;
}
