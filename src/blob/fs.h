/*
 * blob/fs.h: what the files of the store on a file system share. Not for other
 * rooms.
 */
#pragma once
#include <dirent.h>

#include "blob/backend.h"

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
