#include "agent/inside.h"
#include "agent/names.h"
#include "agent/registries.h"
#include "base/mem.h"

static int view_get(const struct agent_source *source,
		    struct cluster_view **out, struct err *e)
{
	return source->etcd ? cluster_look(source->etcd, out, e) :
			      names_look(source, out, e);
}

/* One lost packet is no reason to give up. */
static int best_of(struct registries *all, const char *zone)
{
	int best = CHOICE_NONE;
	size_t count;

	for (int round = 0; round < CHOICE_GONE && best < 0; round++) {
		registries_probe(all);
		const struct candidate *at = registries_all(all, &count);
		best = choose(at, count, zone, CHOICE_NONE);
	}
	return best;
}

static int say_none(const struct registries *all, struct err *e)
{
	size_t count;

	registries_all(all, &count);
	if (count == 0)
		return err_set(e, ERR_UNAVAILABLE,
			       "no registry is known, nothing was changed");
	return err_set(e, ERR_UNAVAILABLE, "%s: %s; nothing was changed",
		       registries_target(all, 0)->url, registries_why(all, 0));
}

int agent_once(struct agent *agent, const struct agent_source *source,
	       char **url_out, struct agent_report *report, struct err *e)
{
	auto_of(registries) struct registries *all =
		registries_open(source->canary);
	auto_of(cluster_view) struct cluster_view *view = NULL;

	if (view_get(source, &view, e) < 0)
		return err_wrap(e, "nothing was changed");
	registries_list(all, view,
			source->etcd ? LISTED_IN_ETCD : LISTED_BY_NAME);
	int best = best_of(all, source->zone);
	if (best < 0)
		return say_none(all, e);
	const struct agent_target *target = registries_target(all, best);
	if (registry_keep(agent, registries_record(all, best), e) < 0 ||
	    agent_apply(agent, target, report, e) < 0)
		return -1;
	*url_out = mem_text(target->url);
	return 0;
}
