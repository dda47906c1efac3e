/*
 * mirror/policy.h: what of an upstream may be had here. Pure.
 */
#pragma once
#include "mirror/mirror.h"

bool patterns_hold(const struct mirror_patterns *, struct span text);

/* Whether the repository of that name there is mirrored at all. */
bool policy_allows(const struct mirror_upstream_rules *, const struct name *);
