/*
 * Each thread adds to one of a few shards, cache lines apart, so that cores
 * do not pull one line to and fro. A reading is the sum of the shards.
 */
#include "base/metrics.h"

#include <inttypes.h>
#include <stdalign.h>
#include <stdatomic.h>

#include "base/attr.h"
#include "base/mem.h"
#include "base/thread.h"

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
};

static struct shard shards[SHARDS];

struct owner_shard {
	alignas(CACHE_LINE) _Atomic int64_t value[EACH_COUNT];
};

struct metric_owner {
	struct owner_shard shards[SHARDS]; /* of a gauge only the first */
	struct metric_owner *next;
	char *name;
};

static const struct row each_rows[EACH_COUNT] = {
#define METRIC_EACH(id, kind, name, help) [id] = { kind, name, "", help },
#include "base/metrics.def"
};

static pthread_mutex_t owners_lock = PTHREAD_MUTEX_INITIALIZER;
static struct metric_owner *owners; /* guarded; none ever goes */

static unsigned shard_mine(void)
{
	static atomic_uint threads;
	static _Thread_local unsigned mine; /* plus 1 */

	if (!mine)
		mine = threads++ % SHARDS + 1;
	return mine - 1;
}

void metric_add(enum metric metric, int64_t amount)
{
	atomic_fetch_add_explicit(&shards[shard_mine()].value[metric], amount,
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

/* ------------------------------------------------------- each upstream */

static struct metric_owner *owner_make(const char *name)
{
	struct metric_owner *owner =
		aligned_alloc(CACHE_LINE, sizeof(struct metric_owner));

	if (!owner)
		abort(); /* out of memory */
	memset(owner, 0, sizeof(*owner));
	owner->name = mem_text(name);
	return owner;
}

struct metric_owner *metric_owner(const char *name)
{
	hold_mutex(&owners_lock);
	struct metric_owner **at = &owners;

	while (*at && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	if (!*at)
		*at = owner_make(name);
	return *at;
}

void metric_add_for(struct metric_owner *owner, enum metric_each metric,
		    int64_t amount)
{
	atomic_fetch_add_explicit(&owner->shards[shard_mine()].value[metric],
				  amount, memory_order_relaxed);
}

void metric_put_for(struct metric_owner *owner, enum metric_each metric,
		    int64_t value)
{
	atomic_store_explicit(&owner->shards[0].value[metric], value,
			      memory_order_relaxed);
}

int64_t metric_read_for(const struct metric_owner *owner,
			enum metric_each metric)
{
	int64_t sum = 0;

	for (size_t i = 0; i < SHARDS; i++)
		sum += atomic_load_explicit(&owner->shards[i].value[metric],
					    memory_order_relaxed);
	return sum;
}

/* --------------------------------------------------------------- printing */

static void head_print(struct buf *out, const struct row *row)
{
	buf_addf(out, "# HELP private_registry_%s %s\n", row->name, row->help);
	buf_addf(out, "# TYPE private_registry_%s %s\n", row->name, row->kind);
}

static void each_print(struct buf *out)
{
	hold_mutex(&owners_lock);
	for (size_t i = 0; owners && i < EACH_COUNT; i++) {
		head_print(out, &each_rows[i]);
		for (struct metric_owner *owner = owners; owner;
		     owner = owner->next)
			buf_addf(out,
				 "private_registry_%s{upstream=\"%s\"} "
				 "%" PRId64 "\n",
				 each_rows[i].name, owner->name,
				 metric_read_for(owner, (enum metric_each)i));
	}
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
	each_print(out);
}
