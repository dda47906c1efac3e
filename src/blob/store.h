/*
 * blob/store.h: where the bytes of blobs lie.
 *
 * A blob is named by its digest and its incarnation (`id`): two arrivals of
 * one digest are two files, so that removing one never hurts the other. This
 * room knows nothing of repositories or references; store/ does.
 *
 * Every call may block on the disk, except blob_peek. All are safe to call
 * from any thread.
 */
#pragma once
#include "base/attr.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "oci/digest.h"

struct blob_store;

/* Files below `root`/blobs, which is made if it is not there. */
int blob_fs_open(const char *root, struct blob_store **out, struct err *)
	may_wait must_check;

/* In memory, for tests: the same promises until the process ends. */
struct blob_store *blob_mem_open(void);

/*
 * Another store with faults in front, for tests: at the `nth` next call of
 * `verb` (1 is the next), before or after it does its work (a peek always
 * before), `meanwhile` runs, if there is one, and the call fails as `kind`
 * says; with ERR_NONE it goes on. Owns `inner`.
 */
enum blob_verb {
	BLOB_COMMIT,
	BLOB_PEEK,
	BLOB_DELETE,
	BLOB_SET_ASIDE,
	BLOB_LIST,
	BLOB_COPY
};
struct blob_fault {
	enum blob_verb verb;
	unsigned nth;
	enum err_kind kind;
	bool after;
	void (*meanwhile)(void *arg); /* may use the store */
	void *arg;
};
struct blob_store *blob_fault_open(struct blob_store *inner);
void blob_fault_set(struct blob_store *, const struct blob_fault *);

void blob_close(struct blob_store **);
DEFINE_AUTO(blob_store, blob_close)

struct blob_place {
	enum { BLOB_AT_FILE } kind;
	int fd;	      /* owned by the caller, O_RDONLY */
	int64_t size; /* bytes */
};

/*
 * Makes the finished file `fd`, which is synced, the blob `digest`.`id`. When
 * this returns 0 its name is durable, too. `fd` stays the caller's, and so does
 * any other name of the file. ERR_NO_SPACE, ERR_IO; then there may be a
 * leftover, which nothing refers to, and which gives way when the same
 * incarnation comes again.
 */
int blob_commit(struct blob_store *, const struct digest *, uint64_t id, int fd,
		struct err *) may_wait must_check;

/* Never waits. ERR_NOT_FOUND if that incarnation is not here. */
int blob_peek(struct blob_store *, const struct digest *, uint64_t id,
	      struct blob_place *place_out, struct err *) must_check;

/* Fine if it is gone. Readers that have it open are not hurt. */
int blob_delete(struct blob_store *, const struct digest *, uint64_t id,
		struct err *) may_wait must_check;

/*
 * As blob_delete, but whoever runs this can still look at the file: it lies in
 * `root`/quarantine, and no call here knows of it. In memory nothing is kept.
 */
int blob_set_aside(struct blob_store *, const struct digest *, uint64_t id,
		   struct err *) may_wait must_check;

/* Calls `visit` for every blob, in no order; a -1 of it ends the walk. */
typedef int (*blob_visit)(const struct digest *, uint64_t id, int64_t size,
			  void *arg, struct err *);
int blob_list(struct blob_store *, blob_visit, void *arg, struct err *)
	may_wait must_check;

/*
 * Calls `visit` for everything that lies among the blobs and is none, with its
 * path below `root`; a -1 of it ends the walk.
 */
typedef int (*blob_stray)(const char *path, int64_t size, void *arg,
			  struct err *);
int blob_strays(struct blob_store *, blob_stray visit, void *arg, struct err *)
	may_wait must_check;

/* ---------------------------------------------------------------- copies */

struct blob_source {
	int fd; /* stays the caller's */
	int64_t size;
	bool may_link; /* the copy may be another name of the same file */
	/* Asked after each piece that was copied; false: ERR_CLOSED. */
	bool (*go_on)(int64_t bytes, void *arg);
	void *arg;
};

enum blob_way {
	BLOB_CLONED, /* they share their bytes until one of them changes */
	BLOB_LINKED, /* they are one file */
	BLOB_COPIED,
	BLOB_WAYS
};

/*
 * Makes a copy of a file the blob `digest`.`id`, in the cheapest way that the
 * file system knows; whatever had that name gives way. Bytes are durable when
 * it returns, the name is after blob_settle. One call at a time.
 */
int blob_copy(struct blob_store *, const struct digest *, uint64_t id,
	      const struct blob_source *, enum blob_way *out, struct err *)
	may_wait must_check;
/* The names of all that is there are durable. */
int blob_settle(struct blob_store *, struct err *) may_wait must_check;
