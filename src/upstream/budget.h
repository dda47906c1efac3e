/*
 * upstream/budget.h: how much another registry will still answer, as it says
 * itself: "ratelimit-limit: 100;w=21600", "ratelimit-remaining: 76;w=21600"
 * (Docker Hub), "Retry-After" (RFC 9110, 10.2.3). Pure values.
 */
#pragma once
#include "base/attr.h"
#include "base/span.h"

struct budget_part {
	int64_t count;	  /* requests, at most a million */
	int64_t window_s; /* in so many seconds, at most a day; 0: not said */
};

/* False if it is malformed; of several the first counts. */
bool budget_parse(struct span header, struct budget_part *out);

/*
 * Seconds or a date, as milliseconds from `wall_s` on, at most six hours; -1
 * if it is neither. A number as large as a date is one, in seconds since 1970.
 */
int64_t budget_retry_ms(struct span header, int64_t wall_s);

/* What was heard last; zeros: nothing. */
struct budget {
	int64_t limit; /* 0: not known */
	int64_t remaining;
	int64_t window_s;
	int64_t heard_ms; /* clock_ms */
};

/* Takes both headers of one answer; SPAN_NONE where it has none. */
void budget_hear(struct budget *, struct span limit, struct span remaining,
		 int64_t now_ms);

/* How many are left now: all, once the window has passed. -1: not known. */
int64_t budget_left(const struct budget *, int64_t now_ms);

/*
 * How long something is to be believed that is believed for `ms` as long as
 * there is enough: below half of the budget limit / (left + 1) times as long.
 */
int64_t budget_stretch(const struct budget *, int64_t ms, int64_t now_ms);
