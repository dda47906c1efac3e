/*
 * private-registry backup: asks the process that serves to write one, or does
 * it itself when the data directory is free. private-registry restore: always
 * itself.
 */
#include "cli/backup.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/errand.h"
#include "cli/inside.h"
#include "cli/say.h"

/* ------------------------------------------------------------------ saying */

static bool tell(int64_t bytes, int64_t all, void *arg)
{
	return progress_say(arg, bytes, all);
}

static void count_add(struct buf *out, const struct store_count *count,
		      const char *what)
{
	if (count->number)
		buf_addf(out, ", %llu %s (%s)",
			 (unsigned long long)count->number, what,
			 size_text(count->bytes).s);
}

/* "3 blobs (1.2 MB) in /backup: 1 new as hard links (4.0 kB), … in 0.1 s." */
static void say_copied(const struct saying *saying, const char *place,
		       const struct store_copied *copied, int64_t ms)
{
	static const char *const ways[BLOB_WAYS] = {
		[BLOB_CLONED] = "new, sharing their bytes",
		[BLOB_LINKED] = "new, as hard links",
		[BLOB_COPIED] = "new, copied",
	};
	auto_buf struct buf line = { 0 };

	buf_addf(&line, "%llu blob%s (%s) in %s",
		 (unsigned long long)copied->blobs.number,
		 copied->blobs.number == 1 ? "" : "s",
		 size_text(copied->blobs.bytes).s, place);
	for (size_t i = 0; i < BLOB_WAYS; i++)
		count_add(&line, &copied->added[i], ways[i]);
	count_add(&line, &copied->removed, "removed");
	count_add(&line, &copied->lost, "lost");
	buf_addf(&line, "; %lld.%lld s", (long long)ms / 1000,
		 (long long)ms % 1000 / 100);
	saying->line(saying->arg, line.at);
}

/* ------------------------------------------------------------------- backup */

static int backup_do(struct store *store, const char *place,
		     const struct saying *saying, struct err *e)
{
	struct progress progress = { .saying = saying };
	struct store_copying copying = { tell, &progress };
	int64_t began_ms = clock_ms();
	struct store_copied copied;

	if (store_backup(store, place, &copying, &copied, e) < 0)
		return -1;
	say_copied(saying, place, &copied, clock_ms() - began_ms);
	return 0;
}

int backup_answer(const char *request, const struct saying *saying, void *arg,
		  struct err *e)
{
	struct span place = span_of(request);

	span_cut(&place, ' ');
	if (!place.at || place.at[0] != '/')
		return err_set(e, ERR_USAGE,
			       "the process that serves is of another version");
	if (backup_do(arg, place.at, saying, e) < 0) {
		log_say(LOG_WARN, "backup", "%s: %s", place.at, e->message);
		return -1;
	}
	log_say(LOG_INFO, "backup", "%s is complete", place.at);
	return 0;
}

static int backup_alone(struct store *store, const struct saying *saying,
			void *arg, struct err *e)
{
	const struct buf *place = arg;

	return backup_do(store, place->at, saying, e);
}

static int backup_run(const char *data, struct buf *place,
		      const struct saying *saying, struct err *e)
{
	auto_buf struct buf request = { 0 };

	buf_addf(&request, "backup %s", place->at);
	struct errand errand = { request.at, backup_alone, place };
	return errand_run(&errand, data, saying, e);
}

/* --------------------------------------------------------------- the verbs */

/* Takes the first word out of `args`. */
static int place_take(char *const **args, const char *verb, const char **out,
		      struct err *e)
{
	*out = **args;
	if (!*out || strncmp(*out, "--", 2) == 0)
		return err_set(e, ERR_USAGE,
			       "where? write private-registry %s DIR", verb);
	++*args;
	return 0;
}

/* The process that serves stands elsewhere. */
static int place_whole(const char *place, struct buf *out, struct err *e)
{
	auto_free char *here = getcwd(NULL, 0);

	if (strchr(place, '\n'))
		return err_set(e, ERR_USAGE,
			       "the name of a directory is one line");
	if (place[0] != '/' && !here)
		return err_sys(e, "the working directory");
	buf_addf(out, "%s%s%s", place[0] == '/' ? "" : here,
		 place[0] == '/' ? "" : "/", place);
	return 0;
}

int cli_backup(const struct call *call, struct err *e)
{
	auto_of(config) struct config *config = NULL;
	auto_with(screen_close) struct screen screen;
	auto_buf struct buf place = { 0 };
	char *const *args = call->args;
	const char *typed;

	screen_open(&screen);
	if (place_take(&args, "backup", &typed, e) < 0 ||
	    place_whole(typed, &place, e) < 0 ||
	    options_load_as_owner(args, &config, e) < 0)
		return -1;
	return backup_run(config->data, &place, &screen.saying, e);
}

void cli_backup_help(const struct call *call, struct buf *out)
{
	(void)call;
	buf_addf(out,
		 "usage: private-registry backup DIR [--config FILE] "
		 "[--KEY VALUE]...\n"
		 "\n"
		 "Keeps in DIR a copy of everything that was pushed, while the "
		 "registry serves.\n"
		 "Done again, it adds what is new and removes what is gone. "
		 "Blobs take no room\n"
		 "there if the file system can share them; what is only cached "
		 "from upstream is\n"
		 "left out.\n"
		 "\n"
		 "If a registry serves the data directory, it is asked to do "
		 "it, as the user that\n"
		 "it runs as.\n"
		 "\n"
		 "Examples\n"
		 "  private-registry backup /mnt/backup/registry\n"
		 "  private-registry backup /mnt/backup/registry --data "
		 "/srv/images\n"
		 "\n"
		 "Options\n" COMMON_OPTIONS "\n"
		 "Exit status\n"
		 "  0 it is complete, 1 it failed, 2 the command line or the "
		 "configuration is\n"
		 "  wrong, 3 a process uses the data directory and does not "
		 "listen\n");
}

static int restore_run(const struct store_restore *restore,
		       const struct saying *saying, struct err *e)
{
	int64_t began_ms = clock_ms();
	struct store_copied copied;
	int failed = store_restore(restore, &copied, e);

	if (!failed)
		say_copied(saying, restore->data, &copied,
			   clock_ms() - began_ms);
	return failed;
}

int cli_restore(const struct call *call, struct err *e)
{
	auto_of(config) struct config *config = NULL;
	auto_with(screen_close) struct screen screen;
	struct progress progress = { .saying = &screen.saying };
	struct store_restore restore = { .copying = { tell, &progress } };
	auto_free char **rest = NULL;
	int64_t over = 0;
	const struct own_option own[] = {
		{ "--over", .out = &over },
		{ 0 },
	};

	screen_open(&screen);
	if (own_options_take(call->args, own, &rest, e) < 0)
		return -1;
	char *const *args = rest;
	restore.over = over;
	if (place_take(&args, "restore", &restore.backup, e) < 0 ||
	    options_load_as_owner(args, &config, e) < 0)
		return -1;
	restore.data = config->data;
	return restore_run(&restore, &screen.saying, e);
}

void cli_restore_help(const struct call *call, struct buf *out)
{
	(void)call;
	buf_addf(
		out,
		"usage: private-registry restore DIR [--over] [--config FILE] "
		"[--KEY VALUE]...\n"
		"\n"
		"Makes the data directory out of the backup in DIR. It has to "
		"be empty or absent,\n"
		"and nobody may use it. The backup stays as it is.\n"
		"\n"
		"Examples\n"
		"  private-registry restore /mnt/backup/registry --data "
		"/srv/images\n"
		"  private-registry restore /mnt/backup/registry --over\n"
		"\n"
		"Options\n"
		"  --over                  the database is lost or damaged, "
		"and the blobs are\n"
		"                          there: they are kept and used, and "
		"only what is\n"
		"                          missing comes from the backup. The "
		"old database is\n"
		"                          set aside as registry.db.lost\n" COMMON_OPTIONS
		"\n"
		"Exit status\n"
		"  0 everything is there, 1 it failed, 2 the command line, the "
		"configuration or\n"
		"  a directory is wrong, 3 a process uses the data "
		"directory\n");
}
