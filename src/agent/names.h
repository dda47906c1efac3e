/*
 * agent/names.h: registries that DNS names, as etcd would list them.
 */
#pragma once
#include "agent/agent.h"
#include "cluster/cluster.h"

/* None of them says who it is: what stands for the id of each. */
#define NAMES_ID "srv"

/* As it is now. ERR_UNAVAILABLE: whoever knows cannot be asked. */
int names_look(const struct agent_source *, struct cluster_view **out,
	       struct err *) may_wait must_check;

struct names_options {
	const struct agent_source *source;
	/* As of struct cluster_watch_options. */
	void (*changed)(struct cluster_view *, void *arg);
	void (*trouble)(const struct err *, void *arg);
	void *arg;
};

struct names;

/* Starts a thread, which asks every few seconds. */
struct names *names_open(const struct names_options *);
/* When it returns nothing is called any more; some 10 s at most. */
void names_close(struct names **) may_wait;
