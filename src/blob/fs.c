/*
 * Blobs as files: <root>/blobs/<algorithm>/<2 digits>/<all digits>.<id>
 *
 * The bytes of what is committed are durable before they get a name here.
 * Directories are made by the first blob that needs them.
 */
#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/thread.h"
#include "blob/fs.h"

struct blob_fs *fs_of(struct blob_store *store)
{
	return (struct blob_fs *)store;
}

/* ----------------------------------------------------------------- names */

struct blob_path fs_path(const struct digest *digest, uint64_t id)
{
	struct digest_text hex = digest_hex(digest);
	struct blob_path path;

	snprintf(path.dir, sizeof(path.dir), "%s/%.2s",
		 digest_algorithm_text(digest->algorithm), hex.s);
	snprintf(path.name, sizeof(path.name), "%s.%llu", hex.s,
		 (unsigned long long)id);
	return path;
}

bool fs_name_parse(enum digest_algorithm algorithm, const char *name,
		   struct digest *digest_out, uint64_t *id_out)
{
	char text[DIGEST_TEXT_MAX];
	struct span id = span_of(name);
	struct span hex = span_cut(&id, '.');
	int64_t number = span_decimal(id);
	struct err e;

	if (number <= 0 || hex.len >= 2 * sizeof(digest_out->bytes) + 1)
		return false;
	snprintf(text, sizeof(text), "%s:%.*s",
		 digest_algorithm_text(algorithm), SPAN_ARG(hex));
	*id_out = (uint64_t)number;
	return digest_parse(span_of(text), digest_out, &e) == 0;
}

/* ---------------------------------------------------------------- commit */

/*
 * The directory of an algorithm. What is in it need not be durable, if whoever
 * made it was killed: so the first look into it after a start syncs the way.
 */
static int parent_open(struct blob_fs *fs, enum digest_algorithm algorithm,
		       struct err *e)
{
	const char *name = digest_algorithm_text(algorithm);

	if (io_make_dir_at(fs->root, name, e) < 0)
		return -1;
	auto_fd int parent =
		io_open_at(fs->root, name, O_RDONLY | O_DIRECTORY, e);
	if (parent < 0)
		return -1;
	if (!fs->looked[algorithm] &&
	    (io_sync(fs->root, e) < 0 || io_sync(parent, e) < 0))
		return -1;
	fs->looked[algorithm] = true;
	return steal_fd(&parent);
}

/* The directory of a blob, durably. */
static int dir_make(struct blob_fs *fs, const struct digest *digest,
		    const struct blob_path *path, struct err *e)
{
	hold_mutex(&fs->lock);
	auto_fd int parent = parent_open(fs, digest->algorithm, e);

	if (parent < 0)
		return -1;
	if (io_make_dir_at(parent, strchr(path->dir, '/') + 1, e) < 0) {
		fs->looked[digest->algorithm] = false;
		return -1;
	}
	fs->durable[digest->algorithm][digest->bytes[0]] = true;
	return io_open_at(fs->root, path->dir, O_RDONLY | O_DIRECTORY, e);
}

/* Somebody may have tidied it up, since it was empty. */
int fs_dir_need(struct blob_fs *fs, const struct digest *digest,
		const struct blob_path *path, struct err *e)
{
	if (fs->durable[digest->algorithm][digest->bytes[0]]) {
		int dir = io_open_at(fs->root, path->dir,
				     O_RDONLY | O_DIRECTORY, e);

		if (dir >= 0 || e->sys != ENOENT)
			return dir;
	}
	return dir_make(fs, digest, path, e);
}

/* What an earlier attempt of the same incarnation has left gives way. */
static int name_give(int fd, int dir, const char *name, struct err *e)
{
	if (io_link(fd, dir, name, e) == 0)
		return 0;
	if (e->sys != EEXIST || io_unlink_at(dir, name, e) < 0)
		return -1;
	return io_link(fd, dir, name, e);
}

static int fs_commit(struct blob_store *store, const struct digest *digest,
		     uint64_t id, int fd, struct err *e)
{
	struct blob_fs *fs = fs_of(store);
	struct blob_path path = fs_path(digest, id);

	auto_fd int dir = fs_dir_need(fs, digest, &path, e);
	if (dir < 0)
		return -1;
	if (name_give(fd, dir, path.name, e) < 0)
		return -1;
	return io_sync(dir, e);
}

/* ------------------------------------------------ peek, delete, set aside */

static int fs_peek(struct blob_store *store, const struct digest *digest,
		   uint64_t id, struct blob_place *out, struct err *e)
{
	struct blob_path path = fs_path(digest, id);
	char whole[sizeof(path.dir) + sizeof(path.name)];

	snprintf(whole, sizeof(whole), "%s/%s", path.dir, path.name);
	auto_fd int fd =
		openat(fs_of(store)->root, whole, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? blob_missing(digest, id, e) :
					 err_sys(e, "%s", whole);
	if (io_size(fd, &out->size, e) < 0)
		return -1;
	out->kind = BLOB_AT_FILE;
	out->fd = steal_fd(&fd);
	return 0;
}

static int fs_delete(struct blob_store *store, const struct digest *digest,
		     uint64_t id, struct err *e)
{
	struct blob_path path = fs_path(digest, id);
	char whole[sizeof(path.dir) + sizeof(path.name)];

	snprintf(whole, sizeof(whole), "%s/%s", path.dir, path.name);
	return io_unlink_at(fs_of(store)->root, whole, e);
}

static int fs_set_aside(struct blob_store *store, const struct digest *digest,
			uint64_t id, struct err *e)
{
	const struct blob_fs *fs = fs_of(store);
	struct blob_path path = fs_path(digest, id);
	char from[sizeof(path.dir) + sizeof(path.name)];

	snprintf(from, sizeof(from), "%s/%s", path.dir, path.name);
	if (io_make_dir_at(fs->above, "quarantine", e) < 0)
		return -1;
	auto_fd int to =
		io_open_at(fs->above, "quarantine", O_RDONLY | O_DIRECTORY, e);
	if (to < 0)
		return -1;
	if (renameat(fs->root, from, to, path.name) == 0 || errno == ENOENT)
		return 0;
	return err_sys(e, "%s", from);
}

/* ------------------------------------------------------------------ list */

struct walk {
	enum digest_algorithm algorithm;
	blob_visit visit;
	void *arg;
};

void fs_dir_end(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

DIR *fs_dir_read(int parent, const char *name, struct err *e)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	e->kind = ERR_NONE;
	if (fd < 0) {
		if (errno != ENOENT && errno != ENOTDIR)
			err_sys(e, "%s", name);
		return NULL;
	}
	DIR *dir = fdopendir(fd);
	if (!dir) {
		err_sys(e, "%s", name);
		close(fd);
	}
	return dir;
}

const char *fs_dir_next(DIR *dir, struct err *e)
{
	struct dirent *entry;

	do {
		errno = 0;
		entry = readdir(dir);
	} while (entry && (strcmp(entry->d_name, ".") == 0 ||
			   strcmp(entry->d_name, "..") == 0));
	e->kind = ERR_NONE;
	if (!entry && errno)
		err_sys(e, "blobs");
	return entry ? entry->d_name : NULL;
}

static int file_visit(const struct walk *walk, int dir, const char *name,
		      struct err *e)
{
	struct digest digest;
	uint64_t id;
	struct stat st;

	if (!fs_name_parse(walk->algorithm, name, &digest, &id))
		return 0;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "%s", name);
	return walk->visit(&digest, id, st.st_size, walk->arg, e);
}

static int files_walk(const struct walk *walk, int parent, const char *name,
		      struct err *e)
{
	auto_with(fs_dir_end) DIR *dir = fs_dir_read(parent, name, e);

	while (dir && (name = fs_dir_next(dir, e))) {
		if (file_visit(walk, dirfd(dir), name, e) < 0)
			return -1;
	}
	return e->kind == ERR_NONE ? 0 : -1;
}

static int algorithm_walk(const struct walk *walk, int root, struct err *e)
{
	const char *name = digest_algorithm_text(walk->algorithm);
	auto_with(fs_dir_end) DIR *dir = fs_dir_read(root, name, e);

	while (dir && (name = fs_dir_next(dir, e))) {
		if (files_walk(walk, dirfd(dir), name, e) < 0)
			return -1;
	}
	return e->kind == ERR_NONE ? 0 : -1;
}

static int fs_list(struct blob_store *store, blob_visit visit, void *arg,
		   struct err *e)
{
	for (int i = 0; i < DIGEST_ALGORITHMS; i++) {
		struct walk walk = { (enum digest_algorithm)i, visit, arg };

		if (algorithm_walk(&walk, fs_of(store)->root, e) < 0)
			return -1;
	}
	return 0;
}

static int fs_strays(struct blob_store *store, blob_stray visit, void *arg,
		     struct err *e)
{
	return fs_strays_walk(fs_of(store)->root, visit, arg, e);
}

/* ------------------------------------------------------- opening, closing */

static void fs_close(struct blob_store *store)
{
	struct blob_fs *fs = fs_of(store);

	close(fs->root);
	close(fs->above);
	pthread_mutex_destroy(&fs->lock);
	free(fs);
}

static const struct blob_backend fs_backend = {
	.commit = fs_commit,
	.peek = fs_peek,
	.delete = fs_delete,
	.set_aside = fs_set_aside,
	.list = fs_list,
	.strays = fs_strays,
	.copy = fs_copy,
	.settle = fs_settle,
	.close = fs_close,
};

int blob_fs_open(const char *root, struct blob_store **out, struct err *e)
{
	auto_fd int above = io_make_dir(root, e);
	if (above < 0 || io_make_dir_at(above, "blobs", e) < 0)
		return -1;
	auto_fd int blobs =
		io_open_at(above, "blobs", O_RDONLY | O_DIRECTORY, e);
	if (blobs < 0)
		return -1;

	struct blob_fs *fs = mem_alloc(sizeof(*fs));
	fs->store.backend = &fs_backend;
	pthread_mutex_init(&fs->lock, NULL);
	fs->root = steal_fd(&blobs);
	fs->above = steal_fd(&above);
	*out = &fs->store;
	return 0;
}
