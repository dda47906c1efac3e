/*
 * A data directory out of a backup: the database first, but under a name that
 * is none yet, then the files that it names, then it gets its name. A start
 * finds files without a database until then, and refuses.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/file.h>

#include "base/io.h"
#include "store/copying.h"

struct restore {
	const struct store_restore *how;
	int backup; /* directories */
	int data;
	const char *draft; /* of the database */
	struct copying copying;
};

/* ---------------------------------------------------------------- the place */

static bool is_there(int dir, const char *name)
{
	return faccessat(dir, name, F_OK, 0) == 0;
}

/* Empty, or what an earlier restore has begun. */
static int data_check(const struct restore *restore, struct err *e)
{
	bool empty = false;

	if (restore->how->over || (is_there(restore->data, DATABASE_NEW) &&
				   !is_there(restore->data, DATABASE)))
		return 0;
	if (dir_is_empty(restore->data, &empty, e) < 0)
		return -1;
	if (empty)
		return 0;
	return err_set(e, ERR_USAGE,
		       "the data directory %s is not empty: empty it, choose "
		       "another one, or use --over to keep its blobs",
		       restore->how->data);
}

static int backup_check(const struct restore *restore, struct err *e)
{
	if (is_there(restore->backup, DATABASE))
		return 0;
	return err_set(e, ERR_USAGE,
		       "%s holds no backup, or one that never was complete",
		       restore->how->backup);
}

/* ------------------------------------------------------------- the database */

/* Byte for byte; the backup may be read-only. */
static int database_copy(const struct restore *restore, struct err *e)
{
	int64_t size;
	auto_fd int from = io_open_at(restore->backup, DATABASE, O_RDONLY, e);
	if (from < 0 || io_size(from, &size, e) < 0)
		return -1;
	auto_fd int to = io_open_at(restore->data, restore->draft,
				    O_WRONLY | O_CREAT | O_TRUNC, e);
	if (to < 0)
		return -1;
	return io_clone(from, to) ? 0 : io_copy(from, to, 0, size, e);
}

static int database_draft(const struct restore *restore,
			  struct meta_snapshot **out, struct err *e)
{
	auto_buf struct buf path = { 0 };

	if (database_copy(restore, e) < 0)
		return err_wrap(e, "%s/" DATABASE, restore->how->backup);
	buf_addf(&path, "%s/%s", restore->how->data, restore->draft);
	if (meta_snapshot_open(path.at, out, e) < 0)
		return err_wrap(e, "%s/" DATABASE, restore->how->backup);
	return 0;
}

static int newest_find(const struct digest *digest, uint64_t id, int64_t size,
		       void *arg, struct err *e)
{
	uint64_t *newest = arg;

	(void)digest, (void)size, (void)e;
	if (id > *newest)
		*newest = id;
	return 0;
}

/* Files that the backup does not know are kept for a while. */
static int newer_spare(const struct restore *restore,
		       struct meta_snapshot *snapshot, struct err *e)
{
	uint64_t newest = 0;

	if (blob_list(restore->copying.to, newest_find, &newest, e) < 0)
		return -1;
	return meta_snapshot_spare(snapshot, newest, e);
}

/* A log must never meet another database than its own. */
static int old_set_aside(int data, struct err *e)
{
	static const char *const parts[] = { "", "-wal", "-shm" };
	char from[32], to[32];

	if (is_there(data, DATABASE) &&
	    (io_unlink_at(data, DATABASE ".lost-wal", e) < 0 ||
	     io_unlink_at(data, DATABASE ".lost-shm", e) < 0))
		return -1;
	for (size_t i = 0; i < array_size(parts); i++) {
		snprintf(from, sizeof(from), DATABASE "%s", parts[i]);
		snprintf(to, sizeof(to), DATABASE ".lost%s", parts[i]);
		if (renameat(data, from, data, to) < 0 && errno != ENOENT)
			return err_sys(e, "%s", from);
	}
	return io_sync(data, e);
}

/* --------------------------------------------------------------- restoring */

static int stores_open(struct restore *restore, struct blob_store **from,
		       struct blob_store **to, struct err *e)
{
	if (blob_fs_open(restore->how->backup, from, e) < 0 ||
	    blob_fs_open(restore->how->data, to, e) < 0)
		return -1;
	restore->copying.from = *from;
	restore->copying.to = *to;
	return 0;
}

static int content_restore(struct restore *restore, struct err *e)
{
	auto_of(blob_store) struct blob_store *from = NULL, *to = NULL;
	auto_of(meta_snapshot) struct meta_snapshot *snapshot = NULL;

	if (database_draft(restore, &snapshot, e) < 0 ||
	    stores_open(restore, &from, &to, e) < 0)
		return -1;
	if (restore->how->over && newer_spare(restore, snapshot, e) < 0)
		return -1;
	return copying_run(&restore->copying, snapshot, e);
}

static int restore_run(struct restore *restore, struct err *e)
{
	if (content_restore(restore, e) < 0)
		return -1;
	if (restore->how->over && old_set_aside(restore->data, e) < 0)
		return -1;
	return file_place(restore->data, restore->draft, DATABASE, e);
}

int store_restore(const struct store_restore *how, struct store_copied *out,
		  struct err *e)
{
	auto_fd int backup_held = -1, data_held = -1;
	struct restore restore = {
		.how = how,
		.draft = how->over ? DATABASE ".over" : DATABASE_NEW,
		.copying = { .how = &how->copying, .out = out },
	};

	thread_may_wait("store_restore");
	*out = (struct store_copied){ 0 };
	auto_fd int backup = io_open_dir(how->backup, e);
	if (backup < 0)
		return -1;
	restore.backup = backup;
	if (backup_check(&restore, e) < 0 ||
	    backup_lock(how->backup, backup, LOCK_SH, &backup_held, e) < 0)
		return -1;
	auto_fd int data = io_make_dir(how->data, e);
	if (data < 0)
		return -1;
	restore.data = data;
	if (data_check(&restore, e) < 0 ||
	    data_lock(how->data, data, &data_held, e) < 0 ||
	    restore_run(&restore, e) < 0)
		return -1;
	return copying_end(out, e);
}
