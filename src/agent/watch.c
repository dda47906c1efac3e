/*
 * A registry that answers is pointed at, one that does not is left. What
 * stands between the two is counted in probes, so that one lost packet
 * changes no host.
 */
#include <signal.h>
#include <time.h>

#include "agent/inside.h"
#include "base/clock.h"
#include "base/log.h"

enum {
	PROBE_MS = 1000,
	AGAIN_MS = 2000, /* after an answer */
	RETRY_MS = 500,	 /* after none: three within 4 s at most */
	FAILURES = 3,
	LOOK_MS = 60000, /* between two looks at a host that is as it should */
	MEND_MS = 5000	 /* and at one that is not */
};

int agent_probe(struct client *client, const char *url, struct err *e)
{
	auto_buf struct buf address = { 0 };
	struct client_result result;
	struct client_request request = {
		.method = "GET",
		.connect_ms = PROBE_MS,
		.silence_ms = PROBE_MS,
		.total_ms = PROBE_MS,
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
	struct client *client;
	const struct agent_target *target;
	enum { WATCH_UNKNOWN, WATCH_HERE, WATCH_GONE } state;
	int failures;	   /* probes in a row */
	int64_t look_ms;   /* when the host is looked at again */
	struct buf said;   /* the news of the last look */
	struct buf status; /* its line */
};

static void watch_free(struct watch *watch)
{
	buf_free(&watch->said);
	buf_free(&watch->status);
}

static void log_news(struct watch *watch, const struct agent_report *report)
{
	struct span rest = buf_span(&report->news);

	if (span_eq(rest, buf_span(&watch->said)))
		return;
	buf_clear(&watch->said);
	buf_add(&watch->said, rest);
	while (rest.len > 0) {
		struct span line = span_cut(&rest, '\n');

		log_say(report->failures || report->conflicts ? LOG_WARN :
								LOG_INFO,
			"host", "%.*s", SPAN_ARG(line));
	}
}

static void tell(struct watch *watch, const struct agent_report *report)
{
	struct err e;

	log_news(watch, report);
	if (agent_keep_status(watch->agent, watch->status.at, report, &e) < 0)
		log_say(LOG_WARN, "status", "not kept: %s", e.message);
}

/* It was so, or becomes so now. */
static void state_set(struct watch *watch, unsigned state, const char *why)
{
	if (watch->state == state)
		return;
	watch->state = state;
	buf_clear(&watch->status);
	buf_addf(&watch->status, "registry %s: %s, since %s",
		 watch->target->url, why, clock_wall_text().s);
	log_say(LOG_INFO, "registry", "%s: %s", watch->target->url, why);
}

static int host_point(struct watch *watch, struct err *e)
{
	auto_report struct agent_report report = { 0 };

	state_set(watch, WATCH_HERE, "answers");
	if (agent_apply(watch->agent, watch->target, &report, e) < 0)
		return -1;
	watch->look_ms = clock_ms() + (report.failures ? MEND_MS : LOOK_MS);
	tell(watch, &report);
	return 0;
}

static void host_restore(struct watch *watch, const char *why)
{
	auto_report struct agent_report report = { 0 };

	state_set(watch, WATCH_GONE, why);
	agent_withdraw(watch->agent, &report);
	watch->look_ms = clock_ms() + (report.failures ? MEND_MS : LOOK_MS);
	tell(watch, &report);
}

/* One probe and what it means; how long to wait for the next. */
static int watch_look(struct watch *watch, int64_t *pause_ms, struct err *e)
{
	bool due = clock_ms() >= watch->look_ms;
	struct err why;

	if (agent_probe(watch->client, watch->target->url, &why) == 0) {
		*pause_ms = AGAIN_MS;
		watch->failures = 0;
		if (watch->state != WATCH_HERE || due)
			return host_point(watch, e);
		return 0;
	}
	*pause_ms = RETRY_MS;
	if (++watch->failures < FAILURES)
		return 0;
	if (watch->state != WATCH_GONE || due)
		host_restore(watch, why.message);
	return 0;
}

int agent_watch(struct agent *agent, struct client *client,
		const struct agent_target *target, struct err *e)
{
	auto_with(watch_free) struct watch watch = {
		.agent = agent,
		.client = client,
		.target = target,
	};
	sigset_t signals;
	int got = 0;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	while (got != SIGTERM && got != SIGINT) {
		int64_t pause_ms;

		if (watch_look(&watch, &pause_ms, e) < 0)
			return -1;
		struct timespec pause = {
			.tv_sec = pause_ms / 1000,
			.tv_nsec = pause_ms % 1000 * 1000000,
		};
		got = sigtimedwait(&signals, NULL, &pause);
		if (got == SIGHUP)
			watch.look_ms = 0;
	}
	log_say(LOG_INFO, "stopping", "engines stay as they are");
	return 0;
}
