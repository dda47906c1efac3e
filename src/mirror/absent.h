/*
 * mirror/absent.h: what an upstream has just said that it does not have (404),
 * by canonical name. A push is never looked up here: it makes the name local.
 */
#pragma once
#include "mirror/flight.h"

struct absent;

struct absent *absent_open(void);
void absent_close(struct absent **);

/* Upstream has said it. The oldest of what is remembered makes room. */
void absent_note(struct absent *, const struct flight_plan *);

/* Has it said so less than `lifetime_ms` ago? Never waits. */
bool absent_recall(struct absent *, const struct flight_plan *,
		   int64_t lifetime_ms);
