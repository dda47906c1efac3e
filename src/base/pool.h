/*
 * base/pool.h: work that may wait, on a bounded number of threads.
 *
 * Jobs start in the order in which they came. One thread is there from the
 * start, so that every job comes to its turn even when the system has none
 * left; more are made at need, and end after ten idle seconds.
 */
#pragma once
#include "base/attr.h"
#include "base/cleanup.h"

struct pool;

/* At most `limit` jobs run at once; `name` is what ps shows. */
struct pool *pool_open(const char *name, unsigned limit);
/* The same, but null if the system has no thread left. */
struct pool *pool_try(const char *name, unsigned limit);

/* Another limit; what runs beyond it runs to its end. Never waits. */
void pool_limit(struct pool *, unsigned limit);

/* Never waits: what finds no free thread is queued. */
void pool_run(struct pool *, void (*run)(void *), void *arg);

/* Waits until everything that was given has run. Null is none. */
void pool_close(struct pool **) may_wait;
