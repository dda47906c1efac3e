/*
 * Files of blobs, removed several at once: where a file system tells the disk
 * what became free, each waits for that, and the disk can do many together.
 */
#include <semaphore.h>

#include "base/mem.h"
#include "store/inside.h"

struct removers {
	struct blob_store *blobs;
	struct pool *pool; /* null: there is no thread for it */
	unsigned limit;
	sem_t free;	      /* of so many, those that nobody uses */
	pthread_mutex_t lock; /* guards first */
	struct err first;     /* ERR_NONE: none has failed */
};

struct removal {
	struct removers *removers;
	struct digest digest;
	uint64_t id;
};

struct removers *removers_open(struct blob_store *blobs, unsigned limit)
{
	struct removers *removers = mem_alloc(sizeof(*removers));

	removers->blobs = blobs;
	removers->limit = limit;
	removers->pool = pool_try("remove", limit);
	sem_init(&removers->free, 0, limit);
	pthread_mutex_init(&removers->lock, NULL);
	return removers;
}

static void fail(struct removers *removers, const struct err *e)
{
	hold_mutex(&removers->lock);
	if (removers->first.kind == ERR_NONE)
		removers->first = *e;
}

static void remove_one(void *arg)
{
	auto_free struct removal *removal = arg;
	struct removers *removers = removal->removers;
	struct err e;

	if (blob_delete(removers->blobs, &removal->digest, removal->id, &e) < 0)
		fail(removers, &e);
	sem_post(&removers->free);
}

static void free_take(struct removers *removers)
{
	while (sem_wait(&removers->free) < 0)
		continue; /* interrupted */
}

void removers_run(struct removers *removers, const struct digest *digest,
		  uint64_t id)
{
	struct removal *removal = mem_alloc(sizeof(*removal));

	*removal = (struct removal){ removers, *digest, id };
	free_take(removers);
	if (removers->pool)
		pool_run(removers->pool, remove_one, removal);
	else
		remove_one(removal);
}

void removers_await(struct removers *removers)
{
	for (unsigned i = 0; i < removers->limit; i++)
		free_take(removers);
	for (unsigned i = 0; i < removers->limit; i++)
		sem_post(&removers->free);
}

int removers_close(struct removers **pointer, struct err *e)
{
	auto_free struct removers *removers = steal_ptr(pointer);

	pool_close(&removers->pool);
	sem_destroy(&removers->free);
	pthread_mutex_destroy(&removers->lock);
	if (removers->first.kind == ERR_NONE)
		return 0;
	*e = removers->first;
	return -1;
}
