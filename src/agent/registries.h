/*
 * agent/registries.h: the registries that this host knows of, and how they
 * answer.
 */
#pragma once
#include "agent/agent.h"
#include "agent/choice.h"
#include "cluster/cluster.h"

struct registries;

/*
 * With a canary (an image; null: none) only who has brought it has answered:
 * once, and again after CHOICE_GONE probes in a row that failed.
 */
struct registries *registries_open(const char *canary);
void registries_close(struct registries **);
DEFINE_AUTO(registries, registries_close)

/* One that nobody lists, by its URL. ERR_USAGE: its CA is none. */
int registries_add(struct registries *, const struct agent_target *,
		   struct err *) may_wait must_check;
/*
 * LISTED_IN_ETCD: each says who it is, and is soon listed no more when it dies,
 * if its key hangs on a lease.
 */
enum listed { LISTED_IN_ETCD, LISTED_BY_NAME };
/*
 * One that nobody lists, as it was listed once; its position. One that had only
 * a name then need not say who it is.
 */
int registries_remember(struct registries *, const struct record *, enum listed)
	may_wait;
/* Those that are listed are these, from now on. */
void registries_list(struct registries *, const struct cluster_view *,
		     enum listed) may_wait;
/* No position is meant by what was said before but `*present`, which follows.
 */
void registries_tidy(struct registries *, int *present);

/* It was left because it did not answer. */
void registries_fell(struct registries *, int position);

/*
 * Asks each of them once, all at the same time: a second at most, and one more
 * for a hub that has not answered yet. Until it has, no target names it. A
 * canary takes as long as it takes.
 */
void registries_probe(struct registries *) may_wait;

const struct candidate *registries_all(const struct registries *,
				       size_t *count_out);
/* Lives until it is listed or tidied away. */
const struct agent_target *registries_target(const struct registries *, int);
/* What it was listed with, as record_print writes it; "": it never was. */
struct span registries_record(const struct registries *, int);
/* Why it is not to be used: it did not answer, or is leaving. */
const char *registries_why(const struct registries *, int);
