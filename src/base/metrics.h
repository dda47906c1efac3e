/*
 * base/metrics.h: counters and gauges, one row each in metrics.def.
 *
 * Adding is one relaxed atomic add on the calling thread's own shard: cheap
 * enough for every request, and safe everywhere.
 */
#pragma once
#include <stdint.h>

#include "base/buf.h"

enum metric {
#define METRIC(id, kind, name, labels, help) id,
#include "base/metrics.def"
	METRIC_COUNT
};

void metric_add(enum metric, int64_t amount);
int64_t metric_read(enum metric);

/*
 * Rows of METRIC_EACH, once for each of a few upstreams. A counter is added to,
 * a gauge is put.
 */
enum metric_each {
#define METRIC_EACH(id, kind, name, help) id,
#include "base/metrics.def"
	EACH_COUNT
};

struct metric_owner;

/* Found by its name, or made; it stays to the end of the process. */
struct metric_owner *metric_owner(const char *name);
void metric_add_for(struct metric_owner *, enum metric_each, int64_t amount);
void metric_put_for(struct metric_owner *, enum metric_each, int64_t value);
int64_t metric_read_for(const struct metric_owner *, enum metric_each);

/* All rows in the Prometheus text format, names prefixed private_registry_. */
void metrics_print(struct buf *);
