/*
 * http/pace.h: how fast a peer takes or gives bytes, counting only the time
 * that we spent waiting for it.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct pace {
	int64_t waited_ms;
	int64_t bytes;
};

/* Under 1 KB/s on average, once that can be told. */
static inline bool pace_is_too_slow(const struct pace *pace, int64_t stall_ms)
{
	return pace->waited_ms > stall_ms && pace->bytes < pace->waited_ms;
}
