/*
 * Promises of base/thread.h and base/clock.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"
#include "base/thread.h"

struct shared {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done;
	bool signals_blocked;
	char name[16];
};

static void run(void *arg)
{
	struct shared *shared = arg;
	sigset_t blocked;

	pthread_sigmask(SIG_BLOCK, NULL, &blocked);
	hold_mutex(&shared->lock);
	shared->signals_blocked = sigismember(&blocked, SIGTERM) &&
				  sigismember(&blocked, SIGINT);
	pthread_getname_np(pthread_self(), shared->name, sizeof(shared->name));
	shared->done = true;
	pthread_cond_signal(&shared->changed);
}

static void a_thread_runs_by_its_name_without_signals(void **state)
{
	struct shared shared = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct thread thread;
	sigset_t mine;

	(void)state;
	cond_open(&shared.changed);
	thread_start(&thread, "a-name-that-is-too-long", run, &shared);
	pthread_mutex_lock(&shared.lock);
	while (!shared.done)
		assert_true(cond_wait_until(&shared.changed, &shared.lock,
					    clock_ms() + 10000));
	pthread_mutex_unlock(&shared.lock);
	thread_join(&thread);
	assert_true(shared.signals_blocked);
	assert_string_equal(shared.name, "a-name-that-is-");

	pthread_sigmask(SIG_BLOCK, NULL, &mine);
	assert_false(sigismember(&mine, SIGTERM));
	pthread_cond_destroy(&shared.changed);
}

static void a_wait_ends_at_its_deadline(void **state)
{
	struct shared shared = { .lock = PTHREAD_MUTEX_INITIALIZER };
	int64_t deadline = clock_ms() + 20;

	(void)state;
	cond_open(&shared.changed);
	pthread_mutex_lock(&shared.lock);
	while (cond_wait_until(&shared.changed, &shared.lock, deadline))
		;
	assert_true(clock_ms() >= deadline);
	assert_false(cond_wait_until(&shared.changed, &shared.lock, -5));
	pthread_mutex_unlock(&shared.lock);
	pthread_cond_destroy(&shared.changed);
}

/* How a child that does `what` ends: its signal, or 0. */
static int signal_of(void (*what)(void))
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		if (!freopen("/dev/null", "w", stderr))
			_exit(1);
		signal(SIGABRT, SIG_DFL);
		what();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void wait_as_anyone(void)
{
	thread_may_wait("test");
}

static void wait_as_server(void)
{
	thread_serves();
	thread_may_wait("test");
}

static void a_thread_that_serves_may_never_wait(void **state)
{
	(void)state;
	assert_int_equal(signal_of(wait_as_anyone), 0);
	assert_int_equal(signal_of(wait_as_server), SIGABRT);
}

static void the_steady_clock_never_goes_back(void **state)
{
	int64_t last = clock_us();

	(void)state;
	for (int i = 0; i < 10000; i++) {
		int64_t now = clock_us();

		assert_true(now >= last);
		last = now;
	}
	assert_true(clock_ms() - last / 1000 < 1000);
}

static void the_wall_clock_reads_as_utc(void **state)
{
	int64_t before = clock_wall_s();
	struct clock_text text = clock_wall_text();
	struct tm tm = { 0 };
	const char *rest = strptime(text.s, "%Y-%m-%dT%H:%M:%S", &tm);

	(void)state;
	assert_non_null(rest);
	assert_int_equal(strlen(rest), strlen(".123Z"));
	assert_int_equal(rest[4], 'Z');
	assert_in_range(timegm(&tm), before, clock_wall_s());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thread_runs_by_its_name_without_signals),
		cmocka_unit_test(a_wait_ends_at_its_deadline),
		cmocka_unit_test(a_thread_that_serves_may_never_wait),
		cmocka_unit_test(the_steady_clock_never_goes_back),
		cmocka_unit_test(the_wall_clock_reads_as_utc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
