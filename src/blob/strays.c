/*
 * What lies among the blobs and is none: whatever blob/fs.c would not make.
 * A directory that is not ours is one thing; nobody looks into it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "blob/fs.h"

/* blobs, sha256, ab, abc….17 */
enum depth { ROOT, ALGORITHM, BUCKET };

struct place {
	enum depth depth;
	enum digest_algorithm algorithm; /* from ALGORITHM on */
	const char *bucket;		 /* its two digits */
	const char *path;		 /* "blobs/sha256/ab" */
	blob_stray visit;
	void *arg;
};

static bool is_bucket(const char *name)
{
	return strlen(name) == 2 && strspn(name, "0123456789abcdef") == 2;
}

static bool is_blob(const struct place *in, const char *name)
{
	struct digest digest;
	uint64_t id;

	return strncmp(name, in->bucket, 2) == 0 &&
	       fs_name_parse(in->algorithm, name, &digest, &id);
}

/* Is it what belongs there? */
static bool is_ours(struct place *in, const char *name, const struct stat *st)
{
	switch (in->depth) {
	case ROOT:
		return S_ISDIR(st->st_mode) &&
		       digest_algorithm_parse(span_of(name), &in->algorithm);
	case ALGORITHM:
		return S_ISDIR(st->st_mode) && is_bucket(name);
	case BUCKET:
		break;
	}
	return S_ISREG(st->st_mode) && is_blob(in, name);
}

static int place_walk(int parent, const char *name, struct place *in,
		      struct err *e);

/* One level further down, as far as there are any. */
static int below_walk(int dir, const char *name, const char *path,
		      const struct place *in, struct err *e)
{
	struct place below = *in;

	if (in->depth == BUCKET)
		return 0;
	below.depth++;
	below.bucket = name;
	below.path = path;
	return place_walk(dir, name, &below, e);
}

static int entry_walk(int dir, const char *name, struct place *in,
		      struct err *e)
{
	char path[512];
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "%s", name);
	snprintf(path, sizeof(path), "%s/%s", in->path, name);
	if (is_ours(in, name, &st))
		return below_walk(dir, name, path, in, e);
	return in->visit(path, S_ISREG(st.st_mode) ? st.st_size : 0, in->arg,
			 e);
}

static int place_walk(int parent, const char *name, struct place *in,
		      struct err *e)
{
	auto_with(fs_dir_end) DIR *dir = fs_dir_read(parent, name, e);

	while (dir && (name = fs_dir_next(dir, e))) {
		if (entry_walk(dirfd(dir), name, in, e) < 0)
			return -1;
	}
	return e->kind == ERR_NONE ? 0 : -1;
}

int fs_strays_walk(int root, blob_stray visit, void *arg, struct err *e)
{
	struct place top = {
		.depth = ROOT,
		.path = "blobs",
		.visit = visit,
		.arg = arg,
	};

	return place_walk(root, ".", &top, e);
}
