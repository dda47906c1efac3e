/*
 * http/lane.h: connections that wait for a worker, and the work that is done
 * on them there. A queued connection belongs to whoever takes it out.
 */
#pragma once
#include <stdint.h>

#include "http/http.h"

struct connection;
struct lane;

/*
 * Beside those of http.h: reads what is not in the page cache. Behind these
 * come the lanes that are apart, of the first of the others, the second, …
 */
enum { LANE_WARM = LANE_COUNT, LANES };

/* Where the lane is of whoever waits for `whom`; see respond_later. */
static inline unsigned lane_place(enum http_lane lane, unsigned whom)
{
	return whom == 0 || lane >= LANES_APART ?
		       lane :
		       LANES + (whom - 1) * LANES_APART + lane;
}

/* And which kind of lane is there. */
static inline unsigned lane_kind(unsigned place)
{
	return place < LANES ? place : (place - LANES) % LANES_APART;
}

/* At most `limit` threads run `work`, which gives the connection back. */
struct lane *lane_open(const char *name, unsigned limit,
		       void (*work)(struct connection *));
/* Waits until everything that was put in has been worked on. */
void lane_close(struct lane **) may_wait;

/* Another limit; see pool_limit. */
void lane_limit(struct lane *, unsigned limit);

/* Never waits. Nothing of the connection may be touched after this. */
void lane_put(struct lane *, struct connection *, int64_t due_ms);

/* When the first in the queue has waited for too long; INT64_MAX: nobody. */
int64_t lane_due(const struct lane *);
/* One that has waited for too long, now the caller's; or null. */
struct connection *lane_take_late(struct lane *, int64_t now_ms);
