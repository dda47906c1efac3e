/*
 * The data directory: who has it, and what is in it.
 *
 * The lock is taken before anything else is looked at, so that of two starts
 * at once only one makes the rest.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/mem.h"
#include "store/inside.h"

#define DIRECTORY (O_RDONLY | O_DIRECTORY)
#define CHECK_BYTES (64 * 1024)
#define HASHERS 64

/* ------------------------------------------------------------------ lock */

/* What cannot be made here is a wrong place, not a broken disk. */
static int place_fail(const char *data, struct err *e)
{
	if (e->kind == ERR_IO)
		e->kind = ERR_USAGE;
	return err_wrap(e, "the data directory %s cannot be used", data);
}

int data_lock(const char *data, int dir, int *lock_out, struct err *e)
{
	auto_fd int lock = io_open_at(dir, "lock", O_RDWR | O_CREAT, e);

	if (lock < 0)
		return place_fail(data, e);
	if (flock(lock, LOCK_EX | LOCK_NB) == 0) {
		*lock_out = steal_fd(&lock);
		return 0;
	}
	if (errno != EWOULDBLOCK) {
		err_sys(e, "lock");
		return place_fail(data, e);
	}
	return err_set(e, ERR_LOCKED,
		       "the data directory %s is in use by another process: "
		       "stop that one, or give this one another directory",
		       data);
}

/* A store that has its directory, but nothing of it yet. */
static int store_begin(const char *data, struct store **out, struct err *e)
{
	auto_of(store) struct store *store = mem_alloc(sizeof(*store));

	store->arrivals = -1;
	store->lock = -1;
	uploads_open(&store->uploads);
	collector_open(&store->collector);
	evictor_open(&store->evictor);
	store->rules = rules_open();
	scrubber_open(&store->scrubber);
	store->hashers = pool_open("hash", HASHERS);
	store->data = io_make_dir(data, e);
	if (store->data < 0)
		return place_fail(data, e);
	if (data_lock(data, store->data, &store->lock, e) < 0)
		return -1;
	*out = steal_ptr(&store);
	return 0;
}

/* ------------------------------------------------------- opening, closing */

static int arrivals_open(struct store *store, struct err *e)
{
	if (io_make_dir_at(store->data, "incoming", e) < 0)
		return -1;
	store->arrivals = io_open_at(store->data, "incoming", DIRECTORY, e);
	if (store->arrivals < 0)
		return -1;
	store_tidy(store);
	return 0;
}

int store_open_with(const char *data, struct meta *meta,
		    struct blob_store *blobs, struct store **out, struct err *e)
{
	auto_of(meta) struct meta *owned_meta = meta;
	auto_of(blob_store) struct blob_store *owned_blobs = blobs;
	auto_of(store) struct store *store = NULL;

	if (store_begin(data, &store, e) < 0)
		return -1;
	store->meta = steal_ptr(&owned_meta);
	store->blobs = steal_ptr(&owned_blobs);
	if (arrivals_open(store, e) < 0)
		return place_fail(data, e);
	*out = steal_ptr(&store);
	return 0;
}

static int blob_seen(const struct digest *digest, uint64_t id, int64_t size,
		     void *arg, struct err *e)
{
	bool *seen = arg;

	(void)digest, (void)id, (void)size;
	*seen = true;
	return err_set(e, ERR_NONE, "it has seen enough");
}

/* With a new database all these blobs would be nobody's, and be swept. */
static int database_check(const char *data, const struct store *store,
			  struct err *e)
{
	struct stat st;
	bool seen = false;

	if (fstatat(store->data, DATABASE, &st, 0) == 0 && st.st_size > 0)
		return 0;
	if (blob_list(store->blobs, blob_seen, &seen, e) < 0 && !seen)
		return -1;
	if (!seen)
		return 0;
	return err_set(e, ERR_CORRUPT,
		       "%s has blobs, but no database: bring back that of the "
		       "last backup with private-registry restore --over DIR, "
		       "or remove " DATABASE "* and blobs/ to begin anew",
		       data);
}

static int database_fail(const char *data, struct err *e)
{
	struct err why = *e;

	if (e->kind != ERR_CORRUPT)
		return -1;
	return err_set(e, ERR_CORRUPT,
		       "the database in %s is damaged; bring back that of the "
		       "last backup with private-registry restore --over DIR "
		       "(%s)",
		       data, why.message);
}

static int database_open(const char *data, struct store *store, struct err *e)
{
	auto_buf struct buf path = { 0 };

	if (database_check(data, store, e) < 0)
		return -1;
	buf_addf(&path, "%s/" DATABASE, data);
	if (meta_open(path.at, &store->meta, e) < 0) {
		if (e->kind != ERR_NO_SPACE)
			return database_fail(data, e);
		ballast_drop(store->data);
		if (meta_open(path.at, &store->meta, e) < 0)
			return database_fail(data, e);
	}
	ballast_take(store->data);
	return 0;
}

int store_open(const char *data, struct store **out, struct err *e)
{
	auto_of(store) struct store *store = NULL;

	if (store_begin(data, &store, e) < 0)
		return -1;
	if (blob_fs_open(data, &store->blobs, e) < 0)
		return place_fail(data, e);
	if (database_open(data, store, e) < 0)
		return -1;
	if (arrivals_open(store, e) < 0)
		return place_fail(data, e);
	*out = steal_ptr(&store);
	return 0;
}

/* Also one that was opened only in part. */
void store_close(struct store **pointer)
{
	struct store *store = steal_ptr(pointer);

	collector_close(store);
	scrubber_close(store);
	uploads_close(&store->uploads);
	pool_close(&store->hashers);
	evictor_close(&store->evictor);
	current_close(&store->rules);
	if (store->blobs)
		blob_close(&store->blobs);
	if (store->meta)
		meta_close(&store->meta);
	auto_fd_end(&store->arrivals);
	auto_fd_end(&store->lock); /* the last: now another may begin */
	auto_fd_end(&store->data);
	free(store);
}

struct meta *store_meta(struct store *store)
{
	return store->meta;
}

int store_check(struct store *store, struct err *e)
{
	static const char name[] = "check";
	auto_free char *block = mem_alloc(CHECK_BYTES);
	struct err ignored;

	auto_fd int fd =
		io_open_at(store->data, name, O_WRONLY | O_CREAT | O_TRUNC, e);
	if (fd < 0)
		return -1;
	int failed = io_write_at(fd, 0, span_make(block, CHECK_BYTES), e);
	never_mind(io_unlink_at(store->data, name, &ignored));
	return failed;
}

void store_make_room(struct store *store)
{
	ballast_drop(store->data);
}
