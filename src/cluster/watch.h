/*
 * cluster/watch.h: which registries there are, from now on. Part of
 * cluster/cluster.h.
 *
 * What is told is always the whole, as etcd had it at one moment. While etcd
 * cannot be asked nothing is told, but that it is so: who knew of registries
 * before knows as much as before.
 */
#pragma once
#include "cluster/options.h"
#include "cluster/record.h"

enum { CLUSTER_REGISTRIES = 256 }; /* of a view; what is above is left out */

/* What stands under a key, and is no record. */
struct cluster_refusal {
	const char *key; /* behind <prefix>registries/; printable ASCII */
	const char *why;
};

/* Everything in it ends with it. */
struct cluster_view {
	struct arena *arena;
	const struct record
		*registries; /* by id, each of which is there once */
	size_t registry_count;
	const struct cluster_refusal *refusals;
	size_t refusal_count;
};
void cluster_view_close(struct cluster_view **);
DEFINE_AUTO(cluster_view, cluster_view_close)

/* As it is now; errors are those of cluster/etcd.h. */
int cluster_look(const struct cluster_options *, struct cluster_view **out,
		 struct err *) may_wait must_check;

struct cluster_watch_options {
	const struct cluster_options *etcd;
	/*
	 * Called on a thread of its own, one at a time. `changed`: at first,
	 * and when something is not as it was; it owns the view, which may be
	 * empty. `trouble`: etcd cannot be asked any more, or for another
	 * reason than before; null: it can again.
	 */
	void (*changed)(struct cluster_view *, void *arg);
	void (*trouble)(const struct err *, void *arg);
	void *arg;
};

struct cluster_watch;

/* Starts two threads. ERR_USAGE if a file cannot be read. */
int cluster_watch_open(const struct cluster_watch_options *,
		       struct cluster_watch **out, struct err *)
	may_wait must_check;
/* When it returns nothing is called any more. */
void cluster_watch_close(struct cluster_watch **) may_wait;
