/*
 * Promises of base/pool.h.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/pool.h"

/* Two jobs that meet: each waits for the other. */
static void meet(void *arg)
{
	pthread_barrier_wait(arg);
}

static void a_higher_limit_is_for_what_waits_already(void **state)
{
	(void)state;
	struct pool *pool = pool_open("test", 1);
	pthread_barrier_t barrier;

	pthread_barrier_init(&barrier, NULL, 2);
	pool_run(pool, meet, &barrier);
	pool_run(pool, meet, &barrier);
	pool_limit(pool, 2);
	pool_close(&pool);
	pthread_barrier_destroy(&barrier);
}

/* Begins with all others, and ends with all others. */
static void meet_twice(void *arg)
{
	pthread_barrier_wait(arg);
	pthread_barrier_wait(arg);
}

static atomic_int running, done;
static atomic_bool crowded;

/* Alone, once every thread beyond the limit has ended. */
static void be_alone(void *arg)
{
	(void)arg;
	if (++running > 1)
		crowded = true;
	sched_yield();
	running--;
	done++;
}

static void a_lower_limit_holds_for_what_comes(void **state)
{
	enum { THREADS = 8, JOBS = 1000 };

	(void)state;
	struct pool *pool = pool_open("test", THREADS);
	pthread_barrier_t barrier;

	/* Threads that are at work see the limit when they are done. */
	pthread_barrier_init(&barrier, NULL, THREADS + 1);
	for (size_t i = 0; i < THREADS; i++)
		pool_run(pool, meet_twice, &barrier);
	pthread_barrier_wait(&barrier);
	pool_limit(pool, 1);
	pthread_barrier_wait(&barrier);
	for (size_t i = 0; i < JOBS; i++)
		pool_run(pool, be_alone, NULL);
	pool_close(&pool);
	pthread_barrier_destroy(&barrier);
	assert_int_equal(done, JOBS);
	assert_false(crowded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_higher_limit_is_for_what_waits_already),
		cmocka_unit_test(a_lower_limit_holds_for_what_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
