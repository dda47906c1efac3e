/*
 * A queue of connections beside a pool of threads. Each connection brings one
 * job to the pool; a job takes whichever connection is first, or none when
 * that one was taken out because it had waited for too long.
 */
#include "http/lane.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/mem.h"
#include "base/pool.h"
#include "base/thread.h"
#include "http/connection.h"

struct lane {
	struct pool *pool;
	void (*work)(struct connection *);
	pthread_mutex_t lock;	/* guards `queue` */
	struct link queue;	/* the longest waiting first */
	_Atomic int64_t due_ms; /* of the first */
};

struct lane *lane_open(const char *name, unsigned limit,
		       void (*work)(struct connection *))
{
	struct lane *lane = mem_alloc(sizeof(*lane));

	lane->pool = pool_open(name, limit);
	lane->work = work;
	lane->due_ms = INT64_MAX;
	pthread_mutex_init(&lane->lock, NULL);
	list_open(&lane->queue);
	return lane;
}

void lane_close(struct lane **pointer)
{
	struct lane *lane = steal_ptr(pointer);

	pool_close(&lane->pool);
	pthread_mutex_destroy(&lane->lock);
	free(lane);
}

void lane_limit(struct lane *lane, unsigned limit)
{
	pool_limit(lane->pool, limit);
}

static struct connection *first(struct lane *lane)
{
	return container_of(lane->queue.next, struct connection, link);
}

static void note_due(struct lane *lane)
{
	lane->due_ms = list_is_empty(&lane->queue) ? INT64_MAX :
						     first(lane)->due_ms;
}

/* The first, if it was due by `until_ms`. */
static struct connection *take(struct lane *lane, int64_t until_ms)
{
	hold_mutex(&lane->lock);
	if (list_is_empty(&lane->queue) || first(lane)->due_ms > until_ms)
		return NULL;
	struct connection *c = first(lane);
	list_remove(&c->link);
	note_due(lane);
	return c;
}

static void run(void *arg)
{
	struct lane *lane = arg;
	struct connection *c = take(lane, INT64_MAX);

	if (c)
		lane->work(c);
}

void lane_put(struct lane *lane, struct connection *c, int64_t due_ms)
{
	c->due_ms = due_ms;
	pthread_mutex_lock(&lane->lock);
	list_append(&lane->queue, &c->link);
	note_due(lane);
	pthread_mutex_unlock(&lane->lock);
	pool_run(lane->pool, run, lane);
}

int64_t lane_due(const struct lane *lane)
{
	return lane->due_ms;
}

struct connection *lane_take_late(struct lane *lane, int64_t now_ms)
{
	return lane_due(lane) <= now_ms ? take(lane, now_ms) : NULL;
}
