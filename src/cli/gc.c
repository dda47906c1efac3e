/*
 * private-registry gc: asks the process that serves to sweep now, or does it
 * itself when the data directory is free.
 */
#include "cli/gc.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/errand.h"
#include "cli/inside.h"
#include "cli/say.h"

/* As it was typed. */
struct gc {
	int64_t released_ms; /* -1: as configured */
	int64_t dry;
};

/* ------------------------------------------------------------------ saying */

/* What it is called. */
static void name_print(const struct store_dead *dead, struct buf *out)
{
	if (dead->repository)
		buf_addf(out, "%s", repository_text(dead->repository).s);
	if (dead->repository && dead->digest)
		buf_addf(out, "@");
	if (dead->digest)
		buf_addf(out, "%s", digest_text(dead->digest).s);
	if (dead->arrival)
		buf_addf(out, "incoming/%s", dead->arrival);
}

/* One line: what would go, how large it is, and why. */
static void tell(const struct store_dead *dead, void *arg)
{
	static const struct {
		const char *kind;
		const char *why;
	} rows[] = {
		[DEAD_UPLOAD] = { "upload", "unfinished, and nobody came back "
					    "to it" },
		[DEAD_FETCH] = { "fetch",
				 "unfinished, and nobody asked for it again" },
		[DEAD_LINK] = { "link",
				"no manifest of this repository names it" },
		[DEAD_BLOB] = { "blob", "no manifest of any repository names "
					"it" },
		[DEAD_FILE] = { "file",
				"left over, by a crash perhaps; nothing uses "
				"this file" },
	};
	const struct saying *saying = arg;
	auto_buf struct buf line = { 0 };

	buf_addf(&line, "%-6s  %8s  ", rows[dead->kind].kind,
		 dead->kind == DEAD_LINK ? "" : size_text(dead->size).s);
	name_print(dead, &line);
	buf_addf(&line, ": %s", rows[dead->kind].why);
	saying->line(saying->arg, line.at);
}

/* "2 blobs (1.2 MB)" */
static void count_print(struct buf *out, const struct store_count *count,
			const char *one, const char *many)
{
	if (count->number == 0)
		return;
	buf_addf(out, "%s%llu %s", out->len ? ", " : "",
		 (unsigned long long)count->number,
		 count->number == 1 ? one : many);
	if (count->bytes)
		buf_addf(out, " (%s)", size_text(count->bytes).s);
}

static void say_swept(const struct store_swept *swept, bool dry,
		      const struct saying *saying)
{
	auto_buf struct buf gone = { 0 }, line = { 0 };

	count_print(&gone, &swept->blobs, "blob", "blobs");
	count_print(&gone, &swept->links, "link of a repository to a blob",
		    "links of repositories to blobs");
	count_print(&gone, &swept->arrivals, "unfinished upload or fetch",
		    "unfinished uploads or fetches");
	count_print(&gone, &swept->files, "left-over file", "left-over files");
	if (gone.len)
		buf_addf(&line, "%s %s.", dry ? "Would remove" : "Removed",
			 gone.at);
	else
		buf_addf(&line, "Nothing to remove.");
	saying->line(saying->arg, line.at);
}

static void say_waiting(const struct store_count *waiting,
			const struct saying *saying)
{
	auto_buf struct buf line = { 0 };

	if (waiting->number == 0)
		return;
	count_print(&line, waiting, "blob", "blobs");
	buf_addf(&line,
		 " that no manifest names %s until gc.grace is over, "
		 "for a push that may still name %s.",
		 waiting->number == 1 ? "stays" : "stay",
		 waiting->number == 1 ? "it" : "them");
	saying->line(saying->arg, line.at);
}

/* ---------------------------------------------------------------- sweeping */

static int gc_run(const struct gc *gc, const struct gc_place *place,
		  const struct saying *saying, struct err *e)
{
	struct saying copy = *saying;
	struct store_sweep how = {
		.grace_ms = place->grace_ms,
		.released_ms = gc->released_ms < 0 ? place->grace_ms :
						     gc->released_ms,
		.dry = gc->dry,
		.tell = gc->dry ? tell : NULL,
		.arg = &copy,
	};
	struct store_swept swept;
	int failed = store_sweep(place->store, &how, &swept, e);

	say_swept(&swept, gc->dry, saying);
	say_waiting(&swept.waiting, saying);
	return failed;
}

int gc_answer(const char *request, const struct saying *saying, void *arg,
	      struct err *e)
{
	struct gc gc;

	if (sscanf(request, "gc %" SCNd64 " %" SCNd64, &gc.released_ms,
		   &gc.dry) != 2)
		return err_set(e, ERR_USAGE,
			       "the process that serves is of another version");
	return gc_run(&gc, arg, saying, e);
}

struct gc_alone {
	const struct gc *gc;
	int64_t grace_ms;
};

static int gc_alone(struct store *store, const struct saying *saying, void *arg,
		    struct err *e)
{
	const struct gc_alone *alone = arg;
	struct gc_place place = { store, alone->grace_ms };

	return gc_run(alone->gc, &place, saying, e);
}

static int gc_do(const struct gc *gc, const struct config *config,
		 const struct saying *saying, struct err *e)
{
	char request[64];
	struct gc_alone alone = { gc, config->gc_grace_ms };
	struct errand errand = { request, gc_alone, &alone };

	snprintf(request, sizeof(request), "gc %" PRId64 " %" PRId64,
		 gc->released_ms, gc->dry);
	return errand_run(&errand, config->data, saying, e);
}

/* ---------------------------------------------------------------- the verb */

int cli_gc(const struct call *call, struct err *e)
{
	auto_of(config) struct config *config = NULL;
	auto_with(screen_close) struct screen screen;
	auto_free char **rest = NULL;
	struct gc gc = { .released_ms = -1 };
	const struct own_option own[] = {
		{ "--dry-run", .out = &gc.dry },
		{ "--grace", .read = config_duration, .out = &gc.released_ms },
		{ 0 },
	};

	screen_open(&screen);
	if (own_options_take(call->args, own, &rest, e) < 0 ||
	    options_load_as_owner(rest, &config, e) < 0)
		return -1;
	return gc_do(&gc, config, &screen.saying, e);
}

void cli_gc_help(const struct call *call, struct buf *out)
{
	(void)call;
	buf_addf(
		out,
		"usage: private-registry gc [--dry-run] [--grace DURATION] "
		"[--config FILE]\n"
		"                           [--KEY VALUE]...\n"
		"\n"
		"Removes at once what nobody needs any more: blobs that no "
		"manifest names,\n"
		"abandoned uploads, files that a crash left behind. The "
		"registry does so by\n"
		"itself, too. If one serves the data directory, it is asked to "
		"do it; pushes\n"
		"and pulls go on.\n"
		"\n"
		"Examples\n"
		"  private-registry gc --dry-run\n"
		"  private-registry gc --grace 0s --data /srv/images\n"
		"\n"
		"Options\n"
		"  --dry-run               only tell what would go, and why\n"
		"  --grace DURATION        what deleted manifests have named "
		"goes after so long;\n"
		"                          0s: now. Without it: after gc.grace. "
		"What a push may\n"
		"                          still need always stays for "
		"gc.grace\n" COMMON_OPTIONS "\n"
		"Exit status\n"
		"  0 it is done, 1 it failed, 2 the command line or the "
		"configuration is wrong,\n"
		"  3 a process uses the data directory and does not listen\n");
}
