/*
 * base/thread.h: threads, and the ninth law: a thread that serves sockets
 * never waits.
 */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/cleanup.h"

struct thread {
	pthread_t id;
	void (*run)(void *);
	void *arg;
	char name[16]; /* as ps and perf show it */
};

/*
 * Starts `run(arg)` with all signals blocked; ends the process if the system
 * has no thread left. The struct must outlive the thread.
 */
void thread_start(struct thread *, const char *name, void (*run)(void *),
		  void *arg);
/* The same, but false if there is no thread left. */
bool thread_try(struct thread *, const char *name, void (*run)(void *),
		void *arg) must_check;
void thread_join(struct thread *);

/*
 * This thread, and those that it starts, leave the processor to all others from
 * here on. It shall hold no lock for long that these want.
 */
void thread_yields(void);

/* This thread serves sockets from here on. */
void thread_serves(void);

/*
 * Called by everything that can block, with its own name. Ends the process
 * when this thread serves sockets: that is a bug, found at its first run.
 */
void thread_may_wait(const char *what);

/* CLOCK_MONOTONIC condition variables, in milliseconds of clock_ms(). */
void cond_open(pthread_cond_t *);
/* False when `deadline_ms` has passed. Spurious wakes happen. */
bool cond_wait_until(pthread_cond_t *, pthread_mutex_t *, int64_t deadline_ms);

#define auto_unlock auto_with(auto_unlock_end)

static inline void auto_unlock_end(pthread_mutex_t **mutex)
{
	pthread_mutex_unlock(*mutex);
}

/* Holds the mutex to the end of the scope. */
#define hold_mutex(mutex)                                                     \
	auto_unlock pthread_mutex_t *held_ __attribute__((unused)) = (mutex); \
	pthread_mutex_lock(held_)
