/*
 * The agent's thread leaves here what it knows, in words of its own; the one
 * that talks to etcd makes the record of that, and asks engines meanwhile.
 */
#include "agent/fleet.h"

#include <assert.h>
#include <sys/utsname.h>

#include "agent/version.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "base/version.h"

struct fleet {
	const struct agent *agent;
	struct presence *presence;
	char *name;
	struct version_memory versions[AGENT_ENGINES]; /* presence's own */
	pthread_mutex_t lock;
	/* Guarded by lock: */
	char *registry; /* null: none */
	char *why;
	int64_t since_s;
	struct agent_report report; /* without texts but errors */
};

static const char *const states[] = {
	[AGENT_POINTED] = "pointed",
	[AGENT_PENDING] = "pending",
	[AGENT_CONFLICT] = "conflict",
	[AGENT_FAILED] = "failed",
};

/* ------------------------------------------------------------- the record */

/* A record that is being made. */
struct making {
	struct fleet *fleet;
	struct arena *arena;
	struct host_engine engines[AGENT_ENGINES];
	const char *errors[HOST_ERRORS];
	struct host_record record;
};

static void add_engines(struct making *making)
{
	static_assert(AGENT_ENGINES <= (int)HOST_ENGINES,
		      "a record takes any of them");
	const struct host *host = &making->fleet->agent->host;
	const struct engine *engine;

	for (size_t i = 0; i < AGENT_ENGINES && (engine = engine_at(i)); i++)
		if (engine_is_on(host, engine))
			making->engines[making->record.engine_count++] =
				(struct host_engine){
					engine->name,
					engine_version(
						host, engine,
						&making->fleet->versions[i]),
					"idle",
				};
	making->record.engines = making->engines;
}

static void add_state(struct making *making, const char *name,
		      enum agent_state state)
{
	for (size_t i = 0; i < making->record.engine_count; i++)
		if (strcmp(making->engines[i].name, name) == 0)
			making->engines[i].state = states[state];
}

static void add_errors(struct making *making, struct span rest)
{
	while (rest.len > 0 && making->record.error_count < HOST_ERRORS)
		making->errors[making->record.error_count++] =
			arena_text(making->arena, span_cut(&rest, '\n'));
	making->record.errors = making->errors;
}

/* What the agent's thread has left. */
static void add_news(struct making *making)
{
	struct fleet *fleet = making->fleet;

	hold_mutex(&fleet->lock);
	if (fleet->registry)
		making->record.registry =
			arena_text(making->arena, span_of(fleet->registry));
	making->record.why = arena_text(making->arena, span_of(fleet->why));
	making->record.since_s = fleet->since_s;
	for (size_t i = 0; i < fleet->report.engine_count; i++)
		add_state(making, fleet->report.engines[i].name,
			  fleet->report.engines[i].state);
	add_errors(making, buf_span(&fleet->report.errors));
}

/* What nobody would take is not said. */
static int describe(void *arg, struct buf *out, struct err *e)
{
	struct fleet *fleet = arg;
	auto_of(arena) struct arena *arena = arena_open();
	struct making making = {
		.fleet = fleet,
		.arena = arena,
		.record = { .name = fleet->name,
			    .version = strchr(program_agent, '/') + 1 },
	};
	struct host_record read;

	add_engines(&making);
	add_news(&making);
	host_record_print(&making.record, out);
	if (host_record_parse(buf_span(out), arena, &read, e) < 0)
		return err_wrap(e, "nobody would take what is to be told of "
				   "this host (agent.name names it)");
	return 0;
}

/* ----------------------------------------------------------- open and close */

static void fleet_free(struct fleet *fleet)
{
	agent_report_free(&fleet->report);
	pthread_mutex_destroy(&fleet->lock);
	free(fleet->registry);
	free(fleet->why);
	free(fleet->name);
	free(fleet);
}

static char *kernel_name(void)
{
	struct utsname kernel;

	return mem_text(uname(&kernel) == 0 ? kernel.nodename : "");
}

static int appear(struct fleet *fleet, const struct agent_source *source,
		  struct err *e)
{
	auto_buf struct buf key = { 0 };
	struct presence_options options = {
		.etcd = source->etcd,
		.lease_s = source->lease_s,
		.describe = describe,
		.arg = fleet,
	};

	buf_addf(&key, "hosts/%s", fleet->name);
	options.key = key.at;
	return presence_open(&options, &fleet->presence, e);
}

int fleet_open(const struct agent *agent, const struct agent_source *source,
	       struct fleet **out, struct err *e)
{
	struct fleet *fleet = mem_alloc(sizeof(*fleet));

	fleet->agent = agent;
	fleet->name = source->name ? mem_text(source->name) : kernel_name();
	fleet->why = mem_text("it has just started");
	fleet->since_s = clock_wall_s();
	pthread_mutex_init(&fleet->lock, NULL);
	if (appear(fleet, source, e) < 0) {
		fleet_free(fleet);
		return -1;
	}
	*out = fleet;
	return 0;
}

void fleet_close(struct fleet **pointer)
{
	struct fleet *fleet = steal_ptr(pointer);

	presence_close(&fleet->presence);
	fleet_free(fleet);
}

/* ------------------------------------------------------------------- telling
 */

static bool is_other(const char *one, const char *other)
{
	return !one != !other || (one && strcmp(one, other) != 0);
}

static void text_set(char **text, const char *value)
{
	free(*text);
	*text = mem_text(value);
}

static void states_take(struct fleet *fleet, const struct agent_report *report)
{
	buf_clear(&fleet->report.errors);
	buf_add(&fleet->report.errors, buf_span(&report->errors));
	memcpy(fleet->report.engines, report->engines, sizeof(report->engines));
	fleet->report.engine_count = report->engine_count;
}

static void news_take(struct fleet *fleet, const char *registry,
		      const char *why, const struct agent_report *report)
{
	hold_mutex(&fleet->lock);
	if (is_other(fleet->registry, registry) || is_other(fleet->why, why))
		fleet->since_s = clock_wall_s();
	text_set(&fleet->registry, registry);
	text_set(&fleet->why, why);
	states_take(fleet, report);
}

void fleet_tell(struct fleet *fleet, const char *registry, const char *why,
		const struct agent_report *report)
{
	news_take(fleet, registry, why, report);
	presence_say(fleet->presence);
}
