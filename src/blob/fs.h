/*
 * blob/fs.h: what the files of the store on a file system share. Not for other
 * rooms.
 */
#pragma once
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>

#include "blob/backend.h"

struct blob_fs {
	struct blob_store store;
	int above;			/* <root> */
	int root;			/* <root>/blobs */
	pthread_mutex_t lock;		/* held to make a directory */
	bool looked[DIGEST_ALGORITHMS]; /* into it; by `lock` */
	/* Directories whose names are known to be durable. */
	atomic_bool durable[DIGEST_ALGORITHMS][256];

	/* Of whoever copies: */
	bool no_clone; /* the file system cannot */
};

struct blob_fs *fs_of(struct blob_store *);

/* Below <root>/blobs: "sha256/ab", "abc….17". */
struct blob_path {
	char dir[16];
	char name[DIGEST_TEXT_MAX + 24];
};
struct blob_path fs_path(const struct digest *, uint64_t id);

/* The directory of a blob; it is made, durably, if need be. */
int fs_dir_need(struct blob_fs *, const struct digest *,
		const struct blob_path *, struct err *) must_check;

/* What the file `name` of a blob is called after; false if it is none's. */
bool fs_name_parse(enum digest_algorithm, const char *name,
		   struct digest *digest_out, uint64_t *id_out);

/* The directory `name` in `parent`; null with *e set, or if there is none. */
DIR *fs_dir_read(int parent, const char *name, struct err *e);
/* The next name; null at the end, or with *e set. */
const char *fs_dir_next(DIR *, struct err *e);
void fs_dir_end(DIR **);

/* As blob_strays; `root` is <root>/blobs. */
int fs_strays_walk(int root, blob_stray visit, void *arg, struct err *)
	must_check;

/* As blob_copy and blob_settle. */
int fs_copy(struct blob_store *, const struct digest *, uint64_t id,
	    const struct blob_source *, enum blob_way *out, struct err *)
	must_check;
int fs_settle(struct blob_store *, struct err *) must_check;
