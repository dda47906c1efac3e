/*
 * private-registry status: what the registry that serves is at.
 */
#include "cli/status.h"

#include <poll.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/version.h"
#include "cli/inside.h"
#include "cli/say.h"

enum {
	TRANSFERS_MOST = 50, /* that are told one by one */
	ANSWER_MS = 5000,    /* how long it may take */
	LOOK_MS = 5
};

/* ------------------------------------------------------------- in the server
 */

void upstream_tell(const struct mirror_upstream_state *state, struct buf *out)
{
	const struct upstream_health *health = &state->health;
	const struct upstream_budget *budget = &state->budget;
	bool failing = health->failed_ms >= 0 &&
		       (health->answered_ms < 0 ||
			health->failed_ms <= health->answered_ms);

	if (failing)
		buf_addf(out, "failed %s ago: %s%s",
			 time_text(health->failed_ms).s, health->why,
			 health->answered_ms < 0 ? "" : "; ");
	if (health->answered_ms >= 0)
		buf_addf(out, "answered %s ago",
			 time_text(health->answered_ms).s);
	if (health->failed_ms < 0 && health->answered_ms < 0)
		buf_addf(out, "not asked so far");
	if (!failing && health->failed_ms >= 0)
		buf_addf(out, "; failed %s ago: %s",
			 time_text(health->failed_ms).s, health->why);
	if (budget->limit > 0)
		buf_addf(out, "; %lld of %lld requests left",
			 (long long)budget->left, (long long)budget->limit);
	if (budget->limit > 0 && budget->window_s > 0)
		buf_addf(out, " in %s", time_text(budget->window_s * 1000).s);
	if (budget->paused_ms > 0)
		buf_addf(out, "; asked again for manifests and lists in %s",
			 time_text(budget->paused_ms).s);
}

static void tell_cache(const struct saying *saying)
{
	int64_t limit = metric_read(METRIC_CACHE_LIMIT);

	say_line(saying, "cache: %s%s%s",
		 size_text(metric_read(METRIC_CACHE_BYTES)).s,
		 limit ? " of " : ", without a limit",
		 limit ? size_text(limit).s : "");
}

static void tell_transfer(const struct mirror_transfer *transfer,
			  const struct saying *saying)
{
	auto_buf struct buf line = { 0 };

	buf_addf(&line, "  %s %s %s", transfer->kind,
		 repository_text(&transfer->repository).s,
		 reference_text(&transfer->reference).s);
	if (transfer->length > 0)
		buf_addf(&line, ": %s", size_text(transfer->length).s);
	if (transfer->length > 0 && transfer->size > 0)
		buf_addf(&line, " of %s", size_text(transfer->size).s);
	saying->line(saying->arg, line.at);
}

static void tell_transfers(struct mirror *mirror, const struct saying *saying)
{
	auto_free struct mirror_transfer *at =
		mem_array(TRANSFERS_MOST, sizeof(*at));
	size_t count = mirror_transfers(mirror, at, TRANSFERS_MOST);

	say_line(saying, "coming from upstreams: %zu", count);
	for (size_t i = 0; i < count && i < TRANSFERS_MOST; i++)
		tell_transfer(&at[i], saying);
}

/* What its images were to clients, and to it. */
static void traffic_tell(const char *name, struct buf *out)
{
	const struct metric_owner *counters = metric_owner(name);
	int64_t sent = metric_read_for(counters, EACH_SENT);

	if (sent > 0)
		buf_addf(out, "; %s sent to clients, %s fetched",
			 size_text(sent).s,
			 size_text(metric_read_for(counters, EACH_BYTES)).s);
}

static void tell_upstreams(struct mirror *mirror, const struct saying *saying)
{
	for (size_t i = 0; i < mirror_upstream_count(mirror); i++) {
		auto_buf struct buf line = { 0 };
		struct mirror_upstream_state state;

		mirror_upstream_state(mirror, i, &state);
		upstream_tell(&state, &line);
		traffic_tell(state.name, &line);
		say_line(saying, "upstream %s: %s", state.name, line.at);
	}
}

static void tell_cluster(const struct house *house, const struct saying *saying)
{
	if (house->config->cluster.etcd_count > 0)
		say_line(saying, "etcd: %s",
			 metric_read(METRIC_KEYS) ?
				 "hosts find this registry there" :
				 "hosts do not find this registry there; the "
				 "log tells why");
}

/* It answers a moment before this thread hears that its doors are open. */
static bool is_open(const struct house *house)
{
	int64_t deadline_ms = clock_ms() + ANSWER_MS;

	while (!house->open && clock_ms() < deadline_ms)
		poll(NULL, 0, LOOK_MS);
	return house->open;
}

/* Nobody is answered by a reactor that does not go round. */
static int check_answers(const struct house *house, struct err *e)
{
	if (!is_open(house))
		return err_set(e, ERR_UNAVAILABLE,
			       "requests are not answered yet: it is starting");
	if (!http_answers(house->http, ANSWER_MS))
		return err_set(
			e, ERR_UNAVAILABLE,
			"requests are not answered any more; restart it");
	return 0;
}

int status_answer(const char *request, const struct saying *saying, void *arg,
		  struct err *e)
{
	const struct house *house = arg;

	(void)request;
	say_line(saying, "%s, up %s, data in %s", program_text,
		 time_text(clock_ms() - house->began_ms).s,
		 house->config->data);
	tell_cache(saying);
	say_line(saying, "connections: %lld",
		 (long long)metric_read(METRIC_CONNECTIONS));
	tell_cluster(house, saying);
	tell_transfers(house->mirror, saying);
	tell_upstreams(house->mirror, saying);
	return check_answers(house, e);
}

/* ---------------------------------------------------------------- the verb */

int status_ask(char *const *args, const char *request, struct err *e)
{
	auto_of(config) struct config *config = NULL;
	auto_with(screen_close) struct screen screen;

	screen_open(&screen);
	if (options_load(args, &config, e) < 0)
		return -1;
	if (control_ask(config->data, request, &screen.saying, e) == 0)
		return 0;
	if (e->kind != ERR_UNAVAILABLE)
		return -1;
	return err_set(e, ERR_UNAVAILABLE,
		       "no registry serves %s; is it another data directory, "
		       "or is it not running?",
		       config->data);
}

int cli_status(const struct call *call, struct err *e)
{
	return status_ask(call->args, "status", e);
}

void cli_status_help(const struct call *call, struct buf *out)
{
	(void)call;
	buf_addf(out,
		 "usage: private-registry status [--config FILE] "
		 "[--KEY VALUE]...\n"
		 "\n"
		 "Tells what the registry that serves the data directory is "
		 "at: since when, how\n"
		 "much is cached, what is coming from upstreams, and of each "
		 "upstream when it\n"
		 "last answered or failed, why, and how much it may still be "
		 "asked. Fails if\n"
		 "nobody serves it, or requests are not answered: it is the "
		 "health check of the\n"
		 "container image.\n"
		 "\n"
		 "Example\n"
		 "  private-registry status --data /srv/images\n"
		 "\n"
		 "Options\n" COMMON_OPTIONS "\n"
		 "Exit status\n"
		 "  0 requests are answered, 1 they are not, 2 the command "
		 "line or the\n"
		 "  configuration is wrong\n");
}
