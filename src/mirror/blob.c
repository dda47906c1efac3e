/*
 * Blobs: from the store, from a flight, or by starting one. A blob is served
 * in an upstream's repository only if a manifest cached there names it, or
 * upstream itself has just said that it is there.
 */
#include "base/clock.h"
#include "base/metrics.h"
#include "mirror/absent.h"
#include "mirror/flight.h"

void blob_view_close(struct blob_view *view)
{
	if (view->fd >= 0)
		close(view->fd);
	view->fd = -1;
	if (view->growing)
		growing_drop(&view->growing);
}

static void view_place(const struct blob_place *place, struct blob_view *out)
{
	*out = (struct blob_view){ .fd = place->fd, .size = place->size };
}

static void view_growing(struct growing *growing, struct blob_view *out)
{
	*out = (struct blob_view){
		.fd = -1,
		.growing = growing,
		.size = growing_size(growing),
	};
}

int pull_peek_blob(struct mirror *mirror, const struct mirror_target *target,
		   const struct digest *digest, struct blob_view *out,
		   struct err *e)
{
	const struct repository *repository = &target->repository;
	struct blob_place place;

	if (store_peek_blob(mirror->store, repository, digest, &place, e) ==
	    0) {
		mirror_count(mirror, repository, EACH_HITS, 1);
		view_place(&place, out);
		return 0;
	}
	if (repository_is_local(repository))
		return -1;
	if (e->kind == ERR_BLOB_UNKNOWN)
		return err_set(e, ERR_NOT_HERE, "upstream has to be asked");
	if (e->kind != ERR_NOT_HERE)
		return -1;

	struct growing *growing = flight_peek_blob(mirror, repository, digest);
	if (!growing)
		return -1;
	view_growing(growing, out);
	return 0;
}

int pull_peek_blob_size(struct mirror *mirror,
			const struct mirror_target *target,
			const struct digest *digest, int64_t *size_out,
			struct err *e)
{
	const struct repository *repository = &target->repository;

	if (store_peek_size(mirror->store, repository, digest, size_out, e) ==
	    0) {
		mirror_count(mirror, repository, EACH_HITS, 1);
		return 0;
	}
	if (!repository_is_local(repository) && e->kind == ERR_BLOB_UNKNOWN)
		return err_set(e, ERR_NOT_HERE, "upstream has to be asked");
	return -1;
}

/* What somebody waits for. */
struct want {
	struct mirror *mirror;
	const struct mirror_target *target;
	struct flight_plan plan;
	bool confirmed;	     /* upstream has said that it has it */
	int64_t deadline_ms; /* of the first byte, whatever has to be asked */
};

static struct want want_blob(struct mirror *mirror,
			     const struct mirror_target *target,
			     const struct digest *digest)
{
	return (struct want){
		.mirror = mirror,
		.target = target,
		.plan = {
			.kind = FLIGHT_BLOB,
			.upstream = mirror_upstream_of(mirror,
						       &target->repository),
			.repository = target->repository,
			.reference = reference_to_digest(digest),
			.size = -1,
			.reason = "miss",
			.via = target->via,
		},
		.deadline_ms = mirror_deadline(target),
	};
}

/* Is there any use in asking? */
static int check_use(const struct want *want, struct err *e)
{
	if (!mirror_lacks(want->mirror, want->target, &want->plan))
		return flight_in_time(&want->plan, want->deadline_ms, e);
	return err_set(e, ERR_BLOB_UNKNOWN,
		       "upstream %s: answered 404 a moment ago",
		       want->plan.upstream->name);
}

static int head(const struct want *want, int64_t *size_out, struct err *e)
{
	const struct flight_plan *plan = &want->plan;
	struct mirror *mirror = want->mirror;
	auto_of(upstream) struct upstream *upstream =
		mirror_upstream_take(mirror, plan->upstream);
	struct upstream_question question = {
		.name = &plan->repository.name,
		.reason = "not named here",
		.via = plan->via,
		.until_ms = want->deadline_ms,
	};

	if (check_use(want, e) < 0 || mirror_may_ask(mirror, plan->via, e) < 0)
		return -1;
	if (upstream_head_blob(upstream, &question, &plan->reference.digest,
			       size_out, e) == 0)
		return 0;
	if (e->kind == ERR_BLOB_UNKNOWN)
		absent_note(mirror->absent, plan);
	return flight_refused(e, ERR_BLOB_UNKNOWN);
}

/* Asks upstream; links the blob if the bytes are here already. */
static int confirm(struct want *want, struct err *e)
{
	struct flight_plan *plan = &want->plan;
	struct meta *meta = store_meta(want->mirror->store);

	if (!want->confirmed && head(want, &plan->size, e) < 0)
		return -1;
	want->confirmed = true;
	if (meta_link_put(meta, &plan->repository, &plan->reference.digest, e) <
		    0 &&
	    e->kind != ERR_BLOB_UNKNOWN && e->kind != ERR_NO_SPACE)
		return -1;
	return 0;
}

/*
 * There is no room for it. Once its bytes flow, nothing can be said but that
 * they break off: so whether upstream has it is asked before.
 */
static int view_passing(const struct want *want, struct blob_view *out,
			struct err *e)
{
	int64_t size = -1;

	if (!want->confirmed && head(want, &size, e) < 0)
		return -1;
	*out = (struct blob_view){
		.fd = -1,
		.passing = true,
		.size = want->plan.size >= 0 ? want->plan.size : size,
	};
	return 0;
}

/*
 * The bytes that are here, for a repository that has them; otherwise
 * ERR_NOT_HERE, with the size that the plan needs.
 */
static int pull_here(struct want *want, struct blob_view *out, struct err *e)
{
	struct store *store = want->mirror->store;
	struct flight_plan *plan = &want->plan;
	const struct digest *digest = &plan->reference.digest;
	struct blob_place place = { .fd = -1, .size = -1 };
	int failed =
		store_pull_blob(store, &plan->repository, digest, &place, e);

	if (failed && e->kind == ERR_BLOB_UNKNOWN && plan->upstream) {
		if (confirm(want, e) < 0)
			return -1;
		failed = store_pull_blob(store, &plan->repository, digest,
					 &place, e);
		if (failed && e->kind == ERR_BLOB_UNKNOWN)
			return err_set(e, ERR_NOT_HERE, "only upstream has it");
	}
	if (failed) {
		plan->size = place.size;
		return -1;
	}
	view_place(&place, out);
	return 0;
}

/*
 * A blob's flight is one for all repositories of the upstream, but it asks in
 * the first: that it failed there says nothing of what ours would answer.
 */
static enum flight_state join_until(const struct want *want,
				    struct growing **out, struct err *e)
{
	enum flight_state state;
	bool ours;

	do {
		auto_of(flight) struct flight *flight =
			flight_join(want->mirror, &want->plan);

		ours = repository_eq(&flight->plan.repository,
				     &want->plan.repository);
		state = flight_wait(flight, want->deadline_ms, out, e);
	} while (state == FLIGHT_FAILED && !ours && e->kind != ERR_NO_SPACE &&
		 clock_ms() < want->deadline_ms);
	return state;
}

/* By somebody else, after we had looked. */
static int pull_brought(struct want *want, struct blob_view *out, struct err *e)
{
	if (pull_here(want, out, e) == 0)
		return 0;
	if (e->kind == ERR_NOT_HERE)
		e->kind = ERR_UNAVAILABLE; /* and it is gone again */
	return -1;
}

static int pull_flight(struct want *want, struct blob_view *out, struct err *e)
{
	struct growing *growing = NULL;

	switch (join_until(want, &growing, e)) {
	case FLIGHT_FLOWING:
	case FLIGHT_DONE:
		if (!growing)
			return pull_brought(want, out, e);
		view_growing(growing, out);
		return 0;
	case FLIGHT_FAILED:
		if (e->kind == ERR_NO_SPACE)
			return view_passing(want, out, e);
		return flight_refused(e, ERR_BLOB_UNKNOWN);
	case FLIGHT_ASKING:
		break;
	}
	return flight_late(&want->plan, ANSWER_MS, e);
}

int pull_blob(struct mirror *mirror, const struct mirror_target *target,
	      const struct digest *digest, struct blob_view *out, struct err *e)
{
	struct want want = want_blob(mirror, target, digest);

	if (pull_here(&want, out, e) == 0)
		return 0;
	if (e->kind != ERR_NOT_HERE || !want.plan.upstream ||
	    check_use(&want, e) < 0)
		return -1;
	return pull_flight(&want, out, e);
}

int pull_blob_size(struct mirror *mirror, const struct mirror_target *target,
		   const struct digest *digest, int64_t *size_out,
		   struct err *e)
{
	struct want want = want_blob(mirror, target, digest);
	struct blob_view view;

	if (target->bare)
		want.plan.upstream = NULL;
	if (pull_here(&want, &view, e) == 0) {
		*size_out = view.size;
		blob_view_close(&view);
		if (!repository_is_local(&target->repository))
			return 0;
		return store_promise(mirror->store, &target->repository, digest,
				     e);
	}
	*size_out = want.plan.size;
	return e->kind == ERR_NOT_HERE ? 0 : -1;
}

/* ------------------------------------------------------------ the flight */

struct arrival {
	struct flight *flight;
	struct incoming *incoming;
};

static int arrival_start(void *arg, int64_t size, struct err *e)
{
	struct arrival *arrival = arg;
	int64_t expected = arrival->flight->plan.size;

	if (size >= 0 && expected >= 0 && size != expected)
		return err_set(e, ERR_UPSTREAM,
			       "%lld bytes are offered, the manifest says %lld",
			       (long long)size, (long long)expected);
	flight_flow(arrival->flight, incoming_growing(arrival->incoming));
	return 0;
}

static int arrival_restart(void *arg, struct err *e)
{
	struct arrival *arrival = arg;

	return incoming_restart(arrival->incoming, e);
}

static int arrival_write(void *arg, struct span bytes, struct err *e)
{
	struct arrival *arrival = arg;

	return incoming_write(arrival->incoming, bytes, e);
}

/* Brings what is missing; after a crash that may be no byte at all. */
static int arrival_complete(struct arrival *arrival, struct err *e)
{
	const struct flight_plan *plan = &arrival->flight->plan;
	struct upstream_question question = flight_question(arrival->flight);
	struct upstream_blob blob = {
		.digest = &plan->reference.digest,
		.size = plan->size,
		.offset = incoming_length(arrival->incoming),
	};
	struct upstream_sink sink = {
		.start = arrival_start,
		.restart = arrival_restart,
		.write = arrival_write,
		.arg = arrival,
	};

	if (blob.offset == blob.size)
		return arrival_start(arrival, blob.size, e);
	return upstream_get_blob(arrival->flight->upstream, &question, &blob,
				 &sink, e);
}

/* A flight may have ended between a look and a join: nothing is left to do. */
static bool was_brought(const struct flight *flight)
{
	const struct flight_plan *plan = &flight->plan;
	struct blob_place place;
	struct err e;

	if (store_pull_blob(flight->mirror->store, &plan->repository,
			    &plan->reference.digest, &place, &e) < 0)
		return false;
	close(place.fd);
	return true;
}

int fly_blob(struct flight *flight, struct err *e)
{
	const struct flight_plan *plan = &flight->plan;
	const struct digest *digest = &plan->reference.digest;
	struct arrival arrival = { .flight = flight };

	if (was_brought(flight))
		return 0;
	if (incoming_open_fetch(flight->mirror->store, &plan->repository,
				digest, plan->size, &arrival.incoming, e) < 0)
		return -1;
	if (arrival_complete(&arrival, e) == 0)
		return incoming_commit(&arrival.incoming, digest, e);
	if (e->kind == ERR_BLOB_UNKNOWN)
		absent_note(flight->mirror->absent, plan);
	if (e->kind == ERR_CORRUPT || e->kind == ERR_NO_SPACE)
		incoming_drop(&arrival.incoming);
	else
		incoming_leave(&arrival.incoming);
	return -1;
}
