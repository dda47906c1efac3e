/*
 * A registry that answers is pointed at, one that does not is left. What
 * stands between the two is counted in probes (agent/choice.h), so that one
 * lost packet changes no host.
 *
 * The main thread does everything; what etcd has is put into a box by another
 * one, which wakes it by a signal.
 */
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "agent/fleet.h"
#include "agent/hook.h"
#include "agent/inside.h"
#include "agent/names.h"
#include "agent/registries.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"

enum {
	PROBE_MS = 1000,
	AGAIN_MS = 2000, /* after an answer */
	RETRY_MS = 500,	 /* after none: three within 4 s at most */
	LOOK_MS = 60000, /* between two looks at a host that is as it should */
	MEND_MS = 5000	 /* and at one that is not, at first */
};

/* Addresses inside of hosts are on each of them, and so are other servers. */
static int check_instance(const struct client_head *head, void *arg,
			  struct err *e)
{
	const char *const *instance = arg;

	if (!*instance || client_status(head) != 200 ||
	    span_is(client_header(head, "Private-Registry-Instance"),
		    *instance))
		return 0;
	return err_set(e, ERR_UPSTREAM, "somebody else answers there");
}

int agent_probe(struct client *client, const char *url, const char *instance,
		struct err *e)
{
	auto_buf struct buf address = { 0 };
	struct client_result result;
	struct client_request request = {
		.method = "GET",
		.connect_ms = PROBE_MS,
		.silence_ms = PROBE_MS,
		.total_ms = PROBE_MS,
		.on_head = check_instance,
		.arg = &instance,
	};

	buf_addf(&address, "%s/v2/", url);
	request.url = address.at;
	if (client_perform(client, &request, &result, e) < 0)
		return -1;
	if (result.status == 200)
		return 0;
	return err_set(e, ERR_UPSTREAM, "%s answers %d", address.at,
		       result.status);
}

struct watch {
	struct agent *agent;
	const struct agent_source *source;
	struct registries *registries;
	struct cluster_watch *cluster; /* null, as the next three may be */
	struct names *names;
	struct fleet *fleet;
	struct hook *hook;

	pthread_mutex_t mutex;
	struct cluster_view *view; /* a new one, or null; guarded by mutex */

	bool knows;	    /* which registries there are */
	bool settled;	    /* the host is as `present` says */
	bool moved;	    /* the hook is to be told */
	int present;	    /* or CHOICE_NONE */
	int64_t probe_ms;   /* when registries were asked last */
	int64_t look_ms;    /* when the host is looked at again */
	int64_t mend_ms;    /* after so long: something is not as it should */
	struct buf said;    /* the news of the last look */
	struct buf refused; /* what the last view could not be */
	struct buf status;  /* its line */
	struct buf why;	    /* the end of that */
};

static void watch_free(struct watch *watch)
{
	if (watch->fleet)
		fleet_close(&watch->fleet);
	if (watch->hook)
		hook_close(&watch->hook);
	if (watch->names)
		names_close(&watch->names);
	if (watch->cluster)
		cluster_watch_close(&watch->cluster);
	if (watch->view)
		cluster_view_close(&watch->view);
	registries_close(&watch->registries);
	pthread_mutex_destroy(&watch->mutex);
	buf_free(&watch->said);
	buf_free(&watch->refused);
	buf_free(&watch->status);
	buf_free(&watch->why);
}

/* ---------------------------------------------------------------- the host */

static void log_news(struct watch *watch, const struct agent_report *report)
{
	struct span rest = buf_span(&report->news);
	bool bad = report->failures || report->conflicts;

	if (span_eq(rest, buf_span(&watch->said)))
		return;
	buf_clear(&watch->said);
	buf_add(&watch->said, rest);
	while (rest.len > 0) {
		struct span line = span_cut(&rest, '\n');

		log_say(bad ? LOG_WARN : LOG_INFO, "host", "%.*s",
			SPAN_ARG(line));
	}
}

/* What fails again and again is tried less and less often. */
static int64_t pause_to_look(struct watch *watch,
			     const struct agent_report *report)
{
	if (!report->failures && !report->pending) {
		watch->mend_ms = 0;
		return LOOK_MS;
	}
	watch->mend_ms = watch->mend_ms ? 2 * watch->mend_ms : MEND_MS;
	if (watch->mend_ms > LOOK_MS)
		watch->mend_ms = LOOK_MS;
	return watch->mend_ms;
}

static const char *url_of(const struct watch *watch, int position)
{
	return position < 0 ?
		       NULL :
		       registries_target(watch->registries, position)->url;
}

static void hook_tell(struct watch *watch)
{
	if (watch->hook && watch->moved)
		hook_say(watch->hook, url_of(watch, watch->present));
	watch->moved = false;
}

static void tell(struct watch *watch, const struct agent_report *report)
{
	struct err e;

	watch->look_ms = clock_ms() + pause_to_look(watch, report);
	log_news(watch, report);
	if (watch->fleet)
		fleet_tell(watch->fleet, url_of(watch, watch->present),
			   watch->why.at, report);
	if (watch->agent->use == AGENT_CHANGE &&
	    agent_keep_status(watch->agent, watch->status.at, report, &e) < 0)
		log_say(LOG_WARN, "status", "not kept: %s", e.message);
	hook_tell(watch);
}

static void line_set(struct watch *watch, const char *url, const char *why)
{
	buf_clear(&watch->why);
	buf_addf(&watch->why, "%s", why);
	buf_clear(&watch->status);
	buf_addf(&watch->status, "registry %s: %s, since %s", url, why,
		 clock_wall_text().s);
	log_say(LOG_INFO, "registry", "%s: %s", url, why);
}

static int host_point(struct watch *watch, struct err *e)
{
	auto_report struct agent_report report = { 0 };

	if (watch->agent->use == AGENT_CHANGE &&
	    agent_apply(watch->agent,
			registries_target(watch->registries, watch->present),
			&report, e) < 0)
		return -1;
	tell(watch, &report);
	return 0;
}

static void host_restore(struct watch *watch)
{
	auto_report struct agent_report report = { 0 };

	if (watch->agent->use == AGENT_CHANGE)
		agent_withdraw(watch->agent, &report);
	tell(watch, &report);
}

/* ---------------------------------------------------------------- what to do
 */

/* Why there is none: of the first that there is. */
static void line_of_none(struct watch *watch)
{
	size_t count;

	registries_all(watch->registries, &count);
	if (count == 0)
		line_set(watch, "none",
			 watch->source->etcd ? "etcd knows of none" :
					       "DNS names none");
	else
		line_set(watch, url_of(watch, 0),
			 registries_why(watch->registries, 0));
}

/*
 * After a start it may be that nobody remembers which registry the host was
 * pointed at: what it has stays as long as there is hope for one.
 */
static bool has_hope(const struct watch *watch)
{
	size_t count;
	const struct candidate *all = registries_all(watch->registries, &count);

	for (size_t i = 0; i < count; i++)
		if (all[i].leased || all[i].failures < CHOICE_GONE)
			return true;
	return false;
}

/* For a start that finds an etcd which has lost everything. */
static void choice_keep(struct watch *watch)
{
	struct err e;

	if (watch->present >= 0 &&
	    registry_keep(watch->agent,
			  registries_record(watch->registries, watch->present),
			  &e) < 0)
		log_say(LOG_WARN, "registry", "not kept: %s", e.message);
}

static void choice_make(struct watch *watch)
{
	size_t count;
	const struct candidate *all = registries_all(watch->registries, &count);
	int next = choose(all, count, watch->source->zone, watch->present);
	bool sure = next < 0 ? !has_hope(watch) : all[next].answers > 0;

	if (next == watch->present && (watch->settled || !sure))
		return;
	if (watch->present >= 0 && all[watch->present].failures > 0 &&
	    !all[watch->present].leaving)
		registries_fell(watch->registries, watch->present);
	watch->present = next;
	choice_keep(watch);
	watch->settled = watch->moved = true;
	watch->look_ms = watch->mend_ms = 0;
	if (next >= 0)
		line_set(watch, url_of(watch, next), "answers");
	else
		line_of_none(watch);
}

static enum listed listed_how(const struct watch *watch)
{
	return watch->source->etcd ? LISTED_IN_ETCD : LISTED_BY_NAME;
}

static bool has_line(struct span text, struct span line)
{
	while (text.len > 0)
		if (span_eq(span_cut(&text, '\n'), line))
			return true;
	return false;
}

/* Each once, until a view is without it. */
static void refusals_log(struct watch *watch, const struct cluster_view *view)
{
	auto_buf struct buf before = watch->refused;

	watch->refused = (struct buf){ 0 };
	for (size_t i = 0; i < view->refusal_count; i++) {
		auto_buf struct buf line = { 0 };

		buf_addf(&line, "%s: %s", view->refusals[i].key,
			 view->refusals[i].why);
		if (!has_line(buf_span(&before), buf_span(&line)))
			log_say(LOG_WARN, "registry", "%s", line.at);
		buf_addf(&watch->refused, "%s\n", line.at);
	}
}

static void view_take(struct watch *watch)
{
	struct cluster_view *view;

	pthread_mutex_lock(&watch->mutex);
	view = steal_ptr(&watch->view);
	pthread_mutex_unlock(&watch->mutex);
	if (!view)
		return;
	watch->knows = true;
	registries_list(watch->registries, view, listed_how(watch));
	refusals_log(watch, view);
	cluster_view_close(&view);
}

static int64_t pause_ms(const struct watch *watch)
{
	size_t count;
	const struct candidate *all = registries_all(watch->registries, &count);

	if (count == 0)
		return AGAIN_MS;
	return watch->present >= 0 && all[watch->present].answers ? AGAIN_MS :
								    RETRY_MS;
}

/* One round of probes, and what it means. */
static int watch_look(struct watch *watch, struct err *e)
{
	view_take(watch);
	if (!watch->knows)
		return 0;
	watch->probe_ms = clock_ms();
	if (watch->cluster || watch->names)
		registries_tidy(watch->registries, &watch->present);
	registries_probe(watch->registries);
	choice_make(watch);
	if (!watch->settled || clock_ms() < watch->look_ms)
		return 0;
	if (watch->present >= 0)
		return host_point(watch, e);
	host_restore(watch);
	return 0;
}

/* -------------------------------------------------------------------- watch */

static void view_changed(struct cluster_view *view, void *arg)
{
	struct watch *watch = arg;

	pthread_mutex_lock(&watch->mutex);
	struct cluster_view *before = watch->view;
	watch->view = view;
	pthread_mutex_unlock(&watch->mutex);
	if (before)
		cluster_view_close(&before);
	kill(getpid(), SIGUSR1);
}

static void trouble_told(const struct err *e, void *arg)
{
	const struct watch *watch = arg;
	const char *who = watch->source->etcd ? "etcd" : "dns";

	if (e)
		log_say(LOG_WARN, who, "%s; the host stays as it is",
			e->message);
	else
		log_say(LOG_INFO, who, "answers again");
}

/* Of the last agent: it stays in use as long as it answers. */
static void kept_take(struct watch *watch)
{
	auto_of(arena) struct arena *arena = arena_open();
	auto_buf struct buf text = { 0 };
	struct record record;
	struct err e;

	if (registry_kept(watch->agent, &text, &e) == 0 && text.len == 0)
		return;
	if (text.len > 0 &&
	    record_parse(buf_span(&text), arena, &record, &e) == 0)
		watch->present = registries_remember(watch->registries, &record,
						     listed_how(watch));
	else
		log_say(LOG_WARN, "registry", "the last one is not known: %s",
			e.message);
}

static int cluster_open(struct watch *watch, struct err *e)
{
	const struct cluster_watch_options options = {
		.etcd = watch->source->etcd,
		.changed = view_changed,
		.trouble = trouble_told,
		.arg = watch,
	};

	if (fleet_open(watch->agent, watch->source, &watch->fleet, e) < 0)
		return -1;
	return cluster_watch_open(&options, &watch->cluster, e);
}

static int watch_open(struct watch *watch, struct err *e)
{
	const struct agent_source *source = watch->source;
	const struct names_options names = {
		.source = source,
		.changed = view_changed,
		.trouble = trouble_told,
		.arg = watch,
	};

	if (source->hook)
		watch->hook = hook_open(source->hook);
	if (!source->etcd && !source->srv) {
		watch->knows = true;
		return registries_add(watch->registries, source->registry, e);
	}
	if (watch->agent->use == AGENT_CHANGE)
		kept_take(watch);
	if (source->etcd)
		return cluster_open(watch, e);
	watch->names = names_open(&names);
	return 0;
}

/* Until then, or until one of these signals, which it returns; or -1. */
static int rest(const sigset_t *signals, int64_t until_ms)
{
	int64_t ms = until_ms - clock_ms();

	if (ms < 0)
		ms = 0;
	const struct timespec pause = {
		.tv_sec = ms / 1000,
		.tv_nsec = ms % 1000 * 1000000,
	};
	return sigtimedwait(signals, NULL, &pause);
}

/* However often views come, answers in a row are some time apart. */
static int rest_or_ring(const struct watch *watch, const sigset_t *signals)
{
	sigset_t others = *signals;
	int got = rest(signals, clock_ms() + pause_ms(watch));

	sigdelset(&others, SIGUSR1);
	return got == SIGUSR1 ? rest(&others, watch->probe_ms + RETRY_MS) : got;
}

int agent_watch(struct agent *agent, const struct agent_source *source,
		struct err *e)
{
	auto_with(watch_free) struct watch watch = {
		.agent = agent,
		.source = source,
		.registries = registries_open(source->canary),
		.mutex = PTHREAD_MUTEX_INITIALIZER,
		.present = CHOICE_NONE,
	};
	sigset_t signals;
	int got = 0;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGUSR1);
	if (watch_open(&watch, e) < 0)
		return -1;
	while (got != SIGTERM && got != SIGINT) {
		if (watch_look(&watch, e) < 0)
			return -1;
		got = rest_or_ring(&watch, &signals);
		if (got == SIGHUP)
			watch.look_ms = 0;
	}
	log_say(LOG_INFO, "stopping", "engines stay as they are");
	return 0;
}
