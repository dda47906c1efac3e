/*
 * cluster/presence.h: a key in etcd that is there as long as this process is
 * well. Part of cluster/cluster.h.
 *
 * It hangs on a lease, so that it goes with whoever does not renew it. Four
 * times a lease its owner is asked what to say, and the key is put if it is
 * not there, or says something else: whatever etcd lost, or somebody deleted,
 * is back within a third of the lease. A key that another process has put
 * meanwhile is left to that one.
 *
 * Who follows the key hears that it goes: for some seconds it has last words.
 * The log tells each change once, and when there is another reason for it.
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
	 * goes, unless that has passed at the next look, 3 s later at least.
	 * On a thread of its own, like the next one.
	 */
	int (*describe)(void *arg, struct buf *out, struct err *);
	/* Adds the last words; null, or nothing added: the key just goes. */
	void (*part)(void *arg, struct buf *out);
	void *arg;
};

/* Starts a thread. ERR_USAGE if a file cannot be read. */
int presence_open(const struct presence_options *, struct presence **out,
		  struct err *) may_wait must_check;
/* What there is to say has changed: it is asked for now. From any thread. */
void presence_say(struct presence *);
/* The key goes, with its last words, if etcd answers within 2 s. */
void presence_close(struct presence **) may_wait;
