/*
 * private-registry registries: what hosts learn from etcd, for a person.
 */
#include <signal.h>

#include "base/mem.h"
#include "base/thread.h"
#include "cli/enrol.h"
#include "cli/inside.h"

struct telling {
	int64_t follow; /* 1: until a signal ends it */
	pthread_mutex_t lock;
	pthread_cond_t ended;
	/* Guarded by lock: */
	bool done;
	int failed; /* -1: and why */
	struct err e;
};

/* ------------------------------------------------------------------ saying */

static void print_registry(const struct record *record, struct buf *out)
{
	static const char *const healths[] = {
		[RECORD_READY] = "ready",
		[RECORD_FULL] = "its disk is full",
		[RECORD_LEAVING] = "it is leaving",
	};

	buf_addf(out, "%s: %s, weight %lld, version %s", record->id,
		 healths[record->health], (long long)record->weight,
		 record->version);
	if (record->zone)
		buf_addf(out, ", zone %s", record->zone);
	buf_addf(out, "%s\n", record->ca ? ", with a CA" : "");
	for (size_t i = 0; i < record->door_count; i++) {
		const struct record_door *door = &record->doors[i];

		buf_addf(out, "  %s%s%s\n", door->url,
			 door->upstream ? " for " : "",
			 door->upstream ? door->upstream : "");
	}
	buf_addf(out, "  mirrors");
	for (size_t i = 0; i < record->upstream_count; i++)
		buf_addf(out, " %s", record->upstreams[i]);
	buf_addf(out, "; a bare name is %s's\n",
		 record->fallback ? record->fallback : "nobody");
}

static void print_view(const struct cluster_view *view, struct buf *out)
{
	buf_addf(out, "registries: %zu\n", view->registry_count);
	for (size_t i = 0; i < view->registry_count; i++)
		print_registry(&view->registries[i], out);
	for (size_t i = 0; i < view->refusal_count; i++)
		buf_addf(out, "%s: refused, %s\n", view->refusals[i].key,
			 view->refusals[i].why);
}

/* ----------------------------------------------------------------- hearing */

static void end(struct telling *telling, const struct err *why)
{
	hold_mutex(&telling->lock);
	if (!telling->done && why) {
		telling->failed = -1;
		telling->e = *why;
	}
	telling->done = true;
	pthread_cond_broadcast(&telling->ended);
}

static void tell(struct telling *telling, const struct buf *text)
{
	struct err e;

	if (print_out(text, &e) < 0)
		end(telling, &e);
	else if (!telling->follow)
		end(telling, NULL);
}

static void on_change(struct cluster_view *owned, void *arg)
{
	auto_of(cluster_view) struct cluster_view *view = owned;
	auto_buf struct buf text = { 0 };

	print_view(view, &text);
	tell(arg, &text);
}

static void on_trouble(const struct err *why, void *arg)
{
	struct telling *telling = arg;
	auto_buf struct buf text = { 0 };

	if (!telling->follow) {
		end(telling, why);
		return;
	}
	buf_addf(&text, "etcd: %s\n", why ? why->message : "it answers again");
	tell(telling, &text);
}

static void wait_for_end(struct telling *telling)
{
	hold_mutex(&telling->lock);
	while (!telling->done)
		pthread_cond_wait(&telling->ended, &telling->lock);
}

static int listen_to(const struct config *config, struct telling *telling,
		     struct err *e)
{
	struct cluster_options etcd;
	struct cluster_watch_options options = {
		.etcd = &etcd,
		.changed = on_change,
		.trouble = on_trouble,
		.arg = telling,
	};
	struct cluster_watch *watch;

	if (config->cluster.etcd_count == 0)
		return err_set(e, ERR_USAGE,
			       "it is not said where etcd is: write --etcd");
	describe_etcd(config, &etcd);
	if (cluster_watch_open(&options, &watch, e) < 0)
		return -1;
	wait_for_end(telling);
	cluster_watch_close(&watch);
	*e = telling->e;
	return telling->failed;
}

/* -------------------------------------------------------------------- verb */

int cli_registries(const struct call *call, struct err *e)
{
	struct telling telling = { .lock = PTHREAD_MUTEX_INITIALIZER,
				   .ended = PTHREAD_COND_INITIALIZER };
	const struct own_option own[] = {
		{ "--follow", .out = &telling.follow },
		{ 0 },
	};
	auto_of(config) struct config *config = NULL;
	char **rest = NULL;

	signal(SIGPIPE, SIG_IGN);
	int failed = own_options_take(call->args, own, &rest, e);
	if (!failed)
		failed = options_load(rest, &config, e);
	if (!failed)
		failed = listen_to(config, &telling, e);
	free(rest);
	return failed;
}

void cli_registries_help(const struct call *call, struct buf *out)
{
	(void)call;
	buf_addf(
		out,
		"usage: private-registry registries --etcd URL [--follow] "
		"[OPTION]...\n"
		"\n"
		"Tells which registries etcd knows, at which addresses, and "
		"what stands there that\n"
		"hosts refuse. With --follow it tells it again whenever it "
		"changes.\n"
		"\n"
		"Options\n"
		"  --follow                until a signal ends it\n" COMMON_OPTIONS
		"\n"
		"Exit status\n"
		"  0 it has told, 1 etcd does not answer, 2 the command line "
		"or the configuration\n"
		"  is wrong\n");
}
