/*
 * store/copying.h: what a backup and a restore are made of. Not for other
 * rooms.
 */
#pragma once
#include "store/inside.h"

/* From one store of blobs to another: all that a snapshot names. */
struct copying {
	struct blob_store *from;
	struct blob_store *to;
	bool may_link;
	const struct store_copying *how;
	struct store_copied *out;
	int64_t done; /* bytes, of all that a snapshot names */
	int64_t all;

	/* It is in neither. Null: it is lost. */
	int (*missing)(struct copying *, const struct meta_copy *,
		       struct err *);
	/* Is it known to be, where it comes from? 1, 0, -1. Null: nothing is.
	 */
	int (*is_damaged)(struct copying *, const struct meta_copy *,
			  struct err *);
	struct store *store; /* for both */
	bool vanished;	     /* for `missing` */
};

/* Durably. The names of both are read from `snapshot`. */
int copying_run(struct copying *, struct meta_snapshot *snapshot, struct err *)
	may_wait must_check;
/* It is lost for good. */
void copying_lost(struct copying *, const struct meta_copy *);
/* ERR_CORRUPT if anything was lost, else 0. */
int copying_end(const struct store_copied *, struct err *) must_check;

/* The file `name` in `dir` becomes `name_new`, durably. */
int file_place(int dir, const char *name, const char *name_new, struct err *)
	may_wait must_check;

/*
 * The lock of a backup, of which `dir` is open, for `how` of flock(2): to
 * change it, or to read. ERR_USAGE, ERR_BUSY.
 */
int backup_lock(const char *path, int dir, int how, int *lock_out, struct err *)
	may_wait must_check;

/* Has it nothing in it, but for what a file system puts there, and a lock? */
int dir_is_empty(int dir, bool *out, struct err *) may_wait must_check;
