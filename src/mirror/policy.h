/*
 * mirror/policy.h: what of an upstream may be had here. Pure.
 */
#pragma once
#include "mirror/mirror.h"

bool patterns_hold(const struct mirror_patterns *, struct span text);

/*
 * May `asker` have that repository of that upstream, or (null) be told which
 * ones there are? ERR_NAME_UNKNOWN: to him it is as if it were not there.
 */
int policy_allows(const struct mirror_upstream_rules *,
		  const struct mirror_asker *, const char *upstream,
		  const struct name *, struct err *) must_check;
