/*
 * base/io.h: files. Each call may block, and says in its error which file.
 * Descriptors are close-on-exec.
 */
#pragma once
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"

/*
 * A descriptor of a directory: of one that exists, or is made (0700) with its
 * parents. What is made is durable.
 */
int io_open_dir(const char *path, struct err *) may_wait must_check;
int io_make_dir(const char *path, struct err *) may_wait must_check;
/* One directory below `dir`, durable too; 0, also if it was there. */
int io_make_dir_at(int dir, const char *name, struct err *) may_wait must_check;

/* `flags` are open(2)'s; a file that it makes has mode 0600. */
int io_open_at(int dir, const char *name, int flags, struct err *)
	may_wait must_check;
int io_write_at(int fd, int64_t offset, struct span, struct err *)
	may_wait must_check;
/* Reads exactly `size` bytes; an early end is ERR_CORRUPT. */
int io_read_at(int fd, int64_t offset, void *out, size_t size, struct err *)
	may_wait must_check;
int io_size(int fd, int64_t *size_out, struct err *) must_check;
/*
 * Sets room aside for `size` bytes, of which the file may have fewer. 0 also
 * where that cannot be done. ERR_NO_SPACE.
 */
int io_reserve(int fd, int64_t size, struct err *) may_wait must_check;
int io_truncate(int fd, int64_t size, struct err *) may_wait must_check;

/* Makes the empty file `to` share the bytes of `from`; false: not here. */
bool io_clone(int from, int to) may_wait must_check;
/* Copies `size` bytes at `offset`. What cannot be read is ERR_CORRUPT. */
int io_copy(int from, int to, int64_t offset, int64_t size, struct err *)
	may_wait must_check;

/*
 * fsync. After a failure the kernel may have dropped the dirty pages: never
 * sync that file again, throw it away.
 */
int io_sync(int fd, struct err *) may_wait must_check;

/* Gives the open file `fd` the name `dir`/`name`; ERR_IO if it is taken. */
int io_link(int fd, int dir, const char *name, struct err *)
	may_wait must_check;
/* Fine if there is no such file. */
int io_unlink_at(int dir, const char *name, struct err *) may_wait must_check;

/* Adds the whole file, at most `limit` bytes (ERR_TOO_LARGE). */
int io_read_file(const char *path, size_t limit, struct buf *out, struct err *)
	may_wait must_check;

/* Likewise, and of what was added only the first line stays, without its end.
 */
int io_read_line(const char *path, size_t limit, struct buf *out, struct err *)
	may_wait must_check;
