/*
 * One clause that keeps is enough; of times after which something goes, the
 * longest counts, which is the same.
 */
#include "oci/keep.h"

#include "base/glob.h"

#define DAY INT64_C(86400000) /* ms */
#define ATTACHED_LEN 71	      /* of "sha256-" and 64 digits */

void keep_choose(const struct keep_rule *rules, size_t count,
		 const struct name *name, struct keep_rules *out)
{
	out->count = 0;
	for (size_t i = 0; i < count; i++)
		if (glob_match(span_of(rules[i].repositories),
			       span_of(name->s)))
			out->at[out->count++] = &rules[i];
}

/* "41 days", "3 hours", "20 seconds" */
static void age_print(int64_t ms, struct buf *out)
{
	static const struct {
		int64_t ms;
		const char *name;
	} units[] = {
		{ DAY, "day" },
		{ DAY / 24, "hour" },
		{ 60000, "minute" },
		{ 1000, "second" },
	};
	size_t unit = 0;

	while (unit + 1 < array_size(units) && ms < 2 * units[unit].ms)
		unit++;
	long long number = (long long)(ms / units[unit].ms);
	buf_addf(out, "%lld %s%s", number, units[unit].name,
		 number == 1 ? "" : "s");
}

static void rules_print(const struct keep_rules *rules,
			bool (*speaks)(const struct keep_rule *),
			struct buf *out)
{
	const char *before = " (";

	for (size_t i = 0; i < rules->count; i++) {
		if (!speaks(rules->at[i]))
			continue;
		buf_addf(out, "%skeep[%zu]", before, rules->at[i]->number);
		before = ", ";
	}
	buf_addf(out, ")");
}

/* ------------------------------------------------------------------- tags */

static bool is_about_tags(const struct keep_rule *rule)
{
	return rule->last || rule->tags[0] || rule->pushed_within ||
	       rule->pulled_within;
}

bool keep_judges_tags(const struct keep_rules *rules)
{
	for (size_t i = 0; i < rules->count; i++)
		if (is_about_tags(rules->at[i]))
			return true;
	return false;
}

int64_t keep_last(const struct keep_rules *rules)
{
	int64_t last = 0;

	for (size_t i = 0; i < rules->count; i++)
		if (rules->at[i]->last > last)
			last = rules->at[i]->last;
	return last;
}

static bool rule_keeps(const struct keep_rule *rule, const struct keep_tag *tag)
{
	return (rule->tags[0] &&
		glob_match(span_of(rule->tags), span_of(tag->name))) ||
	       (rule->pushed_within &&
		tag->pushed_ago <= rule->pushed_within) ||
	       (rule->pulled_within && tag->used_ago <= rule->pulled_within);
}

bool keep_tag_stays(const struct keep_rules *rules, const struct keep_tag *tag)
{
	if (!keep_judges_tags(rules) || (keep_last(rules) && tag->is_recent))
		return true;
	for (size_t i = 0; i < rules->count; i++)
		if (rule_keeps(rules->at[i], tag))
			return true;
	return false;
}

void keep_tag_why(const struct keep_rules *rules, const struct keep_tag *tag,
		  struct buf *out)
{
	if (keep_last(rules))
		buf_addf(out, "not of the last %lld, ",
			 (long long)keep_last(rules));
	buf_addf(out, "pushed ");
	age_print(tag->pushed_ago, out);
	buf_addf(out, " ago, used ");
	age_print(tag->used_ago, out);
	buf_addf(out, " ago");
	rules_print(rules, is_about_tags, out);
}

bool keep_is_attached(const char *tag, struct digest *subject_out)
{
	char text[ATTACHED_LEN + 1];
	struct err ignored;

	if (!span_starts(span_of(tag), "sha256-") ||
	    strlen(tag) < ATTACHED_LEN ||
	    (tag[ATTACHED_LEN] && tag[ATTACHED_LEN] != '.'))
		return false;
	span_copy(span_make(tag, ATTACHED_LEN), text, sizeof(text));
	text[strlen("sha256")] = ':';
	return digest_parse(span_of(text), subject_out, &ignored) == 0;
}

/* -------------------------------------------------------------- manifests */

static bool is_about_untagged(const struct keep_rule *rule)
{
	return rule->untagged_after;
}

static bool is_about_orphans(const struct keep_rule *rule)
{
	return rule->untagged_after && rule->orphans;
}

bool keep_judges_manifests(const struct keep_rules *rules)
{
	for (size_t i = 0; i < rules->count; i++)
		if (is_about_untagged(rules->at[i]))
			return true;
	return false;
}

bool keep_manifest_stays(const struct keep_rules *rules,
			 const struct keep_manifest *manifest)
{
	bool (*speaks)(const struct keep_rule *) =
		manifest->is_orphan ? is_about_orphans : is_about_untagged;
	bool any = false;

	for (size_t i = 0; i < rules->count; i++) {
		const struct keep_rule *rule = rules->at[i];

		if (!speaks(rule))
			continue;
		any = true;
		if (manifest->idle_for < rule->untagged_after)
			return true;
	}
	return !any;
}

void keep_manifest_why(const struct keep_rules *rules,
		       const struct keep_manifest *manifest, struct buf *out)
{
	buf_addf(out, "%s for ",
		 manifest->is_orphan ? "its subject is not here, and unused" :
				       "untagged and unused");
	age_print(manifest->idle_for, out);
	rules_print(rules,
		    manifest->is_orphan ? is_about_orphans : is_about_untagged,
		    out);
}
