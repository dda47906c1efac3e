/*
 * The list of flights holds those that have not ended; ending takes a flight
 * off the list, and the last to leave it releases it. All of it happens under
 * one lock that is never held across anything slow.
 */
#include "mirror/flight.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"

enum { LAGGING_MOST = 256 }; /* flights that nobody waits for */

static bool plan_same(const struct flight_plan *a, const struct flight_plan *b)
{
	if (a->kind != b->kind || a->upstream != b->upstream ||
	    a->reference.kind != b->reference.kind)
		return false;
	if (a->kind == FLIGHT_BLOB)
		return digest_eq(&a->reference.digest, &b->reference.digest);
	if (!repository_eq(&a->repository, &b->repository))
		return false;
	if (a->reference.kind == REFERENCE_DIGEST)
		return digest_eq(&a->reference.digest, &b->reference.digest);
	return strcmp(a->reference.tag.s, b->reference.tag.s) == 0;
}

/* Its file broke; only its thread has not said so yet. */
static bool is_over(const struct flight *flight)
{
	return flight->growing &&
	       growing_state(flight->growing) == GROWING_BROKEN;
}

static struct flight *find(struct mirror *mirror,
			   const struct flight_plan *plan)
{
	struct flight *flight = mirror->flights;

	while (flight && (is_over(flight) || !plan_same(&flight->plan, plan)))
		flight = flight->next;
	return flight;
}

static void unlist(struct flight *flight)
{
	struct flight **at = &flight->mirror->flights;

	if (!flight->listed)
		return;
	while (*at != flight)
		at = &(*at)->next;
	*at = flight->next;
	flight->listed = false;
}

static void end(struct flight *flight, const struct err *why)
{
	struct mirror *mirror = flight->mirror;

	hold_mutex(&mirror->lock);
	unlist(flight);
	flight->state = why ? FLIGHT_FAILED : FLIGHT_DONE;
	if (why)
		flight->why = *why;
	if (why && flight->growing)
		growing_drop(&flight->growing);
	pthread_cond_broadcast(&flight->changed);
}

static const struct {
	const char *name;
	int (*fly)(struct flight *, struct err *);
} kinds[FLIGHT_KINDS] = {
	[FLIGHT_MANIFEST] = { "manifest", fly_manifest },
	[FLIGHT_BLOB] = { "blob", fly_blob },
	[FLIGHT_TAGS] = { "tags", fly_list },
	[FLIGHT_REFERRERS] = { "referrers", fly_list },
};

/* What nobody waits for needs no room. */
static enum log_level level_of(const struct flight *flight,
			       const struct err *why)
{
	if (!why || (flight->ahead && why->kind == ERR_NO_SPACE))
		return LOG_INFO;
	return LOG_WARN;
}

const char *flight_kind_text(enum flight_kind kind)
{
	return kinds[kind].name;
}

/* Whoever asked may be gone, so the flight says by itself how it ended. */
static void report(const struct flight *flight, int64_t ms,
		   const struct err *why)
{
	const struct flight_plan *plan = &flight->plan;
	struct log_line line;

	log_begin(&line, level_of(flight, why), "fetch");
	log_text(&line, "reason", plan->reason);
	log_text(&line, "repository", repository_text(&plan->repository).s);
	log_text(&line, kinds[plan->kind].name,
		 reference_text(&plan->reference).s);
	log_number(&line, "ms", ms);
	if (why)
		log_err(&line, why);
	log_send(&line);
	if (why && why->kind == ERR_CORRUPT)
		metric_add(METRIC_CORRUPT, 1);
}

/*
 * Its turn may come so late that everyone has left: then it does not start,
 * and leaves the list while nobody can join.
 */
static bool begin(struct flight *flight)
{
	struct mirror *mirror = flight->mirror;

	hold_mutex(&mirror->lock);
	bool wanted = flight->holders > flight->jobs ||
		      (flight->ahead && !mirror->stopped);

	if (flight->begun)
		return false;
	flight->begun = true;
	if (!wanted)
		unlist(flight);
	return wanted;
}

static void fly(void *arg)
{
	struct flight *flight = arg;
	int64_t began = clock_ms();
	struct err e;

	if (begin(flight)) {
		int failed = kinds[flight->plan.kind].fly(flight, &e);

		report(flight, clock_ms() - began, failed ? &e : NULL);
		end(flight, failed ? &e : NULL);
		if (!failed)
			ahead_go_on(flight);
	}
	flight_leave(&flight);
}

static struct flight *plan_open(struct mirror *mirror,
				const struct flight_plan *plan)
{
	struct flight *flight = mem_alloc(sizeof(*flight));

	flight->plan = *plan;
	flight->mirror = mirror;
	flight->via = mem_text(plan->via);
	flight->upstream = upstream_keep(
		mirror->upstreams[plan->upstream - mirror->options.upstreams]);
	cond_open(&flight->changed);
	return flight;
}

static struct pool *pool_of(const struct crew *crew, enum flight_kind kind)
{
	switch (kind) {
	case FLIGHT_BLOB:
		return crew->blobs;
	case FLIGHT_MANIFEST:
		return crew->manifests;
	default:
		return crew->lists;
	}
}

static struct flight *start(struct mirror *mirror,
			    const struct flight_plan *plan)
{
	struct flight *flight = plan_open(mirror, plan);

	flight->next = mirror->flights;
	mirror->flights = flight;
	flight->listed = true;
	return flight;
}

static void line_up(struct flight *flight, struct pool *pool)
{
	flight->jobs++;
	flight->holders++;
	pool_run(pool, fly, flight);
}

/* Somebody wants it, and goes before what nobody wants yet. */
static void line_up_first(struct flight *flight)
{
	struct crew *crew =
		mirror_crew_of(flight->mirror, flight->plan.upstream);

	line_up(flight, pool_of(crew, flight->plan.kind));
}

static bool lags(const struct flight *flight)
{
	return flight->ahead && !flight->begun;
}

static struct flight *start_wanted(struct mirror *mirror,
				   const struct flight_plan *plan)
{
	struct flight *flight = start(mirror, plan);

	line_up_first(flight);
	mirror_count(mirror, &plan->repository, EACH_MISSES, 1);
	return flight;
}

static struct flight *refused(struct mirror *mirror,
			      const struct flight_plan *plan,
			      const struct err *why)
{
	struct flight *flight = plan_open(mirror, plan);

	flight->state = FLIGHT_FAILED;
	flight->why = *why;
	return flight;
}

struct flight *flight_join(struct mirror *mirror,
			   const struct flight_plan *plan)
{
	hold_mutex(&mirror->lock);
	struct flight *flight = find(mirror, plan);
	struct err why;

	if (mirror_may_ask(mirror, plan->via, &why) < 0)
		flight = refused(mirror, plan, &why);
	else if (flight)
		mirror_count(mirror, &plan->repository, EACH_JOINS, 1);
	else
		flight = start_wanted(mirror, plan);
	if (!flight->asks && flight->plan.known < plan->known)
		flight->plan.known = plan->known;
	if (lags(flight) && flight->jobs == 1)
		line_up_first(flight);
	flight->holders++;
	return flight;
}

static unsigned count_lagging(const struct mirror *mirror)
{
	unsigned count = 0;

	for (const struct flight *flight = mirror->flights; flight;
	     flight = flight->next)
		count += lags(flight);
	return count;
}

static struct flight *start_ahead(struct mirror *mirror,
				  const struct flight_plan *plan)
{
	struct flight *flight = start(mirror, plan);
	struct crew *crew = mirror_crew_of(mirror, plan->upstream);

	metric_add(METRIC_PREFETCHED, 1);
	line_up(flight,
		plan->kind == FLIGHT_BLOB ? crew->ahead : crew->manifests);
	return flight;
}

void flight_ahead(struct mirror *mirror, const struct flight_plan *plan)
{
	hold_mutex(&mirror->lock);
	struct flight *flight = find(mirror, plan);

	if (mirror->stopped ||
	    (!flight && count_lagging(mirror) >= LAGGING_MOST))
		return;
	if (!flight)
		flight = start_ahead(mirror, plan);
	flight->ahead = true;
}

static bool leave(struct flight *flight)
{
	hold_mutex(&flight->mirror->lock);
	return --flight->holders == 0;
}

void flight_leave(struct flight **owned)
{
	struct flight *flight = steal_ptr(owned);

	if (!leave(flight))
		return;
	if (flight->growing)
		growing_drop(&flight->growing);
	upstream_close(&flight->upstream);
	free(flight->via);
	if (flight->arena)
		arena_close(&flight->arena);
	pthread_cond_destroy(&flight->changed);
	free(flight);
}

struct flight *flight_of_blob(struct mirror *mirror,
			      const struct repository *repository,
			      const struct digest *digest)
{
	struct flight_plan plan = {
		.kind = FLIGHT_BLOB,
		.upstream = mirror_upstream_of(mirror, repository),
		.reference = reference_to_digest(digest),
	};

	return find(mirror, &plan);
}

struct growing *flight_peek_blob(struct mirror *mirror,
				 const struct repository *repository,
				 const struct digest *digest)
{
	hold_mutex(&mirror->lock);
	struct flight *flight = flight_of_blob(mirror, repository, digest);

	if (!flight || flight->state != FLIGHT_FLOWING)
		return NULL;
	return growing_keep(flight->growing);
}

enum flight_state flight_wait(struct flight *flight, int64_t deadline_ms,
			      struct growing **growing_out, struct err *why)
{
	struct mirror *mirror = flight->mirror;
	bool waiting = true;

	thread_may_wait("flight_wait");
	hold_mutex(&mirror->lock);
	while (flight->state == FLIGHT_ASKING && waiting)
		waiting = cond_wait_until(&flight->changed, &mirror->lock,
					  deadline_ms);
	if (flight->growing && growing_out)
		*growing_out = growing_keep(flight->growing);
	if (flight->state == FLIGHT_FAILED)
		*why = flight->why;
	return flight->state;
}

struct upstream_question flight_question(const struct flight *flight)
{
	return (struct upstream_question){
		.name = &flight->plan.repository.name,
		.reason = flight->plan.reason,
		.via = flight->via,
	};
}

bool flight_is_answered(struct flight *flight, int64_t confirmed)
{
	hold_mutex(&flight->mirror->lock);
	flight->asks = confirmed <= flight->plan.known;
	if (!flight->asks)
		unlist(flight);
	return !flight->asks;
}

enum flight_state flight_wait_end(struct flight *flight, int64_t deadline_ms,
				  struct err *why)
{
	struct mirror *mirror = flight->mirror;
	bool waiting = true;

	thread_may_wait("flight_wait_end");
	hold_mutex(&mirror->lock);
	while (flight->state < FLIGHT_DONE && waiting)
		waiting = cond_wait_until(&flight->changed, &mirror->lock,
					  deadline_ms);
	if (flight->state == FLIGHT_FAILED)
		*why = flight->why;
	return flight->state;
}

void flight_flow(struct flight *flight, struct growing *growing)
{
	hold_mutex(&flight->mirror->lock);
	flight->growing = growing_keep(growing);
	flight->state = FLIGHT_FLOWING;
	flight->flowing_ms = clock_ms();
	flight->first = growing_length(growing);
	pthread_cond_broadcast(&flight->changed);
}

int flight_refused(struct err *e, enum err_kind unknown)
{
	if (e->kind == ERR_DENIED)
		e->kind = unknown;
	if (e->kind == ERR_CORRUPT) /* what it sent is not what it said */
		e->kind = ERR_UPSTREAM;
	if (e->kind == ERR_CLOSED) /* we are about to end */
		e->kind = ERR_UNAVAILABLE;
	return -1;
}

int64_t mirror_deadline(const struct mirror_target *target)
{
	return (target->asked_ms ? target->asked_ms : clock_ms()) + ANSWER_MS;
}

int flight_in_time(const struct flight_plan *plan, int64_t deadline_ms,
		   struct err *e)
{
	return clock_ms() < deadline_ms ? 0 : flight_late(plan, ANSWER_MS, e);
}

int flight_late(const struct flight_plan *plan, int64_t waited_ms,
		struct err *e)
{
	return err_set(e, ERR_TIMEOUT, "upstream %s: no answer within %lld ms",
		       plan->upstream->name, (long long)waited_ms);
}
