/*
 * private-registry serve: the one place where the rooms are put together.
 *
 * Everything opens in the order of the floors and closes in the reverse; what
 * cannot open says so before a port is bound. Signals are the main thread's:
 * TERM and INT end it, HUP reads certificates again.
 */
#include <signal.h>
#include <string.h>

#include "api/api.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/gc.h"
#include "config/config.h"

struct house {
	const struct config *config;
	struct store *store;
	struct gc_place sweeps;
	struct control *control;
	struct mirror_upstream *upstreams;
	struct mirror *mirror;
	struct http_door *doors;
	struct http_certificate *certificates; /* one a door */
	struct http *http;
	struct api api;
};

static int open_upstreams(struct house *house, struct err *e)
{
	const struct config *config = house->config;

	house->upstreams =
		mem_array(config->upstream_count, sizeof(*house->upstreams));
	for (size_t i = 0; i < config->upstream_count; i++) {
		const struct config_upstream *from = &config->upstreams[i];
		struct upstream_options options = {
			.name = from->name,
			.urls = (const char *const *)from->urls,
			.url_count = from->url_count,
			.ca = from->ca,
			.username = from->username,
			.password_file = from->password_file,
		};
		struct mirror_upstream *to = &house->upstreams[i];

		to->name = from->name;
		if (upstream_open(&options, &to->upstream, e) < 0)
			return err_wrap(e, "upstream %s", from->name);
	}
	return 0;
}

static void open_mirror(struct house *house)
{
	const struct config *config = house->config;
	struct mirror_options options = {
		.store = house->store,
		.upstreams = house->upstreams,
		.upstream_count = config->upstream_count,
	};

	house->mirror = mirror_open(&options);
	house->api.store = house->store;
	house->api.mirror = house->mirror;
}

static size_t count_certificates(const struct config *config)
{
	size_t count = 0;

	for (size_t i = 0; i < config->listen_count; i++)
		count += 1 + config->listen[i].more_count;
	return count;
}

/* Takes the room of its certificates from `next`; returns what is left. */
static struct http_certificate *
describe_door(const struct config_listen *listen, struct http_certificate *next,
	      struct http_door *out)
{
	size_t count = listen->tls.certificate ? 1 + listen->more_count : 0;

	*out = (struct http_door){
		.address = listen->address,
		.certificates = next,
		.certificate_count = count,
		.client_ca = listen->client_ca,
		.client_required = listen->client == CLIENT_REQUIRED,
		.arg = listen->upstream,
	};
	for (size_t i = 0; i < count; i++) {
		const struct config_certificate *from =
			i == 0 ? &listen->tls : &listen->more[i - 1];

		*next++ = (struct http_certificate){ from->certificate,
						     from->key };
	}
	return next;
}

static int open_doors(struct house *house, struct err *e)
{
	const struct config *config = house->config;
	struct http_options options = {
		.door_count = config->listen_count,
		.lanes[LANE_UPLOAD] = (unsigned)config->upload_limit,
		.handle = api_handle,
		.done = api_done,
		.refusal = api_refusal,
		.refusal_type = "application/json",
		.app = &house->api,
	};

	house->doors = mem_array(config->listen_count, sizeof(*house->doors));
	house->certificates = mem_array(count_certificates(config),
					sizeof(*house->certificates));
	struct http_certificate *next = house->certificates;
	for (size_t i = 0; i < config->listen_count; i++)
		next = describe_door(&config->listen[i], next,
				     &house->doors[i]);
	options.doors = house->doors;
	return http_open(&options, &house->http, e);
}

static int open_house(struct house *house, struct err *e)
{
	if (store_open(house->config->data, &house->store, e) < 0 ||
	    open_upstreams(house, e) < 0)
		return -1;
	open_mirror(house);
	return open_doors(house, e);
}

/* Without it the registry serves as well; only gc has to wait for its end. */
static void open_sweeps(struct house *house)
{
	const struct config *config = house->config;
	struct err e;

	house->sweeps = (struct gc_place){ house->store, config->gc_grace_ms };
	store_collect(house->store, config->gc_grace_ms);
	if (control_open(config->data, gc_answer, &house->sweeps,
			 &house->control, &e) < 0)
		log_say(LOG_WARN, "control", "%s", e.message);
}

/* Workers may wait for the mirror, and the mirror writes to the store. */
static void close_house(struct house *house)
{
	if (house->store)
		store_stop_sweeps(house->store);
	if (house->control)
		control_close(&house->control);
	if (house->http)
		http_close(&house->http);
	if (house->mirror)
		mirror_close(&house->mirror);
	for (size_t i = 0;
	     house->upstreams && i < house->config->upstream_count; i++)
		if (house->upstreams[i].upstream)
			upstream_close(&house->upstreams[i].upstream);
	if (house->store)
		store_close(&house->store);
	free(house->upstreams);
	free(house->doors);
	free(house->certificates);
	current_close(&house->api.settings);
}

static void say_started(const struct house *house)
{
	const struct config *config = house->config;

	for (size_t i = 0; i < config->listen_count; i++) {
		const struct config_listen *door = &config->listen[i];
		struct log_line line;

		log_begin(&line, LOG_INFO, "listening");
		log_text(&line, "address", door->address);
		log_number(&line, "port", http_port(house->http, i));
		log_text(&line, "scheme",
			 door->tls.certificate ? "https" : "http");
		if (door->upstream)
			log_text(&line, "upstream", door->upstream);
		log_send(&line);
	}
	log_say(LOG_INFO, "started", "data in %s, a bare name is %s's",
		config->data,
		*config->mirror_default ? config->mirror_default : "nobody");
}

static void reload(struct house *house)
{
	struct err e;

	if (http_reload(house->http, house->doors, &e) < 0)
		log_say(LOG_ERROR, "reload", "%s; the old ones stay in use",
			e.message);
	else
		log_say(LOG_INFO, "reload", "certificates read again");
}

static void wait_for_end(struct house *house, const sigset_t *signals)
{
	sigset_t ends = *signals;
	int got;

	sigdelset(&ends, SIGHUP);
	while (sigwait(signals, &got) == 0 && got == SIGHUP)
		reload(house);
	log_say(LOG_INFO, "stopping", "got SIG%s, requests have %lld s to end",
		sigabbrev_np(got), (long long)house->config->drain_ms / 1000);
	/* A second one ends it at once, which costs nobody anything durable. */
	pthread_sigmask(SIG_UNBLOCK, &ends, NULL);
	http_drain(house->http, house->config->drain_ms);
	mirror_stop(house->mirror);
}

int serve_run(struct config *config, struct err *e)
{
	struct house house = { .config = config };
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);

	mem_settle();
	log_open(config->log_level);
	house.api.settings =
		current_open(api_settings_open(config), api_settings_close);
	int failed = open_house(&house, e);
	if (!failed) {
		open_sweeps(&house);
		say_started(&house);
		wait_for_end(&house, &signals);
	}
	close_house(&house);
	log_close();
	return failed;
}
