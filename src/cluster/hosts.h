/*
 * cluster/hosts.h: which hosts have an agent at work. Part of
 * cluster/cluster.h.
 */
#pragma once
#include "cluster/host.h"
#include "cluster/options.h"
#include "cluster/watch.h"

enum { HOSTS_MOST = 1000 };

/* Everything is in the arena that was given. */
struct cluster_hosts {
	const struct host_record *at; /* by name, each of which is there once */
	size_t count;
	const struct cluster_refusal *refusals; /* keys behind <prefix>hosts/ */
	size_t refusal_count;
	bool more; /* than HOSTS_MOST: they were left out */
};

/* As etcd has them at one moment; errors are those of cluster/etcd.h. */
int cluster_hosts(const struct cluster_options *, struct arena *,
		  struct cluster_hosts *out, struct err *) may_wait must_check;
