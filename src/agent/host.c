/*
 * openat2 keeps lookups within the root, whatever links are on the way; where
 * they ended, the kernel tells (/proc/self/fd).
 */
#include "agent/host.h"

#include <dirent.h>
#include <errno.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/thread.h"

enum {
	ATTRIBUTE_MOST = 64 * 1024, /* the kernel's limit, of a list too */
	ASIDE_MOST = 100,
	LOOKUPS_MOST = 1000
};

/* The kernel gives up a lookup if anything is renamed meanwhile: EAGAIN. */
static int open_within(const struct host *host, const char *path, int flags)
{
	struct open_how how = {
		.flags = (unsigned)flags | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT,
	};

	thread_may_wait("openat2");
	for (int i = 0; i < LOOKUPS_MOST; i++) {
		int fd = (int)syscall(SYS_openat2, host->root, path, &how,
				      sizeof(how));

		if (fd >= 0 || errno != EAGAIN)
			return fd;
	}
	return -1;
}

/* As this process sees it. */
static int path_of(int fd, struct host_path *out, struct err *e)
{
	char link[40];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t len = readlink(link, out->s, sizeof(out->s) - 1);
	if (len < 0)
		return err_sys(e, "%s", link);
	out->s[len] = '\0';
	return 0;
}

int host_open(const char *root, struct host *out, struct err *e)
{
	struct stat st = { 0 };

	out->root = io_open_dir(root, e);
	if (out->root < 0)
		return -1;
	int failed = fstat(out->root, &st) < 0 ?
			     err_sys(e, "%.100s", root) :
			     path_of(out->root, &out->at, e);
	out->device = st.st_dev;
	if (failed)
		host_close(out);
	return failed;
}

void host_close(struct host *host)
{
	close(host->root);
	host->root = -1;
}

void host_file_free(struct host_file *file)
{
	buf_free(&file->text);
}

struct host_path host_parent(const char *path)
{
	const char *slash = strrchr(path, '/');
	struct host_path parent = { "/" };

	if (slash > path)
		span_copy(span_make(path, (size_t)(slash - path)), parent.s,
			  sizeof(parent.s));
	return parent;
}

static const char *name_of(const char *path)
{
	return strrchr(path, '/') + 1;
}

bool host_has(const struct host *host, const char *path)
{
	auto_fd int fd = open_within(host, path, O_PATH);

	return fd >= 0;
}

bool host_stat(const struct host *host, const char *path, struct stat *out)
{
	auto_fd int fd = open_within(host, path, O_PATH);

	return fd >= 0 && fstat(fd, out) == 0;
}

/* ------------------------------------------------------------------- look */

/* Where `fd` is, as the host sees it. */
static int real_path(const struct host *host, int fd, struct host_path *out,
		     struct err *e)
{
	size_t len = strcmp(host->at.s, "/") ? strlen(host->at.s) : 0;
	struct host_path whole;

	if (path_of(fd, &whole, e) < 0)
		return -1;
	if (strchr(whole.s, '\n'))
		return err_set(e, ERR_CONFLICT, "%.100s: a newline in a path",
			       whole.s);
	if (strncmp(whole.s, host->at.s, len) != 0 ||
	    (whole.s[len] != '/' && whole.s[len] != '\0'))
		return err_set(e, ERR_CONFLICT, "%.100s is outside of %.100s",
			       whole.s, host->at.s);
	span_copy(span_of(whole.s[len] ? whole.s + len : "/"), out->s,
		  sizeof(out->s));
	return 0;
}

/* Of something that is not there: what is there of the way, made canonical. */
static int future_path(const struct host *host, const char *path,
		       struct host_file *file, struct err *e)
{
	struct host_path there = host_parent(path), *out = &file->path;
	struct host_path real;
	struct stat st;
	int fd;

	while ((fd = open_within(host, there.s, O_PATH | O_DIRECTORY)) < 0) {
		if (errno != ENOENT || strcmp(there.s, "/") == 0)
			return err_sys(e, "%.100s", there.s);
		there = host_parent(there.s);
	}
	int failed = real_path(host, fd, &real, e);
	file->apart = fstat(fd, &st) == 0 && st.st_dev != host->device;
	close(fd);
	if (failed)
		return -1;
	const char *rest = strcmp(there.s, "/") ? path + strlen(there.s) : path;
	const char *start = strcmp(real.s, "/") ? real.s : "";
	if (strlen(start) + strlen(rest) >= sizeof(out->s))
		return err_set(e, ERR_CONFLICT, "%.100s: the path is too long",
			       path);
	memcpy(out->s, start, strlen(start));
	memcpy(out->s + strlen(start), rest, strlen(rest) + 1);
	return 0;
}

static int absent(const struct host *host, const char *path,
		  struct host_file *out, struct err *e)
{
	auto_fd int link = open_within(host, path, O_PATH | O_NOFOLLOW);

	if (link >= 0)
		return err_set(e, ERR_CONFLICT, "%.100s is a link to nothing",
			       path);
	return future_path(host, path, out, e);
}

static int text_read(const struct host *host, int fd, const char *path,
		     struct host_file *out, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "%.100s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_CONFLICT, "%.100s is no plain file",
			       path);
	/* Replaced since it was opened: its path is none any more. */
	if (st.st_nlink == 0)
		return err_set(e, ERR_BUSY, "%.100s: somebody is replacing it",
			       path);
	if (st.st_size > HOST_FILE_MOST)
		return err_set(e, ERR_CONFLICT, "%.100s: larger than %d bytes",
			       path, HOST_FILE_MOST);
	out->exists = true;
	out->mode = st.st_mode & 07777;
	out->uid = st.st_uid;
	out->gid = st.st_gid;
	out->apart = st.st_dev != host->device;
	out->number = st.st_ino;
	out->names = st.st_nlink;
	out->changed[0] = st.st_mtim;
	out->changed[1] = st.st_ctim;
	buf_reserve(&out->text, (size_t)st.st_size);
	if (io_read_at(fd, 0, out->text.at, (size_t)st.st_size, e) < 0)
		return err_wrap(e, "%.100s", path);
	out->text.len = (size_t)st.st_size;
	out->text.at[out->text.len] = '\0';
	return 0;
}

static int file_look(const struct host *host, const char *path,
		     struct host_file *out, struct err *e)
{
	*out = (struct host_file){ 0 };
	auto_fd int fd =
		open_within(host, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && errno == ENOENT)
		return absent(host, path, out, e);
	if (fd < 0)
		return err_sys(e, "%.100s", path);
	if (real_path(host, fd, &out->path, e) < 0)
		return -1;
	return text_read(host, fd, path, out, e);
}

int host_read(const struct host *host, const char *path, struct host_file *out,
	      struct err *e)
{
	int failed = file_look(host, path, out, e);

	for (int i = 0; failed && e->kind == ERR_BUSY && i < LOOKUPS_MOST;
	     i++) {
		host_file_free(out);
		failed = file_look(host, path, out, e);
	}
	return failed;
}

static int name_compare(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int name_counts(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 &&
	       strcmp(entry->d_name, "..") != 0;
}

int host_list(const struct host *host, const char *path, struct buf *names,
	      struct err *e)
{
	struct dirent **found;

	auto_fd int fd = open_within(host, path, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, "%.100s", path);
	int count = scandirat(fd, ".", &found, name_counts, name_compare);
	if (count < 0)
		return err_sys(e, "%.100s", path);
	for (int i = 0; i < count; i++) {
		buf_add(names, span_make(found[i]->d_name,
					 strlen(found[i]->d_name) + 1));
		free(found[i]);
	}
	free(found);
	return 0;
}

/* ----------------------------------------------------------------- change */

/* The directory of `path`; -1 with errno. */
static int parent_open(const struct host *host, const char *path)
{
	struct host_path parent = host_parent(path);

	return open_within(host, parent.s, O_RDONLY | O_DIRECTORY);
}

/* No engine reads a name that begins with a dot and ends like this. */
static void temp_name(const char *path, char out[NAME_MAX + 1])
{
	snprintf(out, NAME_MAX + 1, ".%.200s.private-registry", name_of(path));
}

static int attribute_copy(int from, int to, const char *name, char *value,
			  struct err *e)
{
	ssize_t len = fgetxattr(from, name, value, ATTRIBUTE_MOST);

	if (len < 0)
		return err_sys(e, "attribute %.60s", name);
	if (fsetxattr(to, name, value, (size_t)len, 0) < 0)
		return err_sys(e, "attribute %.60s", name);
	return 0;
}

/* Signatures of the bytes, which are other ones now. */
static bool is_of_bytes(const char *name)
{
	return strcmp(name, "security.ima") == 0 ||
	       strcmp(name, "security.evm") == 0;
}

/* Labels and access lists. */
static int attributes_copy(int from, int to, struct err *e)
{
	auto_free char *names = mem_alloc(ATTRIBUTE_MOST);
	auto_free char *value = mem_alloc(ATTRIBUTE_MOST);
	ssize_t len = flistxattr(from, names, ATTRIBUTE_MOST);

	if (len < 0)
		return errno == ENOTSUP ? 0 : err_sys(e, "attributes");
	for (char *name = names; name < names + len; name += strlen(name) + 1)
		if (!is_of_bytes(name) &&
		    attribute_copy(from, to, name, value, e) < 0)
			return -1;
	return 0;
}

/* What its directory gives to each file that is made there. */
static int inherited_remove(int from, int to, struct err *e)
{
	static const char list[] = "system.posix_acl_access";

	if (fgetxattr(from, list, NULL, 0) >= 0 ||
	    fremovexattr(to, list) == 0 || errno == ENODATA || errno == ENOTSUP)
		return 0;
	return err_sys(e, "attribute %s", list);
}

/* `to` is to be what `name` is, but for its bytes. */
static int likeness(int dir, const char *name, int to, struct err *e)
{
	struct stat st = { .st_mode = 0644 };

	auto_fd int from = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (from < 0 && errno != ENOENT)
		return err_sys(e, "%.100s", name);
	if (from >= 0 && fstat(from, &st) < 0)
		return err_sys(e, "%.100s", name);
	if (fchown(to, st.st_uid, st.st_gid) < 0)
		return err_sys(e, "owner");
	if (from >= 0 && (attributes_copy(from, to, e) < 0 ||
			  inherited_remove(from, to, e) < 0))
		return -1;
	return fchmod(to, st.st_mode & 07777) < 0 ? err_sys(e, "mode") : 0;
}

static int temp_write(int dir, const char *temp, const char *name,
		      struct span text, struct err *e)
{
	if (io_unlink_at(dir, temp, e) < 0)
		return -1;
	auto_fd int fd = io_open_at(dir, temp, O_WRONLY | O_CREAT | O_EXCL, e);
	if (fd < 0)
		return -1;
	if (io_write_at(fd, 0, text, e) < 0 || likeness(dir, name, fd, e) < 0)
		return -1;
	return io_sync(fd, e);
}

static bool is_same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* Is it still what was read? */
static bool is_unchanged(int dir, const char *name,
			 const struct host_file *file)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT && !file->exists;
	return file->exists && st.st_ino == file->number &&
	       (size_t)st.st_size == file->text.len &&
	       is_same_time(st.st_mtim, file->changed[0]) &&
	       is_same_time(st.st_ctim, file->changed[1]);
}

static int temp_rename(int dir, const char *temp, const char *name,
		       const struct host_file *file, struct err *e)
{
	if (!is_unchanged(dir, name, file))
		return err_set(e, ERR_BUSY, "somebody is changing it");
	if (renameat(dir, temp, dir, name) < 0)
		return err_sys(e, "rename");
	return io_sync(dir, e);
}

int host_replace(const struct host *host, const struct host_file *file,
		 struct span text, struct err *e)
{
	const char *path = file->path.s, *name = name_of(path);
	char temp[NAME_MAX + 1];
	struct err ignored;

	if (file->exists && file->names > 1)
		return err_set(e, ERR_CONFLICT,
			       "%.100s has another name (a hard link)", path);
	temp_name(path, temp);
	auto_fd int dir = parent_open(host, path);
	if (dir < 0)
		return err_sys(e, "%.100s", path);
	if (temp_write(dir, temp, name, text, e) == 0 &&
	    temp_rename(dir, temp, name, file, e) == 0)
		return 0;
	if (io_unlink_at(dir, temp, &ignored) < 0)
		return err_wrap(e, "%.100s, and beside it %.100s", path, temp);
	return err_wrap(e, "%.100s", path);
}

/* With its directory, in the place of which something else may be. */
static bool is_gone(int error)
{
	return error == ENOENT || error == ENOTDIR;
}

int host_remove(const struct host *host, const struct host_file *file,
		struct err *e)
{
	const char *path = file->path.s, *name = name_of(path);

	if (!file->exists)
		return 0;
	auto_fd int dir = parent_open(host, path);
	if (dir < 0)
		return is_gone(errno) ? 0 : err_sys(e, "%.100s", path);
	if (!is_unchanged(dir, name, file))
		return err_set(e, ERR_BUSY, "%.100s: somebody is changing it",
			       path);
	if (unlinkat(dir, name, 0) < 0)
		return err_sys(e, "%.100s", path);
	return io_sync(dir, e);
}

int host_tidy(const struct host *host, const char *path, struct err *e)
{
	char temp[NAME_MAX + 1];

	temp_name(path, temp);
	auto_fd int dir = parent_open(host, path);
	if (dir < 0)
		return is_gone(errno) ? 0 : err_sys(e, "%.100s", path);
	if (unlinkat(dir, temp, 0) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "%.100s", path);
	return io_sync(dir, e);
}

static void aside_name(const char *path, int number, char out[NAME_MAX + 1])
{
	int len = snprintf(out, NAME_MAX + 1, "%.200s.edited", name_of(path));

	if (number > 1)
		snprintf(out + len, (size_t)(NAME_MAX + 1 - len), ".%d",
			 number);
}

int host_set_aside(const struct host *host, const char *path, struct err *e)
{
	char aside[NAME_MAX + 1];

	auto_fd int dir = parent_open(host, path);
	if (dir < 0)
		return err_sys(e, "%.100s", path);
	for (int number = 1; number <= ASIDE_MOST; number++) {
		aside_name(path, number, aside);
		if (renameat2(dir, name_of(path), dir, aside,
			      RENAME_NOREPLACE) == 0)
			return io_sync(dir, e);
		if (errno != EEXIST)
			break;
	}
	return err_sys(e, "%.100s, to %.100s", path, aside);
}

int host_make_dir(const struct host *host, const char *path, struct err *e)
{
	auto_fd int dir = parent_open(host, path);

	if (dir < 0)
		return err_sys(e, "%.100s", path);
	if (mkdirat(dir, name_of(path), 0755) < 0 && errno != EEXIST)
		return err_sys(e, "%.100s", path);
	return io_sync(dir, e);
}

int host_remove_dir(const struct host *host, const char *path, struct err *e)
{
	auto_fd int dir = parent_open(host, path);

	if (dir < 0)
		return is_gone(errno) ? 0 : err_sys(e, "%.100s", path);
	if (unlinkat(dir, name_of(path), AT_REMOVEDIR) == 0)
		return io_sync(dir, e);
	return is_gone(errno) || errno == ENOTEMPTY || errno == EEXIST ||
			       errno == EBUSY ?
		       0 :
		       err_sys(e, "%.100s", path);
}
