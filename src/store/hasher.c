/*
 * The hash of a file that grows follows it on another thread: what is written
 * last still lies in the page cache, and reading it there costs little beside
 * the hash. So bytes arrive as fast as they can be written, and what a
 * restart left behind is caught up with while more comes.
 *
 * A follower that has caught up leaves its thread and is sent again once it
 * is far enough behind. Short files are hashed by who asks for the digest.
 */
#include "store/inside.h"

#include "base/io.h"
#include "base/mem.h"

#define BEHIND (1024 * 1024)
#define PIECE (64 * 1024)

struct hasher {
	struct pool *pool;
	int fd;
	struct hash *hash;
	int64_t hashed; /* like `hash`, of the thread that runs */

	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t rested;
	int64_t length; /* of the file */
	bool running;
	bool closing;
	bool failed;
	struct err why;
};

struct hasher *hasher_open(struct pool *pool, int fd,
			   enum digest_algorithm algorithm)
{
	struct hasher *hasher = mem_alloc(sizeof(*hasher));

	hasher->pool = pool;
	hasher->fd = fd;
	hasher->hash = hash_open(algorithm);
	pthread_mutex_init(&hasher->lock, NULL);
	pthread_cond_init(&hasher->rested, NULL);
	return hasher;
}

/* With the lock held: nobody runs. */
static void await_rest(struct hasher *hasher)
{
	while (hasher->running)
		pthread_cond_wait(&hasher->rested, &hasher->lock);
}

void hasher_close(struct hasher **pointer)
{
	struct hasher *hasher = steal_ptr(pointer);

	thread_may_wait("hasher_close");
	pthread_mutex_lock(&hasher->lock);
	hasher->closing = true;
	await_rest(hasher);
	pthread_mutex_unlock(&hasher->lock);
	pthread_cond_destroy(&hasher->rested);
	pthread_mutex_destroy(&hasher->lock);
	hash_close(&hasher->hash);
	free(hasher);
}

/* How much to hash next; 0: it rests from here on. */
static size_t next_piece(struct hasher *hasher)
{
	hold_mutex(&hasher->lock);
	int64_t left = hasher->length - hasher->hashed;

	if (left > 0 && !hasher->closing && !hasher->failed)
		return left < PIECE ? (size_t)left : PIECE;
	hasher->running = false;
	pthread_cond_broadcast(&hasher->rested);
	return 0;
}

static void give_up(struct hasher *hasher, const struct err *why)
{
	hold_mutex(&hasher->lock);
	hasher->failed = true;
	hasher->why = *why;
}

static void run(void *arg)
{
	struct hasher *hasher = arg;
	char piece[PIECE];
	struct err e;
	size_t size;

	while ((size = next_piece(hasher)) > 0) {
		if (io_read_at(hasher->fd, hasher->hashed, piece, size, &e) <
		    0) {
			give_up(hasher, &e);
			continue;
		}
		hash_add(hasher->hash, span_make(piece, size));
		hasher->hashed += (int64_t)size;
	}
}

void hasher_follow(struct hasher *hasher, int64_t length)
{
	hold_mutex(&hasher->lock);
	hasher->length = length;
	if (hasher->running || length - hasher->hashed < BEHIND)
		return;
	hasher->running = true;
	pool_run(hasher->pool, run, hasher);
}

int hasher_digest(struct hasher *hasher, struct digest *out, struct err *e)
{
	thread_may_wait("hasher_digest");
	pthread_mutex_lock(&hasher->lock);
	await_rest(hasher);
	hasher->running = true;
	pthread_mutex_unlock(&hasher->lock);
	run(hasher);
	if (hasher->failed) {
		*e = hasher->why;
		return -1;
	}
	*out = hash_digest(hasher->hash);
	return 0;
}
