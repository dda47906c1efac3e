/*
 * Copies of files: sharing their bytes where the file system can, being the
 * same file where the caller allows it, and else byte for byte.
 *
 * A copy gets its bytes under a name that is no blob's, so that under a blob's
 * name there never is a part of one. Its directory is synced with those of all
 * others in the end: an fsync each would be most of the time that it takes.
 */
#include <errno.h>
#include <stdio.h>

#include "base/io.h"
#include "blob/fs.h"

#define PIECE ((int64_t)4 * 1024 * 1024)

/* Of one that is not whole yet; below <root>/blobs. */
static const char draft[] = "copy";

static int bytes_copy(const struct blob_source *source, int to, struct err *e)
{
	for (int64_t at = 0; at < source->size; at += PIECE) {
		int64_t left = source->size - at;
		int64_t len = left < PIECE ? left : PIECE;

		if (io_copy(source->fd, to, at, len, e) < 0)
			return -1;
		if (!source->go_on(len, source->arg))
			return err_set(e, ERR_CLOSED, "it was told to end");
	}
	return 0;
}

static bool is_linked(const struct blob_source *source, int dir,
		      const char *name)
{
	struct err ignored;

	return source->may_link &&
	       io_link(source->fd, dir, name, &ignored) == 0;
}

static int draft_open(const struct blob_fs *fs, struct err *e)
{
	return io_open_at(fs->root, draft, O_WRONLY | O_CREAT | O_TRUNC, e);
}

/* It is whole: its bytes become durable, and it gets its name. */
static int draft_name(const struct blob_fs *fs, int fd, int dir,
		      const char *name, struct err *e)
{
	if (io_sync(fd, e) < 0)
		return -1;
	return renameat(fs->root, draft, dir, name) < 0 ?
		       err_sys(e, "%s", name) :
		       0;
}

int fs_copy(struct blob_store *store, const struct digest *digest, uint64_t id,
	    const struct blob_source *source, enum blob_way *out, struct err *e)
{
	struct blob_fs *fs = fs_of(store);
	struct blob_path path = fs_path(digest, id);

	auto_fd int dir = fs_dir_need(fs, digest, &path, e);
	if (dir < 0)
		return -1;
	*out = BLOB_LINKED;
	if (fs->no_clone && is_linked(source, dir, path.name))
		return 0;
	auto_fd int to = draft_open(fs, e);
	if (to < 0)
		return -1;
	*out = BLOB_CLONED;
	if (!fs->no_clone && io_clone(source->fd, to))
		return draft_name(fs, to, dir, path.name, e);
	fs->no_clone = true;
	*out = BLOB_LINKED;
	if (is_linked(source, dir, path.name))
		return 0;
	*out = BLOB_COPIED;
	if (bytes_copy(source, to, e) < 0)
		return -1;
	return draft_name(fs, to, dir, path.name, e);
}

/* Fine if there is none. */
static int dir_settle(const struct blob_fs *fs, const char *name, struct err *e)
{
	auto_fd int dir = io_open_at(fs->root, name, O_RDONLY | O_DIRECTORY, e);

	if (dir < 0)
		return e->sys == ENOENT ? 0 : -1;
	return io_sync(dir, e);
}

static int algorithm_settle(const struct blob_fs *fs, const char *algorithm,
			    struct err *e)
{
	char name[16];

	for (unsigned bucket = 0; bucket < 256; bucket++) {
		snprintf(name, sizeof(name), "%s/%02x", algorithm, bucket);
		if (dir_settle(fs, name, e) < 0)
			return -1;
	}
	return dir_settle(fs, algorithm, e);
}

/* All of them: what is there may be from an attempt that was cut short. */
int fs_settle(struct blob_store *store, struct err *e)
{
	const struct blob_fs *fs = fs_of(store);

	for (int i = 0; i < DIGEST_ALGORITHMS; i++) {
		const char *name =
			digest_algorithm_text((enum digest_algorithm)i);

		if (algorithm_settle(fs, name, e) < 0)
			return -1;
	}
	if (io_unlink_at(fs->root, draft, e) < 0)
		return -1;
	return io_sync(fs->root, e);
}
