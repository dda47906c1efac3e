/*
 * Stands between a program and its disk (LD_PRELOAD): counts what it changes
 * below one directory, writes it down, ends the process at a given count, lets
 * calls fail, and sets the clock. What shall happen stands in a page that the
 * test and the program share: disk_shim.py has the same layout.
 *
 * While changes are written down they happen one at a time, so that the order
 * in the log is the order on the disk.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* The real function of this name, found once. */
#define REAL(name)                                                         \
	({                                                                 \
		static __typeof__(&name) real;                             \
		if (!real)                                                 \
			real = (__typeof__(&name))dlsym(RTLD_NEXT, #name); \
		real;                                                      \
	})

struct page {
	uint64_t count;	  /* changes so far */
	uint64_t kill_at; /* the process ends instead of this one; 0: never */
	int64_t clock;	  /* seconds that the wall clock is ahead */
	uint64_t met;	  /* faults so far */
	int32_t error;	  /* errno of the fault; 0: none */
	int32_t records;  /* whether to write a log */
	int64_t left;	  /* so many more calls fail */
	char call[16];	  /* which calls fail … */
	char part[64];	  /* … if this is in their path */
	char root[256];
	char log[256];
	int64_t filesystem; /* its magic number, as statfs tells; 0: the truth
			     */
};

/* In the log, each followed by path, other and data. */
struct record {
	char call[8];
	uint64_t count;
	uint64_t file;
	int64_t offset;
	uint32_t path, other, data;
};

struct change {
	char path[PATH_MAX];
	uint64_t count;
	bool ours, locked;
};

static struct page *page;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;

/* Other constructors may come first: whoever needs the page looks for it. */
static bool ready(void)
{
	static pthread_mutex_t once = PTHREAD_MUTEX_INITIALIZER;
	const char *path = getenv("DISK_SHIM");

	if (__atomic_load_n(&page, __ATOMIC_ACQUIRE) || !path)
		return page;
	pthread_mutex_lock(&once);
	if (!page) {
		int fd = REAL(open64)(path, O_RDWR | O_CLOEXEC);
		void *at = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE,
				MAP_SHARED, fd, 0);

		close(fd);
		if (at == MAP_FAILED)
			abort();
		__atomic_store_n(&page, at, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&once);
	return true;
}

/* ------------------------------------------------------------ where it is */

static void path_of(int fd, char *out)
{
	char link[40];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t len = readlink(link, out, PATH_MAX - 1);
	out[len > 0 ? len : 0] = '\0';
}

static void path_at(int dir, const char *name, char *out)
{
	if (dir == AT_FDCWD || *name == '/') {
		snprintf(out, PATH_MAX, "%s", name);
		return;
	}
	path_of(dir, out);
	size_t len = strlen(out);
	snprintf(out + len, PATH_MAX - len, "/%s", name);
}

static bool below_root(const char *path)
{
	size_t len = strlen(page->root);

	return strncmp(path, page->root, len) == 0 &&
	       (path[len] == '/' || path[len] == '\0');
}

static const char *relative(const char *path)
{
	return below_root(path) ? path + strlen(page->root) : "";
}

static uint64_t number_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

static uint64_t number_at(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_ino : 0;
}

/* -------------------------------------------------------------- a change */

/* False, with errno: the call fails. A "$" is where the path ends. */
static bool meet(const char *call, const char *path)
{
	int error = __atomic_load_n(&page->error, __ATOMIC_ACQUIRE);
	char whole[PATH_MAX + 1];

	if (!error || strcmp(call, page->call) != 0)
		return true;
	snprintf(whole, sizeof(whole), "%s$", path);
	if (!strstr(whole, page->part) ||
	    __atomic_fetch_sub(&page->left, 1, __ATOMIC_RELAXED) <= 0)
		return true;
	__atomic_add_fetch(&page->met, 1, __ATOMIC_RELAXED);
	errno = error;
	return false;
}

/* change->path is set. False: the call fails. */
static bool change_begin(struct change *change, const char *call)
{
	change->locked = false;
	change->ours = below_root(change->path);
	if (!change->ours)
		return true;
	if (!meet(call, change->path))
		return false;
	if (page->records) {
		pthread_mutex_lock(&lock);
		change->locked = true;
	}
	change->count = __atomic_add_fetch(&page->count, 1, __ATOMIC_SEQ_CST);
	if (change->count == page->kill_at) {
		kill(getpid(), SIGKILL);
		pause();
	}
	return true;
}

static void change_end(struct change *change)
{
	int before = errno;

	if (change->locked)
		pthread_mutex_unlock(&lock);
	errno = before;
}

static void change_note(const struct change *change, struct record record,
			const char *other, const void *data)
{
	int before = errno;

	if (!change->locked)
		return;
	if (log_fd < 0)
		log_fd = REAL(open64)(page->log,
				      O_WRONLY | O_APPEND | O_CLOEXEC);
	const char *path = relative(change->path);
	record.count = change->count;
	record.path = (uint32_t)strlen(path);
	record.other = (uint32_t)strlen(other);
	struct iovec parts[] = {
		{ &record, sizeof(record) },
		{ (void *)(uintptr_t)path, record.path },
		{ (void *)(uintptr_t)other, record.other },
		{ (void *)(uintptr_t)data, record.data },
	};
	if (writev(log_fd, parts, 4) < 0)
		abort();
	errno = before;
}

/* ------------------------------------------------------------------ files */

static int open_change(int dir, const char *name, int flags, mode_t mode)
{
	struct change change;

	path_at(dir, name, change.path);
	change.ours = change.locked = false;
	if (below_root(change.path) && !meet("open", change.path))
		return -1;
	if ((flags & (O_CREAT | O_TRUNC)) && !change_begin(&change, "create"))
		return -1;
	bool known = change.ours && access(change.path, F_OK) == 0;
	int fd = REAL(openat64)(dir, name, flags, mode);
	if (fd >= 0 && change.ours && !known)
		change_note(&change,
			    (struct record){ .call = "create",
					     .file = number_of(fd) },
			    "", NULL);
	if (fd >= 0 && change.ours && known && (flags & O_TRUNC))
		change_note(&change,
			    (struct record){ .call = "cut",
					     .file = number_of(fd) },
			    "", NULL);
	change_end(&change);
	return fd;
}

EXPORT int open64(const char *name, int flags, ...)
{
	va_list rest;

	va_start(rest, flags);
	mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
	va_end(rest);
	if (!ready())
		return REAL(openat64)(AT_FDCWD, name, flags, mode);
	return open_change(AT_FDCWD, name, flags, mode);
}

EXPORT int openat64(int dir, const char *name, int flags, ...)
{
	va_list rest;

	va_start(rest, flags);
	mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
	va_end(rest);
	if (!ready())
		return REAL(openat64)(dir, name, flags, mode);
	return open_change(dir, name, flags, mode);
}

static void written(struct change *change, int fd, int64_t offset,
		    const void *data, ssize_t size)
{
	if (size > 0)
		change_note(change,
			    (struct record){ .call = "write",
					     .file = number_of(fd),
					     .offset = offset,
					     .data = (uint32_t)size },
			    "", data);
	change_end(change);
}

EXPORT ssize_t pwrite64(int fd, const void *at, size_t size, off64_t offset)
{
	struct change change;

	if (!ready())
		return REAL(pwrite64)(fd, at, size, offset);
	path_of(fd, change.path);
	if (!change_begin(&change, "write"))
		return -1;
	ssize_t done = REAL(pwrite64)(fd, at, size, offset);
	written(&change, fd, offset, at, done);
	return done;
}

EXPORT ssize_t write(int fd, const void *at, size_t size)
{
	struct change change;

	if (!ready())
		return REAL(write)(fd, at, size);
	path_of(fd, change.path);
	if (!change_begin(&change, "write"))
		return -1;
	int64_t offset = change.ours ? lseek(fd, 0, SEEK_CUR) : 0;
	ssize_t done = REAL(write)(fd, at, size);
	written(&change, fd, offset, at, done);
	return done;
}

/* The rest of a call that changes the size. */
#define FILE_CALL(kind, note, value, work)                          \
	struct change change;                                       \
                                                                    \
	if (!ready())                                               \
		return work;                                        \
	path_of(fd, change.path);                                   \
	if (!change_begin(&change, kind))                           \
		return -1;                                          \
	int failed = work;                                          \
	if (!failed)                                                \
		change_note(&change,                                \
			    (struct record){ .call = note,          \
					     .file = number_of(fd), \
					     .offset = (value) },   \
			    "", NULL);                              \
	change_end(&change);                                        \
	return failed

EXPORT int ftruncate64(int fd, off64_t size)
{
	FILE_CALL("truncate", "cut", size, REAL(ftruncate64)(fd, size));
}

EXPORT int fallocate64(int fd, int mode, off64_t offset, off64_t size)
{
	FILE_CALL("reserve", "nothing", 0,
		  REAL(fallocate64)(fd, mode, offset, size));
}

EXPORT int posix_fallocate64(int fd, off64_t offset, off64_t size)
{
	FILE_CALL("reserve", "cut", offset + size,
		  REAL(posix_fallocate64)(fd, offset, size));
}

/* After a sync that was let fail, the kernel takes all for written. */
static int sync_fail(struct change *change, int fd)
{
	int before = errno;

	if (page->records) {
		pthread_mutex_lock(&lock);
		change->locked = true;
		change->count = page->count;
		change_note(change,
			    (struct record){ .call = "lose",
					     .file = number_of(fd) },
			    "", NULL);
		change_end(change);
	}
	errno = before;
	return -1;
}

static int sync_change(int fd, int (*real)(int fd))
{
	struct change change;

	if (!ready())
		return real(fd);
	path_of(fd, change.path);
	if (!change_begin(&change, "fsync"))
		return sync_fail(&change, fd);
	int failed = real(fd);
	if (!failed)
		change_note(&change,
			    (struct record){ .call = "sync",
					     .file = number_of(fd) },
			    "", NULL);
	change_end(&change);
	return failed;
}

EXPORT int fsync(int fd)
{
	return sync_change(fd, REAL(fsync));
}

EXPORT int fdatasync(int fd)
{
	return sync_change(fd, REAL(fdatasync));
}

/* ------------------------------------------------------------ directories */

EXPORT int linkat(int from, const char *name, int to, const char *other,
		  int flags)
{
	struct change change;

	if (!ready())
		return REAL(linkat)(from, name, to, other, flags);
	path_at(to, other, change.path);
	if (!change_begin(&change, "link"))
		return -1;
	int failed = REAL(linkat)(from, name, to, other, flags);
	if (!failed)
		change_note(&change,
			    (struct record){ .call = "link",
					     .file = number_at(change.path) },
			    "", NULL);
	change_end(&change);
	return failed;
}

EXPORT int renameat(int from, const char *name, int to, const char *other)
{
	struct change change;
	char target[PATH_MAX];

	if (!ready())
		return REAL(renameat)(from, name, to, other);
	path_at(from, name, change.path);
	path_at(to, other, target);
	if (!change_begin(&change, "rename"))
		return -1;
	int failed = REAL(renameat)(from, name, to, other);
	if (!failed)
		change_note(&change, (struct record){ .call = "rename" },
			    relative(target), NULL);
	change_end(&change);
	return failed;
}

EXPORT int rename(const char *name, const char *other)
{
	return renameat(AT_FDCWD, name, AT_FDCWD, other);
}

EXPORT int unlinkat(int dir, const char *name, int flags)
{
	struct change change;

	if (!ready())
		return REAL(unlinkat)(dir, name, flags);
	path_at(dir, name, change.path);
	if (!change_begin(&change, "unlink"))
		return -1;
	int failed = REAL(unlinkat)(dir, name, flags);
	if (!failed)
		change_note(&change, (struct record){ .call = "unlink" }, "",
			    NULL);
	change_end(&change);
	return failed;
}

EXPORT int unlink(const char *name)
{
	return unlinkat(AT_FDCWD, name, 0);
}

EXPORT int mkdirat(int dir, const char *name, mode_t mode)
{
	struct change change;

	if (!ready())
		return REAL(mkdirat)(dir, name, mode);
	path_at(dir, name, change.path);
	if (!change_begin(&change, "mkdir"))
		return -1;
	int failed = REAL(mkdirat)(dir, name, mode);
	if (!failed)
		change_note(&change,
			    (struct record){ .call = "mkdir",
					     .file = number_at(change.path) },
			    "", NULL);
	change_end(&change);
	return failed;
}

EXPORT int mkdir(const char *name, mode_t mode)
{
	return mkdirat(AT_FDCWD, name, mode);
}

/* Bytes that two files share would have to be written down for both. */
EXPORT int ioctl(int fd, unsigned long request, ...)
{
	va_list rest;

	va_start(rest, request);
	void *argument = va_arg(rest, void *);
	va_end(rest);
	if (request == FICLONE && ready() && page->records) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return REAL(ioctl)(fd, request, argument);
}

/* ------------------------------------------------------- reads, the clock */

static bool read_meets(int fd)
{
	char path[PATH_MAX];

	if (!ready() || !page->error)
		return true;
	path_of(fd, path);
	return !below_root(path) || meet("read", path);
}

EXPORT ssize_t pread64(int fd, void *out, size_t size, off64_t offset)
{
	return read_meets(fd) ? REAL(pread64)(fd, out, size, offset) : -1;
}

EXPORT ssize_t read(int fd, void *out, size_t size)
{
	return read_meets(fd) ? REAL(read)(fd, out, size) : -1;
}

EXPORT ssize_t preadv64v2(int fd, const struct iovec *parts, int count,
			  off64_t offset, int flags)
{
	return read_meets(fd) ?
		       REAL(preadv64v2)(fd, parts, count, offset, flags) :
		       -1;
}

EXPORT ssize_t sendfile64(int to, int from, off64_t *offset, size_t size)
{
	return read_meets(from) ? REAL(sendfile64)(to, from, offset, size) : -1;
}

EXPORT int clock_gettime(clockid_t clock, struct timespec *out)
{
	int failed = REAL(clock_gettime)(clock, out);

	if (!failed && clock == CLOCK_REALTIME && page)
		out->tv_sec += page->clock;
	return failed;
}

EXPORT int statfs64(const char *path, struct statfs64 *out)
{
	int failed = REAL(statfs64)(path, out);

	if (!failed && ready() && page->filesystem)
		out->f_type = page->filesystem;
	return failed;
}
