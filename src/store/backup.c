/*
 * A backup: first a snapshot of the database, then the files that it names,
 * then the snapshot becomes the backup's database, and then what it does not
 * name goes. Whatever happens, the database that is there names what is there.
 *
 * Meanwhile blobs are swept. One that the snapshot names and that is gone
 * before it was copied makes this snapshot useless: another one is taken,
 * which does not name it, and since most files are there by then, it takes
 * little time, for which sweeps wait.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/file.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "store/copying.h"

#define ROUNDS 20

static const char mark[] = "backup";

struct backup {
	const char *path;
	struct copying copying;
	const struct store_copying *asked;
	struct meta_snapshot *snapshot;
	struct pace pace;
};

/* --------------------------------------------------------------- the place */

/* What there is of the path, without links. */
static char *real_path(const char *path)
{
	auto_free char *part = mem_text(path);
	char *real, *slash;

	while (!(real = realpath(part, NULL)) && (slash = strrchr(part, '/')))
		*slash = '\0';
	return real ? real : mem_text("/");
}

static int outside_check(const struct store *store, const char *path,
			 struct err *e)
{
	char own[32];

	snprintf(own, sizeof(own), "/proc/self/fd/%d", store->data);
	auto_free char *data = real_path(own);
	auto_free char *real = real_path(path);
	size_t len = strlen(data);
	if (strncmp(real, data, len) != 0 || (real[len] && real[len] != '/'))
		return 0;
	return err_set(e, ERR_USAGE,
		       "%s is within the data directory, and would be lost "
		       "with it: choose a directory elsewhere",
		       path);
}

/* A file system puts one in itself, and who comes first another. */
static bool is_nothing(const char *name)
{
	static const char *const names[] = { "lost+found", "lock" };

	for (size_t i = 0; i < array_size(names); i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

static int name_weigh(const char *name, void *arg, struct err *e)
{
	bool *empty = arg;

	(void)e;
	*empty = *empty && is_nothing(name);
	return 0;
}

int dir_is_empty(int dir, bool *out, struct err *e)
{
	*out = true;
	return dir_each(dir, ".", name_weigh, out, e);
}

static int place_check(const char *path, int dir, struct err *e)
{
	bool empty;

	if (faccessat(dir, mark, F_OK, 0) == 0)
		return 0;
	if (dir_is_empty(dir, &empty, e) < 0)
		return -1;
	if (empty)
		return 0;
	return err_set(e, ERR_USAGE,
		       "%s has something in it and is no backup: choose an "
		       "empty directory, or one that is not there",
		       path);
}

int backup_lock(const char *path, int dir, int how, int *lock_out,
		struct err *e)
{
	auto_fd int lock = io_open_at(
		dir, mark, how == LOCK_EX ? O_RDWR | O_CREAT : O_RDONLY, e);

	if (lock < 0)
		return err_wrap(e, "%s", path);
	if (flock(lock, how | LOCK_NB) == 0) {
		*lock_out = steal_fd(&lock);
		return 0;
	}
	if (errno != EWOULDBLOCK)
		return err_sys(e, "%s/%s", path, mark);
	return err_set(e, ERR_BUSY,
		       "a backup or a restore is at %s: wait until it is done",
		       path);
}

/* --------------------------------------------------------------- one round */

static int incarnation_missing(struct copying *copying,
			       const struct meta_copy *copy, struct err *e)
{
	bool exists;

	if (meta_incarnation_exists(copying->store->meta, &copy->digest,
				    copy->blob.id, &exists, e) < 0)
		return -1;
	if (exists)
		copying_lost(copying, copy);
	else
		copying->vanished = true;
	return 0;
}

static int incarnation_is_damaged(struct copying *copying,
				  const struct meta_copy *copy, struct err *e)
{
	struct meta_blob now;

	if (meta_blob_find(copying->store->meta, &copy->digest, &now, e) < 0)
		return e->kind == ERR_BLOB_UNKNOWN ? 0 : -1;
	return now.id == copy->blob.id && now.damage == DAMAGE_BYTES;
}

/* While the registry serves, others get the disk for half of the time. */
static bool backup_goes_on(int64_t bytes, int64_t all, void *arg)
{
	struct backup *backup = arg;
	struct collector *collector = &backup->copying.store->collector;
	struct err ignored;

	return collector_rest(collector, REST_LOOKED, &backup->pace,
			      &ignored) == 0 &&
	       backup->asked->progress(bytes, all, backup->asked->arg);
}

static bool snapshot_goes_on(void *arg)
{
	return backup_goes_on(0, 0, arg);
}

static int round_run(struct backup *backup, struct err *e)
{
	auto_buf struct buf path = { 0 };

	buf_addf(&path, "%s/" DATABASE_NEW, backup->path);
	if (backup->snapshot)
		meta_snapshot_close(&backup->snapshot);
	if (meta_snapshot_make(backup->copying.store->meta, path.at,
			       snapshot_goes_on, backup, &backup->snapshot,
			       e) < 0)
		return -1;
	return copying_run(&backup->copying, backup->snapshot, e);
}

/* While nobody sweeps. */
static int round_alone(struct backup *backup, struct err *e)
{
	hold_mutex(&backup->copying.store->collector.pass);

	return round_run(backup, e);
}

static int rounds_run(struct backup *backup, struct err *e)
{
	int failed = round_run(backup, e);

	for (int i = 1; !failed && backup->copying.vanished; i++) {
		if (i == ROUNDS)
			return err_set(e, ERR_BUSY,
				       "blobs are deleted faster than they can "
				       "be copied: try again later");
		failed = round_alone(backup, e);
	}
	return failed;
}

/* -------------------------------------------------------------- the backup */

static int unnamed_remove(const struct digest *digest, uint64_t id,
			  int64_t size, void *arg, struct err *e)
{
	struct backup *backup = arg;
	struct store_count *removed = &backup->copying.out->removed;
	bool named;

	if (meta_snapshot_has(backup->snapshot, digest, id, &named, e) < 0)
		return -1;
	if (named)
		return 0;
	removed->number++;
	removed->bytes += size;
	return blob_delete(backup->copying.to, digest, id, e);
}

static int backup_run(struct backup *backup, int dir, struct err *e)
{
	if (rounds_run(backup, e) < 0 ||
	    file_place(dir, DATABASE_NEW, DATABASE, e) < 0)
		return -1;
	return blob_list(backup->copying.to, unnamed_remove, backup, e);
}

int store_backup(struct store *store, const char *directory,
		 const struct store_copying *copying, struct store_copied *out,
		 struct err *e)
{
	auto_of(blob_store) struct blob_store *to = NULL;
	auto_fd int lock = -1;

	thread_may_wait("store_backup");
	*out = (struct store_copied){ 0 };
	if (outside_check(store, directory, e) < 0)
		return -1;
	auto_fd int dir = io_make_dir(directory, e);
	if (dir < 0 || place_check(directory, dir, e) < 0 ||
	    backup_lock(directory, dir, LOCK_EX, &lock, e) < 0 ||
	    blob_fs_open(directory, &to, e) < 0)
		return -1;

	struct backup backup = {
		.path = directory,
		.asked = copying,
		.pace = pace_begin(),
	};
	struct store_copying how = { backup_goes_on, &backup };
	backup.copying = (struct copying){
		.from = store->blobs,
		.to = to,
		.may_link = true,
		.how = &how,
		.out = out,
		.missing = incarnation_missing,
		.is_damaged = incarnation_is_damaged,
		.store = store,
	};
	int failed = backup_run(&backup, dir, e);
	if (backup.snapshot)
		meta_snapshot_close(&backup.snapshot);
	return failed ? -1 : copying_end(out, e);
}
