/*
 * cluster/told.h: which trouble was told last, so that each is told once. Pure.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* All zero: nothing was. */
struct told {
	enum err_kind kind;
	int sys;
	int64_t at_ms;
};

/*
 * Is `why` worth telling at `now_ms`? Not if it is of the kind that was told
 * last, nor within 10 s of that: reasons may take turns. What is worth it
 * counts as told.
 */
bool told_is_news(struct told *, const struct err *why, int64_t now_ms);
