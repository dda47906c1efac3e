/*
 * agent/fleet.h: what the cluster knows of this host, as long as its agent
 * runs: a key in etcd that is `private-registry hosts`' to read.
 */
#pragma once
#include "agent/inside.h"
#include "cluster/cluster.h"

struct fleet;

/*
 * Of a source with etcd, name and lease. Starts a thread, which asks engines
 * for their versions. ERR_USAGE. Agent and source outlive it.
 */
int fleet_open(const struct agent *, const struct agent_source *,
	       struct fleet **out, struct err *) may_wait must_check;
/* The key goes, if etcd answers within 2 s. */
void fleet_close(struct fleet **) may_wait;

/* From now on: the registry (null: none), why, and what became of it here. */
void fleet_tell(struct fleet *, const char *registry, const char *why,
		const struct agent_report *);
