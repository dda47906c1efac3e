/*
 * A file as it is on the disk: read past the page cache, so that what pulls
 * have there stays, and so that it is the disk that answers. A file system
 * that cannot do that reads as always, and what came into the page cache by it
 * goes again.
 *
 * While one piece is hashed on another thread, the next one is read: so it
 * goes as fast as the slower of disk and hash.
 */
#include <errno.h>
#include <semaphore.h>

#include "base/io.h"
#include "base/mem.h"
#include "store/inside.h"

#define PIECE (1024 * 1024)
#define SHORT (64 * 1024)
#define ALIGNMENT                                                  \
	4096 /* of memory and offsets; more than any disk asks for \
	      */

struct reread {
	struct pool *pool;
	char *room;
	char *pieces[2]; /* aligned, in `room` */
	size_t next;	 /* of these, to be read into */
	struct hash *hash;
	struct span piece; /* that is being hashed; SPAN_NONE: none is */
	sem_t hashed;
};

struct reread *reread_open(struct pool *hashers)
{
	struct reread *reread = mem_alloc(sizeof(*reread));

	reread->pool = hashers;
	reread->room = mem_alloc(2 * PIECE + ALIGNMENT);
	uintptr_t at = (uintptr_t)reread->room;
	at = (at + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	reread->pieces[0] = (char *)at;
	reread->pieces[1] = (char *)at + PIECE;
	sem_init(&reread->hashed, 0, 0);
	return reread;
}

void reread_close(struct reread **pointer)
{
	struct reread *reread = steal_ptr(pointer);

	sem_destroy(&reread->hashed);
	free(reread->room);
	free(reread);
}

/* ---------------------------------------------------------------- hashing */

static void hash_piece(void *arg)
{
	struct reread *reread = arg;

	hash_add(reread->hash, reread->piece);
	sem_post(&reread->hashed);
}

static void hash_await(struct reread *reread)
{
	if (!reread->piece.at)
		return;
	while (sem_wait(&reread->hashed) < 0)
		continue; /* interrupted */
	reread->piece = SPAN_NONE;
}

/* What is short is not worth another thread. */
static void hash_begin(struct reread *reread, struct span piece)
{
	hash_await(reread);
	if (piece.len <= SHORT)
		return hash_add(reread->hash, piece);
	reread->piece = piece;
	pool_run(reread->pool, hash_piece, reread);
}

/* ---------------------------------------------------------------- reading */

static bool is_direct(int fd)
{
	return fcntl(fd, F_GETFL) & O_DIRECT;
}

/* False if the file system has no such thing. */
static bool direct_set(int fd, bool direct)
{
	int flags = fcntl(fd, F_GETFL) & ~O_DIRECT;

	return fcntl(fd, F_SETFL, direct ? flags | O_DIRECT : flags) == 0;
}

/* At most a piece; 0: the file ends here. */
static ssize_t piece_read(int fd, char *piece, int64_t offset)
{
	ssize_t done = pread(fd, piece, PIECE, offset);

	if (done < 0 && errno == EINVAL && is_direct(fd) &&
	    direct_set(fd, false))
		return piece_read(fd, piece, offset);
	if (done < 0 && errno == EINTR)
		return piece_read(fd, piece, offset);
	if (done > 0 && !is_direct(fd))
		posix_fadvise(fd, offset, done, POSIX_FADV_DONTNEED);
	return done;
}

static int file_hash(struct reread *reread, const struct blob_place *place,
		     struct scrub_pace *pace, struct err *e)
{
	int64_t offset = 0;

	while (offset < place->size) {
		char *piece = reread->pieces[reread->next];
		ssize_t done = piece_read(place->fd, piece, offset);

		if (done < 0)
			return err_sys(e, "read");
		if (done == 0)
			return err_set(e, ERR_CORRUPT, "file ends at %lld",
				       (long long)offset);
		hash_begin(reread, span_make(piece, (size_t)done));
		reread->next ^= 1;
		offset += done;
		if (scrub_pause(pace, (size_t)done, e) < 0)
			return -1;
	}
	return 0;
}

int reread_digest(struct reread *reread, const struct blob_place *place,
		  struct scrub_pace *pace, struct digest *out, struct err *e)
{
	thread_may_wait("reread_digest");
	reread->hash = hash_open(out->algorithm);
	direct_set(place->fd, true);
	int failed = file_hash(reread, place, pace, e);
	hash_await(reread);
	*out = hash_digest(reread->hash);
	hash_close(&reread->hash);
	return failed;
}
