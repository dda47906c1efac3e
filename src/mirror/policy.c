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

static bool is_reader(const struct mirror_upstream_rules *rules,
		      const struct mirror_asker *asker)
{
	for (size_t i = 0; asker && i < rules->reader_count; i++)
		if (asker->is(asker->arg, &rules->readers[i]))
			return true;
	return !asker || rules->reader_count == 0;
}

static bool is_mirrored(const struct mirror_upstream_rules *rules,
			struct span name)
{
	return (rules->allow.count == 0 ||
		patterns_hold(&rules->allow, name)) &&
	       !patterns_hold(&rules->deny, name);
}

int policy_allows(const struct mirror_upstream_rules *rules,
		  const struct mirror_asker *asker, const char *upstream,
		  const struct name *name, struct err *e)
{
	if (!is_reader(rules, asker))
		return err_set(
			e, ERR_NAME_UNKNOWN,
			"what is mirrored of %s is for its readers alone",
			upstream);
	if (name && !is_mirrored(rules, span_of(name->s)))
		return err_set(e, ERR_NAME_UNKNOWN,
			       "%s of %s is not mirrored here", name->s,
			       upstream);
	return 0;
}
