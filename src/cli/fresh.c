#include "cli/fresh.h"

#include <stdatomic.h>

#include "api/api.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "cli/image.h"

enum { LOOK_MS = 3600000, GROW_MS = 1000 };

/* An image of the list, now or before: when it was last asked for. */
struct asked {
	char *image;
	int64_t ms; /* clock_ms */
};

struct fresh {
	struct mirror *mirror;
	struct current *settings;
	struct thread thread;
	struct asked *asked; /* the thread's own */
	size_t asked_count;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Guarded by lock: */
	bool woken;
	bool closing;
};

/* -------------------------------------------------------------- the source */

struct source {
	struct mirror *mirror;
	const struct api_settings *settings;
};

static int resolve(const struct source *source, const char *name,
		   struct mirror_target *out, struct err *e)
{
	struct mirror_question question = {
		.rules = &source->settings->mirror,
		.name = span_of(name),
		.host = source->settings->host,
	};

	return mirror_resolve(source->mirror, &question, out, e);
}

static int source_manifest(void *arg, const char *name,
			   const struct reference *reference,
			   struct arena *arena, struct manifest *out,
			   struct err *e)
{
	const struct source *source = arg;
	struct mirror_target target;
	struct manifest_view view;

	if (resolve(source, name, &target, e) < 0 ||
	    pull_manifest(source->mirror, &target, reference, arena, &view, e) <
		    0)
		return -1;
	return manifest_parse(view.bytes, view.media_type,
			      view.digest.algorithm, arena, out, e);
}

static int wait_for(const struct blob_view *view, struct err *e)
{
	enum growing_state state;

	if (view->passing)
		return err_set(e, ERR_NO_SPACE, "there is no room to keep it");
	if (!view->growing)
		return 0;
	while ((state = growing_state(view->growing)) == GROWING)
		growing_wait(view->growing, growing_length(view->growing),
			     clock_ms() + GROW_MS);
	if (state == GROWING_WHOLE)
		return 0;
	growing_why(view->growing, e);
	return -1;
}

static int source_blob(void *arg, const char *name,
		       const struct descriptor *blob, _Atomic int64_t *done,
		       struct err *e)
{
	const struct source *source = arg;
	struct mirror_target target;
	struct blob_view view;

	if (resolve(source, name, &target, e) < 0 ||
	    pull_blob(source->mirror, &target, &blob->digest, &view, e) < 0)
		return -1;
	int failed = wait_for(&view, e);
	blob_view_close(&view);
	if (!failed)
		*done += blob->size;
	return failed;
}

/* -------------------------------------------------------------- one of them */

static void report(const char *text, const struct image_sum *sum,
		   const struct err *why)
{
	struct log_line line;

	log_begin(&line, why ? LOG_WARN : LOG_INFO, "prefetch");
	log_text(&line, "image", text);
	if (why) {
		log_err(&line, why);
	} else {
		log_number(&line, "manifests", (int64_t)sum->manifests);
		log_number(&line, "blobs", (int64_t)sum->blobs);
		log_number(&line, "bytes", sum->bytes);
	}
	log_send(&line);
}

/* Those that are fetched ahead of its upstream. */
static void choose_platforms(const struct api_settings *settings,
			     const struct mirror_target *target,
			     struct image_fetch *out)
{
	const struct config *config = settings->config;

	for (size_t i = 0; i < config->upstream_count; i++) {
		if (strcmp(config->upstreams[i].name,
			   target->repository.upstream) != 0)
			continue;
		out->platforms = settings->mirror.upstreams[i].platforms;
		out->platform_count =
			settings->mirror.upstreams[i].platform_count;
	}
}

static void ask(struct fresh *fresh, const struct api_settings *settings,
		const char *text)
{
	struct source source = { fresh->mirror, settings };
	struct image_source from = { source_manifest, source_blob, &source };
	struct image_fetch fetch = { .source = &from };
	struct image_sum sum = { 0 };
	struct mirror_target target;
	struct image image;
	struct err e;
	int failed = image_parse(span_of(text), &image, &e);

	if (!failed)
		failed = resolve(&source, image.name, &target, &e);
	if (!failed) {
		choose_platforms(settings, &target, &fetch);
		failed = image_fetch(&fetch, &image, &sum, &e);
	}
	report(text, &sum, failed ? &e : NULL);
}

/* -------------------------------------------------------------- the schedule
 */

static struct asked *asked_find(struct fresh *fresh, const char *image)
{
	for (size_t i = 0; i < fresh->asked_count; i++)
		if (strcmp(fresh->asked[i].image, image) == 0)
			return &fresh->asked[i];
	return NULL;
}

static void asked_note(struct fresh *fresh, const char *image)
{
	struct asked *asked = asked_find(fresh, image);

	if (!asked) {
		fresh->asked =
			mem_grow(fresh->asked, (fresh->asked_count + 1) *
						       sizeof(*fresh->asked));
		asked = &fresh->asked[fresh->asked_count++];
		asked->image = mem_text(image);
	}
	asked->ms = clock_ms();
}

/* The first that is due; else null, and when one will be. */
static const struct config_prefetch *
due_find(struct fresh *fresh, const struct config *config, int64_t *wake_ms_out)
{
	int64_t now = clock_ms();

	*wake_ms_out = now + LOOK_MS;
	for (size_t i = 0; i < config->prefetch_count; i++) {
		const struct config_prefetch *at = &config->prefetch[i];
		const struct asked *asked = asked_find(fresh, at->image);

		if (!asked || now - asked->ms >= at->every_ms)
			return at;
		if (asked->ms + at->every_ms < *wake_ms_out)
			*wake_ms_out = asked->ms + at->every_ms;
	}
	return NULL;
}

/* When to look again. */
static int64_t round_run(struct fresh *fresh)
{
	struct version *held = current_hold(fresh->settings);
	const struct api_settings *settings = version_value(held);
	int64_t wake_ms;
	const struct config_prefetch *due =
		due_find(fresh, settings->config, &wake_ms);

	if (due) {
		ask(fresh, settings, due->image);
		asked_note(fresh, due->image);
		wake_ms = clock_ms();
	}
	version_release(&held);
	return wake_ms;
}

/* False when it is time to end. */
static bool rest(struct fresh *fresh, int64_t wake_ms)
{
	hold_mutex(&fresh->lock);
	if (!fresh->closing && !fresh->woken && wake_ms > clock_ms())
		cond_wait_until(&fresh->changed, &fresh->lock, wake_ms);
	fresh->woken = false;
	return !fresh->closing;
}

static void run(void *arg)
{
	struct fresh *fresh = arg;

	while (rest(fresh, round_run(fresh)))
		;
}

struct fresh *fresh_open(struct mirror *mirror, struct current *settings)
{
	struct fresh *fresh = mem_alloc(sizeof(*fresh));

	fresh->mirror = mirror;
	fresh->settings = settings;
	pthread_mutex_init(&fresh->lock, NULL);
	cond_open(&fresh->changed);
	thread_start(&fresh->thread, "fresh", run, fresh);
	return fresh;
}

void fresh_wake(struct fresh *fresh)
{
	hold_mutex(&fresh->lock);
	fresh->woken = true;
	pthread_cond_broadcast(&fresh->changed);
}

static void end(struct fresh *fresh)
{
	hold_mutex(&fresh->lock);
	fresh->closing = true;
	pthread_cond_broadcast(&fresh->changed);
}

void fresh_close(struct fresh **owned)
{
	struct fresh *fresh = steal_ptr(owned);

	thread_may_wait("fresh_close");
	end(fresh);
	thread_join(&fresh->thread);
	for (size_t i = 0; i < fresh->asked_count; i++)
		free(fresh->asked[i].image);
	free(fresh->asked);
	pthread_mutex_destroy(&fresh->lock);
	pthread_cond_destroy(&fresh->changed);
	free(fresh);
}
