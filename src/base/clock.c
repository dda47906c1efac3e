/*
 * clock_gettime, in the units that we count in.
 */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
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

struct clock_text clock_wall_text(void)
{
	struct timespec now = clock_read(CLOCK_REALTIME);
	struct clock_text text;
	struct tm tm;

	gmtime_r(&now.tv_sec, &tm);
	strftime(text.s, sizeof(text.s), "%Y-%m-%dT%H:%M:%S", &tm);

	size_t len = strlen(text.s);
	snprintf(text.s + len, sizeof(text.s) - len, ".%03dZ",
		 (int)(now.tv_nsec / 1000000));
	return text;
}
