/*
 * What lies in a directory of ours, name by name.
 */
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "base/io.h"
#include "store/inside.h"

static void dir_end(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static DIR *dir_open(int parent, const char *name, struct err *e)
{
	auto_fd int fd = io_open_at(parent, name, O_RDONLY | O_DIRECTORY, e);
	if (fd < 0)
		return NULL;

	DIR *dir = fdopendir(fd);
	if (!dir)
		err_sys(e, "%s", name);
	else
		steal_fd(&fd);
	return dir;
}

/* Null: that was the last, or `e` says why there is none. */
static const char *name_next(DIR *dir, struct err *e)
{
	struct dirent *entry;

	e->kind = ERR_NONE;
	do {
		errno = 0;
		entry = readdir(dir);
	} while (entry && (strcmp(entry->d_name, ".") == 0 ||
			   strcmp(entry->d_name, "..") == 0));
	if (!entry && errno)
		err_sys(e, "readdir");
	return entry ? entry->d_name : NULL;
}

int dir_each(int parent, const char *name, dir_visit visit, void *arg,
	     struct err *e)
{
	auto_with(dir_end) DIR *dir = dir_open(parent, name, e);

	if (!dir)
		return -1;
	while ((name = name_next(dir, e))) {
		if (visit(name, arg, e) < 0)
			return -1;
	}
	return e->kind == ERR_NONE ? 0 : -1;
}
