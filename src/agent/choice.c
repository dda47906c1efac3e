#include "agent/choice.h"

#include <string.h>

static bool is_near(const struct candidate *candidate, const char *zone)
{
	return zone && candidate->zone && strcmp(candidate->zone, zone) == 0;
}

/* Above 0: `a` is better. */
static int compare(const struct candidate *a, const struct candidate *b,
		   const char *zone)
{
	if (a->listed != b->listed)
		return a->listed ? 1 : -1;
	if (is_near(a, zone) != is_near(b, zone))
		return is_near(a, zone) ? 1 : -1;
	if (a->weight != b->weight)
		return a->weight > b->weight ? 1 : -1;
	return b->full - a->full;
}

/* Better, or as good and of the lower id; the present one needs no id. */
static bool outdoes(const struct candidate *all, int one, int other,
		    int present, const char *zone)
{
	int better = compare(&all[one], &all[other], zone);

	if (better != 0)
		return better > 0;
	if (one == present || other == present)
		return one == present;
	return strcmp(all[one].id, all[other].id) < 0;
}

/* Nobody is waited for while the present one does not answer. */
static int answers_needed(const struct candidate *candidate, bool is_well)
{
	if (!is_well)
		return 1;
	return candidate->fell ? CHOICE_CALM : CHOICE_SURE;
}

int choose(const struct candidate *all, size_t count, const char *zone,
	   int present)
{
	if (present >= 0 && all[present].leaving)
		present = CHOICE_NONE;
	bool is_well = present >= 0 && all[present].answers > 0;
	int best = is_well ? present : CHOICE_NONE;

	for (int i = 0; i < (int)count; i++)
		if (i != present &&
		    all[i].answers >= answers_needed(&all[i], is_well) &&
		    !all[i].leaving &&
		    (best < 0 || outdoes(all, i, best, present, zone)))
			best = i;
	if (best >= 0 || present < 0)
		return best;
	if (all[present].leased || all[present].failures < CHOICE_GONE)
		return present;
	return CHOICE_NONE;
}
