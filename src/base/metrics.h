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
#undef METRIC
	METRIC_COUNT
};

void metric_add(enum metric, int64_t amount);
int64_t metric_read(enum metric);

/* All rows in the Prometheus text format, names prefixed private_registry_. */
void metrics_print(struct buf *);
