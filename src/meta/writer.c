/*
 * One thread writes. It takes all verbs that wait, runs each in a part of one
 * transaction, and commits them together; meanwhile the next ones gather. So
 * an fsync is shared by all who came during the one before.
 *
 * If the commit fails, all verbs of the group fail with its error. The same
 * holds when the engine rolled the transaction back under a verb, as it does
 * when the disk is full: what ran before is gone as well.
 */
#include "meta/inside.h"

#include <stdatomic.h>

#include "base/mem.h"

/* Lives on the stack of the thread that waits for it. */
struct verb {
	verb_run run;
	void *arg;
	struct err *e;
	int result;
	bool done;
	pthread_cond_t ended;
	struct verb *next;
};

struct writer {
	struct db *db;
	struct thread thread;
	pthread_mutex_t lock;
	pthread_cond_t wanted;
	struct verb *first; /* oldest that waits */
	struct verb **last;
	bool closing;
	_Atomic uint64_t commits;
};

/* One verb; -1 only if the whole transaction is lost. */
static int verb_do(struct db *db, struct verb *verb, struct err *e)
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

static int group_do(struct db *db, struct verb *group, struct err *e)
{
	if (db_begin(db, e) < 0)
		return -1;
	for (struct verb *verb = group; verb; verb = verb->next) {
		if (verb_do(db, verb, e) < 0)
			return -1;
	}
	return db_commit(db, e);
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

/* With the lock held: after it, the verbs may be gone. */
static void group_wake(struct verb *group)
{
	while (group) {
		struct verb *verb = group;

		group = verb->next;
		verb->done = true;
		pthread_cond_signal(&verb->ended);
	}
}

/* Waits for verbs and takes them all; null when it is time to end. */
static struct verb *group_take(struct writer *writer)
{
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
	struct err e;

	hold_mutex(&writer->lock);
	while ((group = group_take(writer))) {
		pthread_mutex_unlock(&writer->lock);
		if (group_do(writer->db, group, &e) < 0) {
			db_rollback(writer->db);
			group_fail(group, &e);
		}
		writer->commits++;
		pthread_mutex_lock(&writer->lock);
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

int writer_run(struct writer *writer, verb_run run, void *arg, struct err *e)
{
	struct verb verb = { .run = run, .arg = arg, .e = e };

	pthread_cond_init(&verb.ended, NULL);
	pthread_mutex_lock(&writer->lock);
	*writer->last = &verb;
	writer->last = &verb.next;
	pthread_cond_signal(&writer->wanted);
	while (!verb.done)
		pthread_cond_wait(&verb.ended, &writer->lock);
	pthread_mutex_unlock(&writer->lock);
	pthread_cond_destroy(&verb.ended);
	return verb.result;
}
