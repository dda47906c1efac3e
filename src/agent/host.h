/*
 * agent/host.h: files of the host, below a root.
 *
 * Paths are absolute and as the host sees them. Symbolic links are followed,
 * and never out of the root. What a call has changed is durable when it
 * returns 0, and a file is seen whole: as before, or as after.
 */
#pragma once
#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"

/* A file that is managed is text, and small. */
#define HOST_FILE_MOST (1024 * 1024)

struct stat;

/* A path that the host has made canonical, with its NUL. */
struct host_path {
	char s[PATH_MAX];
};

struct host {
	int root;
	dev_t device;
	struct host_path at; /* the root, as this process sees it */
};

int host_open(const char *root, struct host *out, struct err *)
	may_wait must_check;
void host_close(struct host *);

struct host_file {
	struct host_path path; /* where it is, or would be: links are followed
				*/
	bool exists;
	bool apart; /* on another file system than the root */
	struct buf text;
	mode_t mode; /* all of these: if it exists */
	uid_t uid;
	gid_t gid;
	ino_t number;
	nlink_t names;		    /* hard links */
	struct timespec changed[2]; /* its bytes, and all else of it */
};
void host_file_free(struct host_file *);
#define auto_host_file auto_with(host_file_free)

/*
 * Looks at what is at `path`. Nothing there is no error. ERR_CONFLICT: it is
 * no plain file, a link to nothing, or larger than HOST_FILE_MOST. ERR_BUSY:
 * somebody replaces it again and again.
 */
int host_read(const struct host *, const char *path, struct host_file *out,
	      struct err *) may_wait must_check;

/*
 * Makes `text` the contents of a file that host_read has found, or has not. It
 * keeps mode, owner and extended attributes, and a new one is root's with mode
 * 0644. The directory is there. ERR_BUSY: somebody has changed it since, and it
 * is left so. ERR_CONFLICT: it has other names, which would keep what was.
 */
int host_replace(const struct host *, const struct host_file *,
		 struct span text, struct err *) may_wait must_check;

/*
 * Removes a file that host_read has found; fine if it has found none, or its
 * directory is gone. ERR_BUSY: somebody has changed it since, and it is left
 * so.
 */
int host_remove(const struct host *, const struct host_file *, struct err *)
	may_wait must_check;
/* Removes what a replacement of `path` that was cut short may have left. */
int host_tidy(const struct host *, const char *path, struct err *)
	may_wait must_check;
/* The file gets the suffix ".edited", or ".edited.2" if that is taken… */
int host_set_aside(const struct host *, const char *path, struct err *)
	may_wait must_check;

/* One directory, of mode 0755; fine if it is there. */
int host_make_dir(const struct host *, const char *path, struct err *)
	may_wait must_check;
/* Fine if it is not there, not empty, no directory, or mounted. */
int host_remove_dir(const struct host *, const char *path, struct err *)
	may_wait must_check;

/* Is anything there? A link to nothing is not. */
bool host_has(const struct host *, const char *path) may_wait;
/* Likewise, and what it is. */
bool host_stat(const struct host *, const char *path, struct stat *out)
	may_wait;

/*
 * Adds the names in a directory, each followed by a NUL, sorted; none if there
 * is no such directory.
 */
int host_list(const struct host *, const char *path, struct buf *names,
	      struct err *) may_wait must_check;

/* "/etc/a" for "/etc/a/b", "/" for "/etc". */
struct host_path host_parent(const char *path);
