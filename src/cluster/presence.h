/*
 * cluster/presence.h: a key in etcd that is there as long as this process is
 * well. Part of cluster/cluster.h.
 *
 * It hangs on a lease, so that it goes with whoever does not renew it. Four
 * times a lease its owner is asked what to say, and the key is put if it is
 * not there, or says something else: whatever etcd lost, or somebody deleted,
 * is back within a third of the lease. A key that another process has put
 * meanwhile is left to that one. When etcd does not answer, the log says so
 * once, and once when it does again.
 */
#pragma once
#include "base/buf.h"
#include "cluster/options.h"

struct presence;

struct presence_options {
	const struct cluster_options *etcd;
	const char *key; /* behind the prefix, "registries/0123abcd" */
	int64_t lease_s; /* seconds, at least 2 */
	/*
	 * Adds what to say. -1, and why: there is nothing to say, and the key
	 * goes at once. On a thread of its own.
	 */
	int (*describe)(void *arg, struct buf *out, struct err *);
	void *arg;
};

/* Starts a thread. ERR_USAGE if a file cannot be read. */
int presence_open(const struct presence_options *, struct presence **out,
		  struct err *) may_wait must_check;
/* The key goes, if etcd answers within 2 s. */
void presence_close(struct presence **) may_wait;
