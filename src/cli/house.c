/*
 * Everything opens in the order of the floors and closes in the reverse.
 */
#include "cli/house.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/backup.h"
#include "cli/status.h"
#include "cli/systemd.h"
#include "cli/verify.h"

enum { SOCKETS_MOST = 64 }; /* that are passed to us */

static void choose_pseudonym(struct house *house)
{
	meta_instance(store_meta(house->store), &house->instance);
	snprintf(house->pseudonym, sizeof(house->pseudonym),
		 "private-registry-%s", house->instance.s);
}

int open_upstream(const struct house *house, const struct config_upstream *from,
		  struct upstream **out, struct err *e)
{
	auto_free struct upstream_credential *credentials =
		mem_array(from->credential_count, sizeof(*credentials));
	struct upstream_options options = {
		.name = from->name,
		.pseudonym = house->pseudonym,
		.urls = (const char *const *)from->urls,
		.url_count = from->url_count,
		.ca = from->ca,
		.certificate = from->client_certificate,
		.key = from->client_key,
		.proxy = from->proxy,
		.credentials = credentials,
		.credential_count = from->credential_count,
	};

	for (size_t i = 0; i < from->credential_count; i++)
		credentials[i] = (struct upstream_credential){
			from->credentials[i].username,
			from->credentials[i].password_file,
		};
	if (upstream_open(&options, out, e) < 0)
		return err_wrap(e, "upstream %s", from->name);
	return 0;
}

static int open_upstreams(struct house *house, struct err *e)
{
	const struct config *config = house->config;

	house->upstreams =
		mem_array(config->upstream_count, sizeof(*house->upstreams));
	for (size_t i = 0; i < config->upstream_count; i++) {
		struct mirror_upstream *to = &house->upstreams[i];

		to->name = config->upstreams[i].name;
		if (open_upstream(house, &config->upstreams[i], &to->upstream,
				  e) < 0)
			return -1;
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
		.pseudonym = house->pseudonym,
	};

	house->mirror = mirror_open(&options);
	house->api.store = house->store;
	house->api.mirror = house->mirror;
	house->api.instance = house->instance.s;
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

void doors_describe(const struct config *config, struct doors *out)
{
	out->at = mem_array(config->listen_count, sizeof(*out->at));
	out->certificates = mem_array(count_certificates(config),
				      sizeof(*out->certificates));
	struct http_certificate *next = out->certificates;
	for (size_t i = 0; i < config->listen_count; i++)
		next = describe_door(&config->listen[i], next, &out->at[i]);
}

void doors_free(struct doors *doors)
{
	free(doors->at);
	free(doors->certificates);
}

static int open_doors(struct house *house, struct err *e)
{
	const struct config *config = house->config;
	int sockets[SOCKETS_MOST];
	struct http_options options = {
		.door_count = config->listen_count,
		.sockets = sockets,
		.socket_count = systemd_sockets(sockets, SOCKETS_MOST),
		.lanes[LANE_UPLOAD] = (unsigned)config->upload_limit,
		.others = (unsigned)mirror_upstream_count(house->mirror),
		.handle = api_handle,
		.done = api_done,
		.refusal = api_refusal,
		.refusal_type = "application/json",
		.app = &house->api,
	};

	doors_describe(config, &house->doors);
	options.doors = house->doors.at;
	if (http_open(&options, &house->http, e) < 0)
		return -1;
	house->open = true;
	return 0;
}

void set_cache(struct store *store, const struct config *config)
{
	struct store_cache cache = {
		.limit = config->cache_limit,
		.keep_free = config->cache_keep_free,
	};

	store_cache(store, &cache);
}

void set_verify(struct store *store, const struct config *config)
{
	struct store_scrub how = {
		.every_ms = config->verify_every_ms,
		.rate = config->verify_rate,
	};

	store_scrub(store, &how);
}

/* Each verb that reaches a process that serves, by the request's first word. */
static int answer(const char *request, const struct saying *saying, void *arg,
		  struct err *e)
{
	struct house *house = arg;
	const struct {
		const char *verb;
		control_answer answer;
		void *arg;
	} verbs[] = {
		{ "gc", gc_answer, &house->sweeps },
		{ "keep", keep_answer, house->store },
		{ "verify", verify_answer, house->store },
		{ "backup", backup_answer, house->store },
		{ "status", status_answer, house },
		{ "explain", explain_answer, house },
	};
	struct span rest = span_of(request);
	struct span verb = span_cut(&rest, ' ');

	for (size_t i = 0; i < array_size(verbs); i++)
		if (span_is(verb, verbs[i].verb))
			return verbs[i].answer(request, saying, verbs[i].arg,
					       e);
	return err_set(e, ERR_USAGE,
		       "the process that serves is of another version");
}

/* Who has no room is helped by what comes in there. */
static int open_control(struct house *house, struct err *e)
{
	const char *data = house->config->data;

	if (control_open(data, answer, house, &house->control, e) == 0)
		return 0;
	if (e->kind != ERR_NO_SPACE)
		return -1;
	store_make_room(house->store);
	return control_open(data, answer, house, &house->control, e);
}

/* Without it the registry serves as well; only they have to wait for its end.
 */
static void open_sweeps(struct house *house)
{
	const struct config *config = house->config;
	struct err e;

	house->sweeps.store = house->store;
	house->sweeps.grace_ms = config->gc_grace_ms;
	store_collect(house->store, config->gc_grace_ms);
	set_verify(house->store, config);
	if (open_control(house, &e) < 0)
		log_say(LOG_WARN, "control", "%s", e.message);
}

int house_open(struct house *house, struct config *config, char *const *args,
	       struct err *e)
{
	*house = (struct house){
		.config = config,
		.args = args,
		.began_ms = clock_ms(),
	};
	house->api.settings =
		current_open(api_settings_open(config), api_settings_close);
	house->first = current_hold(house->api.settings);
	if (store_open(config->data, &house->store, e) < 0)
		return -1;
	choose_pseudonym(house);
	if (open_upstreams(house, e) < 0)
		return -1;
	set_cache(house->store, config);
	set_rules(house->store, config);
	open_mirror(house);
	house->fresh = fresh_open(house->mirror, house->api.settings);
	open_sweeps(house); /* before the doors: who finds it ready finds all */
	if (open_doors(house, e) < 0)
		return -1;
	return enrol(house, e);
}

/* Workers may wait for the mirror, and the mirror writes to the store. */
void house_close(struct house *house)
{
	enrol_end(house);
	if (house->store) {
		store_stop_sweeps(house->store);
		store_stop_verify(house->store);
	}
	if (house->control)
		control_close(&house->control);
	if (house->http)
		http_close(&house->http);
	if (house->fresh) {
		mirror_stop(house->mirror);
		fresh_close(&house->fresh);
	}
	if (house->mirror)
		mirror_close(&house->mirror);
	for (size_t i = 0;
	     house->upstreams && i < house->config->upstream_count; i++)
		if (house->upstreams[i].upstream)
			upstream_close(&house->upstreams[i].upstream);
	if (house->store)
		store_close(&house->store);
	free(house->upstreams);
	doors_free(&house->doors);
	doors_free(&house->now);
	version_release(&house->first);
	current_close(&house->api.settings);
}
