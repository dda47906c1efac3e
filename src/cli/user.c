/*
 * The directory tells who its user is, so nothing of it is remembered, and the
 * next start finds the same.
 */
#include "cli/user.h"

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/thread.h"

/* A new file system is not empty, but nobody's either. */
static bool is_content(const char *name)
{
	static const char *const nothing[] = { ".", "..", "lost+found" };

	for (size_t i = 0; i < array_size(nothing); i++)
		if (strcmp(name, nothing[i]) == 0)
			return false;
	return true;
}

static bool is_empty(const char *path)
{
	const struct dirent *entry;
	DIR *dir = opendir(path);

	if (!dir)
		return false;
	do
		entry = readdir(dir);
	while (entry && !is_content(entry->d_name));
	closedir(dir);
	return !entry;
}

static int owner_find(const struct config *config, struct stat *out,
		      struct err *e)
{
	auto_fd int dir = io_open_dir(config->data, e);

	if (dir < 0)
		return -1;
	if (fstat(dir, out) < 0)
		return err_sys(e, "%s", config->data);
	if (out->st_uid != 0 || !is_empty(config->data) ||
	    fchown(dir, (uid_t)config->user, (gid_t)config->user) < 0)
		return 0;
	return fstat(dir, out) < 0 ? err_sys(e, "%s", config->data) : 0;
}

/* As if that user had started it: what is in /proc is its own again, too. */
static bool become(const struct stat *owner)
{
	return setgroups(0, NULL) == 0 && setgid(owner->st_gid) == 0 &&
	       setuid(owner->st_uid) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0;
}

int user_become(const struct config *config, struct err *e)
{
	struct stat owner;

	thread_may_wait("user_become");
	if (config->user == 0 || geteuid() != 0)
		return 0;
	if (owner_find(config, &owner, e) < 0)
		return e->sys == ENOENT ? 0 : -1;
	if (owner.st_uid == 0 || become(&owner))
		return 0;
	return err_set(e, ERR_USAGE,
		       "%s belongs to user %u, whom root may not become here: "
		       "start it as that user",
		       config->data, owner.st_uid);
}

int user_settle(const struct config *config, struct err *e)
{
	if (config->user != 0 && io_make_dir(config->data, e) < 0)
		return -1;
	return user_become(config, e);
}
