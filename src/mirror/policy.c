/*
 * One place decides, before anything is looked up: so what the policy
 * withholds is as if it were not there, whether it is cached or not.
 */
#include "mirror/policy.h"

#include "base/glob.h"

bool patterns_hold(const struct mirror_patterns *patterns, struct span text)
{
	for (size_t i = 0; i < patterns->count; i++)
		if (glob_match(span_of(patterns->at[i]), text))
			return true;
	return false;
}

bool policy_allows(const struct mirror_upstream_rules *rules,
		   const struct name *name)
{
	struct span text = span_of(name->s);

	return (rules->allow.count == 0 ||
		patterns_hold(&rules->allow, text)) &&
	       !patterns_hold(&rules->deny, text);
}
