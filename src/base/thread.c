/*
 * Signals are the main thread's: every other thread starts with all of them
 * blocked, from its first instruction on.
 */
#include "base/thread.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define NICER 5 /* a third of a share, where others want it */

static _Thread_local bool serves;

static void *thread_main(void *arg)
{
	struct thread *thread = arg;

	pthread_setname_np(pthread_self(), thread->name);
	thread->run(thread->arg);
	return NULL;
}

bool thread_try(struct thread *thread, const char *name, void (*run)(void *),
		void *arg)
{
	sigset_t all, before;

	thread->run = run;
	thread->arg = arg;
	snprintf(thread->name, sizeof(thread->name), "%s", name);

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int sys = pthread_create(&thread->id, NULL, thread_main, thread);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return sys == 0;
}

void thread_start(struct thread *thread, const char *name, void (*run)(void *),
		  void *arg)
{
	if (thread_try(thread, name, run, arg))
		return;
	fprintf(stderr, "the system has no thread left for %s\n", name);
	abort();
}

void thread_join(struct thread *thread)
{
	pthread_join(thread->id, NULL);
}

/* On Linux that is a thread's own. Without it, it would work as well. */
void thread_yields(void)
{
	int before = getpriority(PRIO_PROCESS, 0);

	(void)!setpriority(PRIO_PROCESS, 0, before + NICER);
}

void thread_serves(void)
{
	serves = true;
}

void thread_may_wait(const char *what)
{
	if (serves) {
		fprintf(stderr, "%s may wait, on a thread that serves\n", what);
		abort();
	}
}

void cond_open(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

bool cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex,
		     int64_t deadline_ms)
{
	int64_t ms = deadline_ms > 0 ? deadline_ms : 0;
	struct timespec at = {
		.tv_sec = ms / 1000,
		.tv_nsec = ms % 1000 * 1000000,
	};

	return pthread_cond_timedwait(cond, mutex, &at) != ETIMEDOUT;
}
