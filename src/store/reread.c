/*
 * A file as it is on the disk: read past the page cache, so that what pulls
 * have there stays, and so that it is the disk that answers. A file system
 * that cannot do that reads as always, and what came into the page cache by it
 * goes again.
 *
 * While one piece is hashed, the next ones are read on other threads: so the
 * disk never waits, and it goes as fast as the slower of disk and hash.
 */
#include <errno.h>
#include <semaphore.h>

#include "base/io.h"
#include "base/mem.h"
#include "store/inside.h"

#define PIECE ((int64_t)1024 * 1024)
#define PIECES 3 /* one that is hashed, two that are read */
#define ALIGNMENT                                                  \
	4096 /* of memory and offsets; more than any disk asks for \
	      */

struct piece {
	char *at; /* aligned */
	int fd;
	int64_t offset;
	size_t wanted;
	size_t len; /* less than wanted: the file ends there, or an error */
	int sys;    /* errno, or 0 */
	sem_t read;
};

struct reread {
	struct pool *pool; /* null: there is no thread for it */
	char *room;
	struct piece pieces[PIECES]; /* in `room` */
};

struct reread *reread_open(void)
{
	struct reread *reread = mem_alloc(sizeof(*reread));

	reread->pool = pool_try("reread", PIECES);
	reread->room = mem_alloc((size_t)PIECES * PIECE + ALIGNMENT);
	uintptr_t at = (uintptr_t)reread->room;
	at = (at + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	for (int i = 0; i < PIECES; i++) {
		reread->pieces[i].at = (char *)at + i * PIECE;
		sem_init(&reread->pieces[i].read, 0, 0);
	}
	return reread;
}

void reread_close(struct reread **pointer)
{
	struct reread *reread = steal_ptr(pointer);

	pool_close(&reread->pool);
	for (int i = 0; i < PIECES; i++)
		sem_destroy(&reread->pieces[i].read);
	free(reread->room);
	free(reread);
}

/* ---------------------------------------------------------------- reading */

/* False if the file system has no such thing. */
static bool direct_set(int fd, bool direct)
{
	int flags = fcntl(fd, F_GETFL) & ~O_DIRECT;

	return fcntl(fd, F_SETFL, direct ? flags | O_DIRECT : flags) == 0;
}

static bool is_direct(int fd)
{
	return fcntl(fd, F_GETFL) & O_DIRECT;
}

/* Another piece of the same file may have found out at the same time. */
static ssize_t part_read(const struct piece *piece)
{
	char *at = piece->at + piece->len;
	size_t room = (size_t)PIECE - piece->len;
	int64_t offset = piece->offset + (int64_t)piece->len;
	ssize_t done = pread(piece->fd, at, room, offset);

	if (done < 0 && errno == EINVAL && direct_set(piece->fd, false))
		done = pread(piece->fd, at, room, offset);
	if (done > 0 && !is_direct(piece->fd))
		posix_fadvise(piece->fd, offset, done, POSIX_FADV_DONTNEED);
	return done;
}

static void piece_read(void *arg)
{
	struct piece *piece = arg;
	ssize_t done = 1;

	while (piece->len < piece->wanted && done != 0) {
		done = part_read(piece);
		if (done > 0)
			piece->len += (size_t)done;
		if (done < 0 && errno != EINTR) {
			piece->sys = errno;
			break;
		}
	}
	sem_post(&piece->read);
}

static struct piece *piece_at(struct reread *reread, int64_t offset)
{
	return &reread->pieces[offset / PIECE % PIECES];
}

/* What is small is not worth another thread. */
static void piece_begin(struct reread *reread, const struct blob_place *place,
			int64_t offset)
{
	struct piece *piece = piece_at(reread, offset);
	int64_t left = place->size - offset;

	piece->fd = place->fd;
	piece->offset = offset;
	piece->wanted = (size_t)(left < PIECE ? left : PIECE);
	piece->len = 0;
	piece->sys = 0;
	if (!reread->pool || place->size <= PIECE)
		piece_read(piece);
	else
		pool_run(reread->pool, piece_read, piece);
}

static struct piece *piece_await(struct reread *reread, int64_t offset)
{
	struct piece *piece = piece_at(reread, offset);

	while (sem_wait(&piece->read) < 0)
		continue; /* interrupted */
	return piece;
}

/* ---------------------------------------------------------------- hashing */

struct reading {
	struct reread *reread;
	const struct blob_place *place;
	struct scrub_pace *pace;
	struct hash *hash;
	int64_t hashed; /* bytes */
	int64_t begun;	/* bytes that are read, or being read */
};

static void pieces_begin(struct reading *reading)
{
	int64_t end = reading->hashed + PIECES * PIECE;

	for (; reading->begun < reading->place->size && reading->begun < end;
	     reading->begun += PIECE)
		piece_begin(reading->reread, reading->place, reading->begun);
}

static int piece_hash(struct reading *reading, struct err *e)
{
	const struct piece *piece =
		piece_await(reading->reread, reading->hashed);

	reading->hashed += PIECE;
	if (piece->sys) {
		errno = piece->sys;
		return err_sys(e, "read");
	}
	if (piece->len < piece->wanted)
		return err_set(e, ERR_CORRUPT, "file ends at %lld",
			       (long long)piece->offset +
				       (long long)piece->len);
	hash_add(reading->hash, span_make(piece->at, piece->wanted));
	return scrub_pause(reading->pace, piece->wanted, e);
}

static int file_hash(struct reading *reading, struct err *e)
{
	while (reading->hashed < reading->place->size) {
		pieces_begin(reading);
		if (piece_hash(reading, e) < 0)
			return -1;
	}
	return 0;
}

int reread_digest(struct reread *reread, const struct blob_place *place,
		  struct scrub_pace *pace, struct digest *out, struct err *e)
{
	struct reading reading = {
		.reread = reread,
		.place = place,
		.pace = pace,
		.hash = hash_open(out->algorithm),
	};

	thread_may_wait("reread_digest");
	direct_set(place->fd, true);
	int failed = file_hash(&reading, e);
	for (; reading.hashed < reading.begun; reading.hashed += PIECE)
		piece_await(reread, reading.hashed);
	*out = hash_digest(reading.hash);
	hash_close(&reading.hash);
	return failed;
}
