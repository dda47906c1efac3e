/*
 * base/clock.h: two clocks. Durations and deadlines use the steady one; the
 * wall clock is for people, for certificates and for what must survive a
 * restart, and may jump.
 */
#pragma once
#include <stdint.h>

int64_t clock_ms(void);	    /* steady, milliseconds */
int64_t clock_us(void);	    /* steady, microseconds */
int64_t clock_wall_s(void); /* seconds since 1970 */

/* "2026-01-31T23:59:59.123Z" */
struct clock_text {
	char s[32];
};
struct clock_text clock_wall_text(void);
/* Of seconds since 1970: "2026-01-31T23:59:59Z"; "?": no calendar has them. */
struct clock_text clock_text_of(int64_t wall_s);
