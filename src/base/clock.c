/*
 * clock_gettime, in the units that we count in.
 */
#include "base/clock.h"

#include <time.h>

static struct timespec clock_read(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return now;
}

int64_t clock_us(void)
{
	struct timespec now = clock_read(CLOCK_MONOTONIC);

	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_ms(void)
{
	return clock_us() / 1000;
}

int64_t clock_wall_s(void)
{
	return clock_read(CLOCK_REALTIME).tv_sec;
}

struct clock_text clock_text_of(int64_t wall_s)
{
	struct clock_text text = { "?" };
	time_t time = wall_s;
	struct tm tm;

	if (gmtime_r(&time, &tm))
		strftime(text.s, sizeof(text.s), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return text;
}

/* The calendar is asked once a second; it has a lock that all threads share. */
struct clock_text clock_wall_text(void)
{
	static _Thread_local struct clock_text text;
	static _Thread_local time_t made;
	struct timespec now = clock_read(CLOCK_REALTIME);
	char *millis = text.s + sizeof("2026-01-31T23:59:59.") - 1;

	if (now.tv_sec != made) {
		struct tm tm;

		gmtime_r(&now.tv_sec, &tm);
		strftime(text.s, sizeof(text.s), "%Y-%m-%dT%H:%M:%S.000Z", &tm);
		made = now.tv_sec;
	}
	for (long left = now.tv_nsec / 1000000, i = 2; i >= 0; i--, left /= 10)
		millis[i] = (char)('0' + left % 10);
	return text;
}
