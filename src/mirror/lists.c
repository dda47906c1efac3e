/*
 * Lists of an upstream's repository: whole, as it gave them, and believed for
 * as long as a tag is. Where it has no list of referrers, an index under a tag
 * may say them; that is a manifest like others, and fetched like them.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "mirror/absent.h"
#include "mirror/flight.h"
#include "oci/listing.h"

static const struct digest *subject_of(const struct flight_plan *plan)
{
	return plan->kind == FLIGHT_TAGS ? NULL : &plan->reference.digest;
}

void list_view_close(struct list_view *view)
{
	meta_list_free(&view->list);
	if (view->flight)
		flight_leave(&view->flight);
}

int pull_list_part(struct mirror *mirror, const struct mirror_target *target,
		   const struct digest *subject, struct list_view *out,
		   struct err *e)
{
	if (meta_list_peek(store_meta(mirror->store), &target->repository,
			   subject, &out->list, e) < 0)
		return -1;
	out->lines = buf_span(&out->list.lines);
	return 0;
}

int pull_peek_list(struct mirror *mirror, const struct mirror_target *target,
		   const struct digest *subject, struct list_view *out,
		   struct err *e)
{
	if (pull_list_part(mirror, target, subject, out, e) < 0) {
		if (e->kind != ERR_NOT_FOUND)
			return -1;
		return err_set(e, ERR_NOT_HERE, "upstream has to be asked");
	}
	if (!mirror_believes(mirror, target, out->list.checked))
		return err_set(e, ERR_NOT_HERE, "the list's lifetime is over");
	mirror_count(mirror, &target->repository, EACH_HITS, 1);
	return 0;
}

static void view_flight(struct flight **flight, struct list_view *out)
{
	out->lines = (*flight)->list;
	out->list.before = 0;
	out->list.more = false;
	out->flight = steal_ptr(flight);
}

/* However many have waited, the lines are there once, or only here. */
static int ask(struct mirror *mirror, const struct mirror_target *target,
	       const struct flight_plan *plan, int64_t patience_ms,
	       struct list_view *out, struct err *e)
{
	auto_of(flight) struct flight *flight = flight_join(mirror, plan);

	switch (flight_wait(flight, clock_ms() + patience_ms, NULL, e)) {
	case FLIGHT_DONE:
		if (!flight->arena)
			return pull_list_part(mirror, target, subject_of(plan),
					      out, e);
		view_flight(&flight, out);
		return 0;
	case FLIGHT_FAILED:
		return flight_refused(e, ERR_NAME_UNKNOWN);
	default:
		return flight_late(plan, patience_ms, e);
	}
}

static struct flight_plan plan_list(const struct mirror *mirror,
				    const struct mirror_target *target,
				    const struct digest *subject)
{
	struct flight_plan plan = {
		.kind = FLIGHT_TAGS,
		.upstream = mirror_upstream_of(mirror, &target->repository),
		.repository = target->repository,
		.reason = "list",
		.via = target->via,
	};

	if (subject) {
		plan.kind = FLIGHT_REFERRERS;
		plan.reference = reference_to_digest(subject);
	}
	return plan;
}

static int renew(struct mirror *mirror, const struct mirror_target *target,
		 const struct digest *subject, struct arena *arena,
		 struct list_view *out, struct err *e)
{
	struct flight_plan plan = plan_list(mirror, target, subject);
	int64_t patience_ms = mirror_patience(mirror, target, &plan);
	bool have = pull_list_part(mirror, target, subject, out, e) == 0;

	/* Somebody else may have asked since the peek. */
	if (have && mirror_believes(mirror, target, out->list.checked))
		return 0;
	meta_list_free(&out->list); /* it may be large, and wait */
	plan.known = have ? out->list.checked : 0;
	if (have)
		plan.reason = "list expired";
	else if (flight_in_time(&plan, mirror_deadline(target), e) < 0)
		return -1;
	else if (patience_ms == target->rules->patience_ms) /* not dark */
		patience_ms = mirror_deadline(target) - clock_ms();
	if (mirror_lacks(mirror, target, &plan))
		err_set(e, ERR_NAME_UNKNOWN,
			"upstream %s: answered 404 a moment ago",
			plan.upstream->name);
	else if (ask(mirror, target, &plan, patience_ms, out, e) == 0)
		return 0;
	if (!have)
		return -1;
	out->warning = stale_warning(out->list.checked, e, arena);
	mirror_count(mirror, &target->repository, EACH_STALE, 1);
	return pull_list_part(mirror, target, subject, out, e);
}

int pull_list(struct mirror *mirror, const struct mirror_target *target,
	      const struct digest *subject, struct arena *arena,
	      struct list_view *out, struct err *e)
{
	if (renew(mirror, target, subject, arena, out, e) == 0)
		return 0;
	if (e->kind != ERR_NOT_FOUND)
		return -1;
	/* The one that was here has gone meanwhile: as if there was none. */
	out->warning = SPAN_NONE;
	return renew(mirror, target, subject, arena, out, e);
}

/* ------------------------------------------------------------ the flight */

/* distribution-spec, "Referrers Tag Schema". */
static struct reference schema_tag(const struct digest *subject)
{
	struct reference reference = { .kind = REFERENCE_TAG };
	struct digest_text text = digest_text(subject);

	snprintf(reference.tag.s, sizeof(reference.tag.s), "%.*s",
		 (int)strlen("sha256-") + 64, text.s);
	*strchr(reference.tag.s, ':') = '-';
	return reference;
}

/* There is no list; an index under a tag may be one. None: nothing refers. */
static int referrers_by_tag(struct flight *flight, struct buf *lines,
			    struct err *e)
{
	const struct flight_plan *plan = &flight->plan;
	auto_of(arena) struct arena *arena = arena_open();
	struct meta_manifest found;
	struct flight_plan index = {
		.kind = FLIGHT_MANIFEST,
		.upstream = plan->upstream,
		.repository = plan->repository,
		.reference = schema_tag(&plan->reference.digest),
		.known = clock_wall_s(),
		.reason = "referrers",
		.via = flight->via,
		.silence_ms = ANSWER_MS,
	};

	if (flight_manifest(flight->mirror, &index, ANSWER_MS, arena, &found,
			    e) < 0)
		return e->kind == ERR_MANIFEST_UNKNOWN ? 0 : -1;
	return listing_referrers(found.bytes, lines, e);
}

static int referrers(struct flight *flight, struct buf *lines, struct err *e)
{
	struct upstream_question question = flight_question(flight);

	if (upstream_list_referrers(flight->upstream, &question,
				    &flight->plan.reference.digest, lines,
				    e) == 0)
		return 0;
	if (e->kind != ERR_UNSUPPORTED)
		return -1;
	buf_clear(lines);
	return referrers_by_tag(flight, lines, e);
}

static int tags(struct flight *flight, struct buf *lines, struct err *e)
{
	struct upstream_question question = flight_question(flight);

	return upstream_list_tags(flight->upstream, &question, lines, e);
}

static int ask_upstream(struct flight *flight, struct buf *lines, struct err *e)
{
	const struct flight_plan *plan = &flight->plan;
	bool of_tags = plan->kind == FLIGHT_TAGS;

	buf_clear(lines);
	if ((of_tags ? tags : referrers)(flight, lines, e) == 0) {
		mirror_crew_of(flight->mirror, plan->upstream)->dark = false;
		return 0;
	}
	if (e->kind == ERR_NAME_UNKNOWN)
		absent_note(flight->mirror->absent, plan);
	return -1;
}

/* Another flight may have ended between a look and the start of this one. */
static bool came_meanwhile(struct flight *flight)
{
	const struct flight_plan *plan = &flight->plan;
	auto_with(meta_list_free) struct meta_list list = { 0 };
	struct err ignored;
	bool here = meta_list_peek(store_meta(flight->mirror->store),
				   &plan->repository, subject_of(plan), &list,
				   &ignored) == 0;

	return flight_is_answered(flight, here ? list.checked : -1);
}

/* What finds no room, or no place, is given to those who wait. */
int fly_list(struct flight *flight, struct err *e)
{
	const struct flight_plan *plan = &flight->plan;
	auto_buf struct buf lines = { 0 };

	if (came_meanwhile(flight))
		return 0;
	if (ask_upstream(flight, &lines, e) < 0)
		return -1;
	bool kept = meta_list_put(store_meta(flight->mirror->store),
				  &plan->repository, subject_of(plan),
				  buf_span(&lines), e) == 0;
	if (!kept && e->kind != ERR_NO_SPACE)
		return -1;
	if (kept && lines.len > 0)
		return 0;
	flight->arena = arena_open();
	flight->list = arena_copy(flight->arena, buf_span(&lines));
	return 0;
}
