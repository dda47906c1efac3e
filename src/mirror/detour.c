/*
 * A part of a blob that lies far ahead of what has come of it: whoever wants
 * it, because he runs an image before he has all of it, gets exactly that part
 * by a transfer of its own, beside the flight that brings the whole.
 *
 * What goes this way is seen in pieces, so no digest says whether it is right,
 * and none of it is kept.
 */
#include "base/clock.h"
#include "mirror/flight.h"

enum {
	AHEAD = 1024 * 1024, /* bytes that are waited for in any case */
	MOMENT_MS = 200,     /* what comes within is waited for, too */
	DETOURS_A_BLOB = 4,
	PASSAGES_SHARED =
		32 /* more are for what finds no room, and cannot wait */
};

/* How far it will have come in a moment, at its pace so far. */
static int64_t reach(const struct flight *flight)
{
	int64_t here = growing_length(flight->growing);
	int64_t took_ms = clock_ms() - flight->flowing_ms;
	int64_t soon = (here - flight->first) / (took_ms + MOMENT_MS);

	soon *= MOMENT_MS;
	return here + (soon > AHEAD ? soon : AHEAD);
}

static bool is_far(const struct flight *flight, int64_t start)
{
	return flight && flight->state == FLIGHT_FLOWING &&
	       start > reach(flight);
}

bool pull_is_far(struct mirror *mirror, const struct mirror_target *target,
		 const struct digest *digest, int64_t start)
{
	hold_mutex(&mirror->lock);
	return is_far(flight_of_blob(mirror, &target->repository, digest),
		      start);
}

struct flight *pull_detour(struct mirror *mirror,
			   const struct mirror_target *target,
			   const struct digest *digest, int64_t start)
{
	hold_mutex(&mirror->lock);
	struct flight *flight =
		flight_of_blob(mirror, &target->repository, digest);

	if (!is_far(flight, start))
		return NULL;
	struct crew *crew = mirror_crew_of(mirror, flight->plan.upstream);

	if (flight->detours == DETOURS_A_BLOB ||
	    crew->passages >= PASSAGES_SHARED)
		return NULL;
	crew->passages++;
	flight->detours++;
	flight->holders++;
	return flight;
}

static void give_back(struct flight *flight)
{
	struct mirror *mirror = flight->mirror;

	hold_mutex(&mirror->lock);
	mirror_crew_of(mirror, flight->plan.upstream)->passages--;
	flight->detours--;
}

void pull_detour_end(struct flight **flight)
{
	if (!*flight)
		return;
	give_back(*flight);
	flight_leave(flight);
}
