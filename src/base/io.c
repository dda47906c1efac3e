/*
 * System calls that go on after an interruption or a short count, and name
 * what they failed at.
 */
#include "base/io.h"

#include <errno.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/thread.h"

#define DIRECTORY (O_RDONLY | O_DIRECTORY | O_CLOEXEC)
#define READ_PIECE (64 * 1024)
#define COPY_PIECE (256 * 1024)

int io_open_dir(const char *path, struct err *e)
{
	thread_may_wait("io_open_dir");
	int fd = open(path, DIRECTORY);

	return fd < 0 ? err_sys(e, "%s", path) : fd;
}

/* The directory in which `path` stands; `path` is cut short. */
static int parent_sync(char *path, struct err *e)
{
	char *slash = strrchr(path, '/');

	if (slash == path)
		slash++;
	if (slash)
		*slash = '\0';
	auto_fd int dir = io_open_dir(slash ? path : ".", e);
	if (dir < 0)
		return -1;
	return io_sync(dir, e);
}

/* What is not durable goes: who comes next would take it for that. */
static int one_dir_make(const char *path, struct err *e)
{
	auto_free char *parent = mem_text(path);

	if (mkdir(path, 0700) < 0)
		return errno == EEXIST ? 0 : err_sys(e, "%s", path);
	if (parent_sync(parent, e) == 0)
		return 0;
	rmdir(path);
	return -1;
}

/* Whoever made it may have been killed before its name was durable. */
static int name_settle(int dir)
{
	auto_fd int parent = openat(dir, "..", DIRECTORY);

	if (parent >= 0)
		fsync(parent);
	return dir;
}

int io_make_dir(const char *path, struct err *e)
{
	thread_may_wait("io_make_dir");
	auto_free char *part = mem_text(path);

	for (char *at = part; *at; at++) {
		if (*at != '/' || at == part)
			continue;
		*at = '\0';
		if (one_dir_make(part, e) < 0)
			return -1;
		*at = '/';
	}
	if (one_dir_make(part, e) < 0)
		return -1;
	int dir = io_open_dir(path, e);
	return dir < 0 ? -1 : name_settle(dir);
}

int io_make_dir_at(int dir, const char *name, struct err *e)
{
	thread_may_wait("io_make_dir_at");
	if (mkdirat(dir, name, 0700) < 0)
		return errno == EEXIST ? 0 : err_sys(e, "%s", name);
	if (io_sync(dir, e) == 0)
		return 0;
	unlinkat(dir, name, AT_REMOVEDIR);
	return -1;
}

int io_open_at(int dir, const char *name, int flags, struct err *e)
{
	thread_may_wait("io_open_at");
	int fd = openat(dir, name, flags | O_CLOEXEC, 0600);

	return fd < 0 ? err_sys(e, "%s", name) : fd;
}

int io_write_at(int fd, int64_t offset, struct span span, struct err *e)
{
	thread_may_wait("io_write_at");
	while (span.len) {
		ssize_t done = pwrite(fd, span.at, span.len, offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return err_sys(e, "write");
		offset += done;
		span = span_from(span, (size_t)done);
	}
	return 0;
}

int io_read_at(int fd, int64_t offset, void *out, size_t size, struct err *e)
{
	thread_may_wait("io_read_at");
	for (char *at = out; size;) {
		ssize_t done = pread(fd, at, size, offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return err_sys(e, "read");
		if (done == 0)
			return err_set(e, ERR_CORRUPT, "file ends at %lld",
				       (long long)offset);
		at += done;
		offset += done;
		size -= (size_t)done;
	}
	return 0;
}

int io_size(int fd, int64_t *size_out, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "stat");
	*size_out = st.st_size;
	return 0;
}

int io_reserve(int fd, int64_t size, struct err *e)
{
	thread_may_wait("io_reserve");
	if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, size) == 0)
		return 0;
	err_sys(e, "reserve");
	return e->kind == ERR_NO_SPACE ? -1 : 0;
}

int io_truncate(int fd, int64_t size, struct err *e)
{
	thread_may_wait("io_truncate");
	return ftruncate(fd, size) < 0 ? err_sys(e, "truncate") : 0;
}

bool io_clone(int from, int to)
{
	thread_may_wait("io_clone");
	return ioctl(to, FICLONE, from) == 0;
}

int io_copy(int from, int to, int64_t offset, int64_t size, struct err *e)
{
	auto_free char *piece = mem_alloc(COPY_PIECE);

	thread_may_wait("io_copy");
	while (size > 0) {
		size_t len = size < COPY_PIECE ? (size_t)size : COPY_PIECE;

		if (io_read_at(from, offset, piece, len, e) < 0) {
			e->kind = ERR_CORRUPT;
			return -1;
		}
		if (io_write_at(to, offset, span_make(piece, len), e) < 0)
			return -1;
		offset += (int64_t)len;
		size -= (int64_t)len;
	}
	return 0;
}

int io_sync(int fd, struct err *e)
{
	thread_may_wait("io_sync");
	return fsync(fd) < 0 ? err_sys(e, "fsync") : 0;
}

int io_link(int fd, int dir, const char *name, struct err *e)
{
	char path[32];

	thread_may_wait("io_link");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, path, dir, name, AT_SYMLINK_FOLLOW) < 0)
		return err_sys(e, "%s", name);
	return 0;
}

int io_unlink_at(int dir, const char *name, struct err *e)
{
	thread_may_wait("io_unlink_at");
	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	return err_sys(e, "%s", name);
}

/* One more piece; 0 at the end of the file. */
static ssize_t piece_read(int fd, struct buf *out)
{
	ssize_t done;

	buf_reserve(out, READ_PIECE);
	do
		done = read(fd, out->at + out->len, READ_PIECE);
	while (done < 0 && errno == EINTR);
	if (done > 0)
		out->len += (size_t)done;
	out->at[out->len] = '\0';
	return done;
}

int io_read_file(const char *path, size_t limit, struct buf *out, struct err *e)
{
	size_t before = out->len;
	ssize_t done;

	thread_may_wait("io_read_file");
	auto_fd int fd = io_open_at(AT_FDCWD, path, O_RDONLY, e);
	if (fd < 0)
		return -1;
	do {
		done = piece_read(fd, out);
		if (out->len - before > limit)
			return err_set(e, ERR_TOO_LARGE,
				       "%s: larger than %zu bytes", path,
				       limit);
	} while (done > 0);
	return done < 0 ? err_sys(e, "%s", path) : 0;
}

int io_read_line(const char *path, size_t limit, struct buf *out, struct err *e)
{
	size_t before = out->len;

	if (io_read_file(path, limit, out, e) < 0)
		return -1;
	struct span rest = span_from(buf_span(out), before);
	struct span line = span_cut(&rest, '\n');
	if (span_ends(line, "\r"))
		line.len--;
	out->len = before + line.len;
	return 0;
}
