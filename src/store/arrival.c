/*
 * The file of an arrival: it grows, and its hash follows.
 *
 * Bytes are sent on their way to the disk while more come, so that the fsync
 * at the end is short. What could not be written does not count: the file is
 * cut back to what it was. After any other failure of the disk the file is
 * not trusted any more.
 */
#include <errno.h>

#include "base/io.h"
#include "base/mem.h"
#include "store/inside.h"

#define WRITE_BACK (8 * 1024 * 1024)

/* Readers are held back by this much until the whole is verified. */
#define TAIL (64 * 1024)

/* ------------------------------------------------------ making, reopening */

/* All but the last of the whole; of what has no known end, of what is here. */
static void growing_show(struct growing *growing, int64_t length)
{
	int64_t size = growing ? growing_size(growing) : -1;
	int64_t shown = size < 0 ? length - TAIL : size - TAIL;

	if (growing && shown > 0)
		growing_extend(growing, shown < length ? shown : length);
}

/* A fetch is read while it grows, through a descriptor of its own. */
static int growing_begin(struct incoming *incoming, int64_t length,
			 struct err *e)
{
	struct arrival_name name = arrival_name(incoming->session.id);

	if (!incoming->session.is_fetch)
		return 0;
	int fd = io_open_at(incoming->store->arrivals, name.s, O_RDONLY, e);
	if (fd < 0)
		return -1;
	incoming->growing = growing_open(fd, incoming->session.size);
	growing_show(incoming->growing, length);
	return 0;
}

/* A hash of what is in the file so far. */
static void hash_anew(struct incoming *incoming)
{
	if (incoming->hasher)
		hasher_close(&incoming->hasher);
	incoming->hasher = hasher_open(incoming->store->hashers, incoming->fd,
				       incoming->algorithm);
	hasher_follow(incoming->hasher, incoming->length);
}

int arrival_make(struct incoming *incoming, struct err *e)
{
	struct arrival_name name = arrival_name(incoming->session.id);

	incoming->fd = io_open_at(incoming->store->arrivals, name.s,
				  O_RDWR | O_CREAT | O_EXCL, e);
	if (incoming->fd < 0)
		return -1;
	hash_anew(incoming);
	return growing_begin(incoming, 0, e);
}

int arrival_reopen(struct incoming *incoming, struct err *e)
{
	struct arrival_name name = arrival_name(incoming->session.id);
	auto_fd int fd =
		io_open_at(incoming->store->arrivals, name.s, O_RDWR, e);
	int64_t length;

	if (fd < 0) {
		if (e->sys == ENOENT)
			e->kind = ERR_NOT_FOUND;
		return -1;
	}
	if (io_size(fd, &length, e) < 0 ||
	    growing_begin(incoming, length, e) < 0)
		return -1;
	incoming->fd = steal_fd(&fd);
	incoming->length = incoming->position = length;
	incoming->written_back = length;
	hash_anew(incoming);
	return 0;
}

void incoming_expect(struct incoming *incoming, enum digest_algorithm algorithm)
{
	if (incoming->algorithm == algorithm)
		return;
	incoming->algorithm = algorithm;
	hash_anew(incoming);
}

int arrival_remove(struct incoming *incoming, struct err *e)
{
	struct arrival_name name = arrival_name(incoming->session.id);

	return io_unlink_at(incoming->store->arrivals, name.s, e);
}

/* --------------------------------------------------------------- writing */

/* While a fetch that began anew catches up, what is here is passed over. */
static struct span catch_up(struct incoming *incoming, struct span bytes)
{
	int64_t behind = incoming->length - incoming->position;
	size_t known = bytes.len < (size_t)behind ? bytes.len : (size_t)behind;

	incoming->position += (int64_t)known;
	return span_from(bytes, known);
}

static int size_check(struct incoming *incoming, size_t more, struct err *e)
{
	int64_t size = incoming->session.size;

	if (!incoming->session.is_fetch)
		return 0;
	if (size < 0)
		return cache_grow(incoming, incoming->length + (int64_t)more,
				  e);
	if ((int64_t)more <= size - incoming->length)
		return 0;
	return err_set(e, ERR_CORRUPT,
		       "more than the %lld bytes it should have",
		       (long long)size);
}

/* With the reason in `e`: back to what the file was, if that can be done. */
static void write_undo(struct incoming *incoming, const struct err *e)
{
	struct err ignored;

	if (e->kind != ERR_NO_SPACE ||
	    io_truncate(incoming->fd, incoming->length, &ignored) < 0)
		incoming->broken = true;
}

/* Errors of it come again from the fsync. */
static void write_back(struct incoming *incoming)
{
	int64_t waiting = incoming->length - incoming->written_back;

	if (waiting < WRITE_BACK)
		return;
	sync_file_range(incoming->fd, incoming->written_back, waiting,
			SYNC_FILE_RANGE_WRITE);
	incoming->written_back = incoming->length;
}

static int broken(struct err *e)
{
	return err_set(e, ERR_IO, "the disk has failed under this file");
}

static int write_all(struct incoming *incoming, struct span bytes,
		     struct err *e)
{
	int failed;

	do {
		failed = io_write_at(incoming->fd, incoming->length, bytes, e);
		if (failed)
			write_undo(incoming, e);
	} while (failed && !incoming->broken &&
		 cache_yield(incoming->store, (int64_t)bytes.len, e));
	return failed;
}

int incoming_write(struct incoming *incoming, struct span bytes, struct err *e)
{
	thread_may_wait("incoming_write");
	if (incoming->broken)
		return broken(e);
	bytes = catch_up(incoming, bytes);
	if (size_check(incoming, bytes.len, e) < 0)
		return -1;
	if (write_all(incoming, bytes, e) < 0)
		return -1;

	incoming->length += (int64_t)bytes.len;
	hasher_follow(incoming->hasher, incoming->length);
	if (bytes.len)
		incoming->position = incoming->length;
	write_back(incoming);
	growing_show(incoming->growing, incoming->length);
	return 0;
}

/* Nobody hashes behind the end while the file is cut. */
int incoming_cut(struct incoming *incoming, int64_t length, struct err *e)
{
	thread_may_wait("incoming_cut");
	if (incoming->broken)
		return broken(e);
	if (incoming->length == length)
		return 0;
	hasher_close(&incoming->hasher);
	if (io_truncate(incoming->fd, length, e) < 0) {
		incoming->broken = true;
		return -1;
	}
	incoming->length = incoming->position = length;
	if (incoming->written_back > length)
		incoming->written_back = length;
	hash_anew(incoming);
	return 0;
}

int incoming_restart(struct incoming *incoming, struct err *e)
{
	if (incoming->broken)
		return broken(e);
	incoming->position = 0;
	return 0;
}

bool incoming_is_broken(const struct incoming *incoming)
{
	return incoming->broken;
}

/* ------------------------------------------------------------- verifying */

int arrival_verify(struct incoming *incoming, const struct digest *digest,
		   struct err *e)
{
	struct digest found;

	if (incoming->broken)
		return broken(e);
	incoming_expect(incoming, digest->algorithm);
	if (hasher_digest(incoming->hasher, &found, e) < 0)
		return -1;
	if (digest_eq(&found, digest))
		return 0;
	return err_set(e,
		       incoming->session.is_fetch ? ERR_CORRUPT :
						    ERR_DIGEST_INVALID,
		       "%lld bytes have digest %s, not %s",
		       (long long)incoming->length, digest_text(&found).s,
		       digest_text(digest).s);
}
