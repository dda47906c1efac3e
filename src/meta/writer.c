/*
 * One thread writes. It takes all verbs that wait, runs them in one
 * transaction, and commits them together; meanwhile the next ones gather. So
 * an fsync is shared by all who came during the one before, and there is none
 * if nobody in the group needs it.
 *
 * A verb that fails must not take others with it. That is rare, and a part of
 * a transaction that can be undone by itself costs a third of a verb: so the
 * group runs without parts at first, and once more with them if one failed.
 *
 * If the commit fails, all verbs of the group fail with its error. The same
 * holds when the engine rolled the transaction back under a verb, as it does
 * when the disk is full: what ran before is gone as well.
 */
#include "meta/inside.h"

#include <semaphore.h>
#include <stdatomic.h>

#include "base/mem.h"

/* Lives on the stack of the thread that waits for it. */
struct verb {
	enum db_promise promise;
	verb_run run;
	void *arg;
	struct err *e;
	int result;
	sem_t ended; /* posted when nobody else looks at it any more */
	struct verb *next;
};

struct writer {
	struct db *db;
	struct thread thread;
	pthread_mutex_t lock; /* guards the list and `closing` */
	pthread_cond_t wanted;
	struct verb *first; /* oldest that waits */
	struct verb **last;
	bool closing;
	_Atomic uint64_t commits;
};

/* ------------------------------------------------------------- the group */

/* What the most demanding of them needs. */
static enum db_promise group_promise(const struct verb *group)
{
	for (; group; group = group->next) {
		if (group->promise == DB_DURABLE)
			return DB_DURABLE;
	}
	return DB_SOON;
}

/* One verb; -1 if the whole transaction is lost with it. */
typedef int (*verb_step)(struct db *, struct verb *, struct err *);

static int verb_plain(struct db *db, struct verb *verb, struct err *e)
{
	(void)e;
	verb->result = verb->run(db, verb->arg, verb->e);
	return verb->result;
}

static int verb_apart(struct db *db, struct verb *verb, struct err *e)
{
	if (db_part_begin(db, e) < 0)
		return -1;
	verb->result = verb->run(db, verb->arg, verb->e);
	if (verb->result == 0)
		return db_part_keep(db, e);
	if (db_part_undo(db, e) == 0)
		return 0;
	*e = *verb->e; /* the engine has undone everything, and this is why */
	return -1;
}

static int group_try(struct db *db, struct verb *group, verb_step step,
		     struct err *e)
{
	if (db_begin(db, group_promise(group), e) < 0)
		return -1;
	for (struct verb *verb = group; verb; verb = verb->next) {
		if (step(db, verb, e) < 0)
			return -1;
	}
	return db_commit(db, e);
}

static bool one_failed(const struct verb *group)
{
	for (; group; group = group->next) {
		if (group->result < 0)
			return true;
	}
	return false;
}

/* A verb that failed by itself keeps its own reason. */
static void group_fail(struct verb *group, const struct err *e)
{
	for (struct verb *verb = group; verb; verb = verb->next) {
		if (verb->result == 0)
			*verb->e = *e;
		verb->result = -1;
	}
}

static void group_do(struct db *db, struct verb *group)
{
	struct err e;
	int failed = group_try(db, group, verb_plain, &e);

	if (failed && one_failed(group)) {
		db_rollback(db);
		failed = group_try(db, group, verb_apart, &e);
	}
	if (failed) {
		db_rollback(db);
		group_fail(group, &e);
	}
}

/* After it, the verbs may be gone. */
static void group_wake(struct verb *group)
{
	while (group) {
		struct verb *verb = group;

		group = verb->next;
		sem_post(&verb->ended);
	}
}

/* ------------------------------------------------------------- the thread */

/* Waits for verbs and takes them all; null when it is time to end. */
static struct verb *group_take(struct writer *writer)
{
	hold_mutex(&writer->lock);
	while (!writer->first && !writer->closing)
		pthread_cond_wait(&writer->wanted, &writer->lock);

	struct verb *group = writer->first;
	writer->first = NULL;
	writer->last = &writer->first;
	return group;
}

static void writer_main(void *arg)
{
	struct writer *writer = arg;
	struct verb *group;

	while ((group = group_take(writer))) {
		group_do(writer->db, group);
		writer->commits++;
		group_wake(group);
	}
}

struct writer *writer_open(struct db *db)
{
	struct writer *writer = mem_alloc(sizeof(*writer));

	writer->db = db;
	writer->last = &writer->first;
	pthread_mutex_init(&writer->lock, NULL);
	pthread_cond_init(&writer->wanted, NULL);
	thread_start(&writer->thread, "meta", writer_main, writer);
	return writer;
}

static void writer_stop(struct writer *writer)
{
	hold_mutex(&writer->lock);
	writer->closing = true;
	pthread_cond_signal(&writer->wanted);
}

void writer_close(struct writer **pointer)
{
	struct writer *writer = steal_ptr(pointer);

	writer_stop(writer);
	thread_join(&writer->thread);
	db_close(&writer->db);
	pthread_cond_destroy(&writer->wanted);
	pthread_mutex_destroy(&writer->lock);
	free(writer);
}

uint64_t writer_commits(const struct writer *writer)
{
	return writer->commits;
}

/* The thread rests only on an empty list, so only the first wakes it. */
static void verb_add(struct writer *writer, struct verb *verb)
{
	pthread_mutex_lock(&writer->lock);
	bool was_empty = !writer->first;
	*writer->last = verb;
	writer->last = &verb->next;
	pthread_mutex_unlock(&writer->lock);
	if (was_empty)
		pthread_cond_signal(&writer->wanted);
}

int writer_run(struct writer *writer, enum db_promise promise, verb_run run,
	       void *arg, struct err *e)
{
	struct verb verb = {
		.promise = promise,
		.run = run,
		.arg = arg,
		.e = e,
	};

	sem_init(&verb.ended, 0, 0);
	verb_add(writer, &verb);
	while (sem_wait(&verb.ended) < 0)
		continue; /* interrupted */
	sem_destroy(&verb.ended);
	return verb.result;
}
