/*
 * Each thread adds to one of a few shards, cache lines apart, so that cores
 * do not pull one line to and fro. A reading is the sum of the shards.
 */
#include "base/metrics.h"

#include <inttypes.h>
#include <stdalign.h>
#include <stdatomic.h>

#include "base/attr.h"

#define SHARDS 16
#define CACHE_LINE 64

struct shard {
	alignas(CACHE_LINE) _Atomic int64_t value[METRIC_COUNT];
};

struct row {
	const char *kind;
	const char *name;
	const char *labels;
	const char *help;
};

static const struct row rows[METRIC_COUNT] = {
#define METRIC(id, kind, name, labels, help) \
	[id] = { kind, name, labels, help },
#include "base/metrics.def"
#undef METRIC
};

static struct shard shards[SHARDS];

static struct shard *shard_mine(void)
{
	static atomic_uint threads;
	static _Thread_local struct shard *mine;

	if (!mine)
		mine = &shards[threads++ % SHARDS];
	return mine;
}

void metric_add(enum metric metric, int64_t amount)
{
	atomic_fetch_add_explicit(&shard_mine()->value[metric], amount,
				  memory_order_relaxed);
}

int64_t metric_read(enum metric metric)
{
	int64_t sum = 0;

	for (size_t i = 0; i < SHARDS; i++)
		sum += atomic_load_explicit(&shards[i].value[metric],
					    memory_order_relaxed);
	return sum;
}

static void head_print(struct buf *out, const struct row *row)
{
	buf_addf(out, "# HELP private_registry_%s %s\n", row->name, row->help);
	buf_addf(out, "# TYPE private_registry_%s %s\n", row->name, row->kind);
}

void metrics_print(struct buf *out)
{
	const char *last = "";

	for (size_t i = 0; i < METRIC_COUNT; i++) {
		const struct row *row = &rows[i];
		const char *labels = row->labels;

		if (!span_is(span_of(row->name), last))
			head_print(out, row);
		last = row->name;
		buf_addf(out, "private_registry_%s", row->name);
		if (labels[0])
			buf_addf(out, "{%s}", labels);
		buf_addf(out, " %" PRId64 "\n", metric_read((enum metric)i));
	}
}
