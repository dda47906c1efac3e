/*
 * private-registry gc: asks the process that serves to sweep now, or does it
 * itself when the data directory is free.
 */
#include "cli/gc.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "cli/errand.h"
#include "cli/inside.h"
#include "cli/say.h"

/* As it was typed. */
struct gc {
	int64_t released_ms; /* -1: as configured */
	int64_t dry;
};

/* ------------------------------------------------------------------ saying */

static void name_print(const struct store_dead *dead, struct buf *out)
{
	if (dead->repository)
		buf_addf(out, "%s", repository_text(dead->repository).s);
	if (dead->repository && dead->digest)
		buf_addf(out, "@");
	if (dead->digest)
		buf_addf(out, "%s", digest_text(dead->digest).s);
	if (!dead->repository && !dead->digest)
		buf_addf(out, "in incoming/");
}

/* One line: what would go, how large it is, and why. */
static void tell(const struct store_dead *dead, void *arg)
{
	static const struct {
		const char *kind;
		const char *why;
	} rows[] = {
		[DEAD_UPLOAD] = { "upload", "nobody came back to it" },
		[DEAD_FETCH] = { "fetch", "nobody went on with it" },
		[DEAD_LINK] = { "link", "no manifest there names it" },
		[DEAD_BLOB] = { "blob", "no repository has it" },
		[DEAD_FILE] = { "file", "nothing knows it" },
	};
	const struct saying *saying = arg;
	auto_buf struct buf line = { 0 };

	buf_addf(&line, "%-6s  %8s  ", rows[dead->kind].kind,
		 dead->kind == DEAD_LINK ? "" : size_text(dead->size).s);
	name_print(dead, &line);
	buf_addf(&line, ": %s", rows[dead->kind].why);
	saying->line(saying->arg, line.at);
}

static void count_print(struct buf *out, const struct store_count *count,
			const char *one)
{
	if (count->number == 0)
		return;
	buf_addf(out, "%s%llu %s%s", out->len ? ", " : "",
		 (unsigned long long)count->number, one,
		 count->number == 1 ? "" : "s");
	if (count->bytes)
		buf_addf(out, " (%s)", size_text(count->bytes).s);
}

static void say_swept(const struct store_swept *swept, bool dry,
		      const struct saying *saying)
{
	auto_buf struct buf gone = { 0 }, line = { 0 };

	count_print(&gone, &swept->blobs, "blob");
	count_print(&gone, &swept->links, "link");
	count_print(&gone, &swept->arrivals, "abandoned transfer");
	count_print(&gone, &swept->files, "lost file");
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
	count_print(&line, waiting, "blob");
	buf_addf(&line, " that no manifest names: still within the grace.");
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

/* Takes its own options out of `args`; `rest` has room for all of them. */
static int args_take(char *const *args, struct gc *gc, char **rest,
		     struct err *e)
{
	struct span value;

	for (; *args; args++) {
		if (span_is(span_of(*args), "--dry-run"))
			gc->dry = true;
		else if (!option_take(&args, "--grace", &value))
			*rest++ = *args;
		else if (config_duration("--grace", value, &gc->released_ms,
					 e) < 0)
			return -1;
	}
	return 0;
}

int cli_gc(const struct call *call, struct err *e)
{
	auto_of(config) struct config *config = NULL;
	auto_with(screen_close) struct screen screen;
	struct gc gc = { .released_ms = -1 };
	size_t count = 0;

	screen_open(&screen);
	while (call->args[count])
		count++;
	auto_free char **rest = mem_array(count + 1, sizeof(*rest));
	if (args_take(call->args, &gc, rest, e) < 0 ||
	    options_load(rest, &config, e) < 0)
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
		"gc.grace\n"
		"  --config FILE           YAML, as of serve; so are all other "
		"options,\n"
		"                          see private-registry serve --help\n"
		"  --help                  this text\n"
		"\n"
		"Exit status\n"
		"  0 it is done, 1 it failed, 2 the command line or the "
		"configuration is wrong,\n"
		"  3 a process uses the data directory and does not listen\n");
}
