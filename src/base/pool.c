/*
 * A list of jobs and a count of threads, both under one lock. A thread that
 * finds no job for ten seconds leaves; whoever brings a job starts a thread
 * when all of them are at work. Nobody joins a thread: pool_close waits for
 * the count to reach zero.
 */
#include "base/pool.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"

enum { IDLE_MS = 10000 };

struct job {
	struct job *next;
	void (*run)(void *);
	void *arg;
};

struct pool {
	const char *name;
	unsigned limit;
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t changed;
	struct job *first;
	struct job **last;
	unsigned queued;
	unsigned threads;
	unsigned idle;
	bool closing;
};

static struct job *take(struct pool *pool)
{
	struct job *job = pool->first;

	if (!job)
		return NULL;
	pool->first = job->next;
	if (!pool->first)
		pool->last = &pool->first;
	pool->queued--;
	return job;
}

struct worker {
	struct thread thread;
	struct pool *pool;
};

/*
 * The next job, or null when there was none for long enough; the last thread
 * waits for ever. Locked.
 */
static struct job *wait_for_job(struct pool *pool)
{
	int64_t deadline = clock_ms() + IDLE_MS;
	bool waiting = true;

	if (pool->threads > pool->limit)
		return NULL;
	pool->idle++;
	while (!pool->first && !pool->closing &&
	       (waiting || pool->threads == 1))
		waiting = cond_wait_until(&pool->changed, &pool->lock,
					  pool->threads == 1 ? INT64_MAX :
							       deadline);
	pool->idle--;
	return take(pool);
}

static void work(void *arg)
{
	auto_free struct worker *worker = arg;
	struct pool *pool = worker->pool;
	struct job *job;

	pthread_detach(pthread_self());
	pthread_mutex_lock(&pool->lock);
	while ((job = wait_for_job(pool))) {
		pthread_mutex_unlock(&pool->lock);
		job->run(job->arg);
		free(job);
		pthread_mutex_lock(&pool->lock);
	}
	pool->threads--;
	pthread_cond_broadcast(&pool->changed);
	pthread_mutex_unlock(&pool->lock);
}

static struct worker *worker_new(struct pool *pool)
{
	struct worker *worker = mem_alloc(sizeof(*worker));

	worker->pool = pool;
	pool->threads++;
	return worker;
}

/* If the system has no thread left, the job waits for one of ours. */
static bool add_thread(struct pool *pool)
{
	struct worker *worker = worker_new(pool);

	if (thread_try(&worker->thread, pool->name, work, worker))
		return true;
	pool->threads--;
	free(worker);
	return false;
}

static struct pool *pool_make(const char *name, unsigned limit)
{
	struct pool *pool = mem_alloc(sizeof(*pool));

	pool->name = name;
	pool->limit = limit;
	pool->last = &pool->first;
	pthread_mutex_init(&pool->lock, NULL);
	cond_open(&pool->changed);
	return pool;
}

struct pool *pool_open(const char *name, unsigned limit)
{
	struct pool *pool = pool_make(name, limit);
	struct worker *first = worker_new(pool);

	thread_start(&first->thread, name, work, first);
	return pool;
}

struct pool *pool_try(const char *name, unsigned limit)
{
	struct pool *pool = pool_make(name, limit);

	pthread_mutex_lock(&pool->lock);
	bool started = add_thread(pool);
	pthread_mutex_unlock(&pool->lock);
	if (!started)
		pool_close(&pool);
	return pool;
}

void pool_limit(struct pool *pool, unsigned limit)
{
	hold_mutex(&pool->lock);
	pool->limit = limit;
	for (unsigned i = pool->queued; i > 0 && pool->threads < limit; i--)
		add_thread(pool);
}

void pool_run(struct pool *pool, void (*run)(void *), void *arg)
{
	struct job *job = mem_alloc(sizeof(*job));

	job->run = run;
	job->arg = arg;
	hold_mutex(&pool->lock);
	*pool->last = job;
	pool->last = &job->next;
	pool->queued++;
	if (pool->queued > pool->idle && pool->threads < pool->limit)
		add_thread(pool);
	pthread_cond_signal(&pool->changed);
}

void pool_close(struct pool **owned)
{
	struct pool *pool = steal_ptr(owned);

	thread_may_wait("pool_close");
	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->closing = true;
	pthread_cond_broadcast(&pool->changed);
	while (pool->threads > 0)
		pthread_cond_wait(&pool->changed, &pool->lock);
	pthread_mutex_unlock(&pool->lock);
	pthread_cond_destroy(&pool->changed);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}
