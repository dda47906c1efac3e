#include "cli/enrol.h"

#include <stdio.h>

#include "base/io.h"
#include "base/log.h"
#include "base/version.h"
#include "cli/house.h"

#define CA_FILE_MAX ((size_t)256 * 1024) /* with whatever else is in it */

/* A record that is being made. */
struct making {
	struct house *house;
	const struct config *config;
	struct arena *arena;
	struct record_door doors[RECORD_DOORS];
	struct record record;
};

/* ------------------------------------------------------------------- doors */

static void add_door(struct making *making, const char *url,
		     const char *upstream)
{
	struct record *record = &making->record;

	if (record->door_count == RECORD_DOORS)
		return;
	making->doors[record->door_count++] = (struct record_door){
		.url = url,
		.upstream = upstream,
	};
}

static void add_address(struct making *making, size_t index, const char *host)
{
	const struct config_listen *door = &making->config->listen[index];

	add_door(making,
		 arena_printf(making->arena, "%s://%s:%u",
			      door->tls.certificate ? "https" : "http", host,
			      http_port(making->house->http, index)),
		 door->upstream);
}

/* Once: what is doubtful at the start is so at each round. */
static void warn_of_inside(struct house *house, const struct ip *ip)
{
	if (house->warned || !route_is_inside(ip))
		return;
	house->warned = true;
	log_say(LOG_WARN, "cluster",
		"hosts are told %s, an address inside of this container or "
		"host, which others may not reach: write cluster.advertise",
		ip_text(ip).s);
}

static void add_route(struct making *making, size_t index, sa_family_t family)
{
	struct ip ip;

	if (!route_address(family, &ip))
		return;
	warn_of_inside(making->house, &ip);
	add_address(making, index,
		    arena_printf(making->arena,
				 family == AF_INET ? "%s" : "[%s]",
				 ip_text(&ip).s));
}

/* Where the door is for others, as far as it is. */
static void add_listening(struct making *making, size_t index)
{
	const struct config_listen *door = &making->config->listen[index];
	struct span host = span_of(door->address);

	host.len = (size_t)span_find_last(host, ':');
	if (door->client_ca && door->client == CLIENT_REQUIRED)
		return;
	if (host.len == 0 || span_is(host, "0.0.0.0"))
		add_route(making, index, AF_INET);
	if (host.len == 0 || span_is(host, "[::]"))
		add_route(making, index, AF_INET6);
	if (host.len > 0 && !span_is(host, "0.0.0.0") &&
	    !span_is(host, "[::]") && !ip_host_is_own(host))
		add_address(making, index, arena_text(making->arena, host));
}

/* A reload may speak of an upstream that is there after a restart. */
static bool is_mirrored(const struct config *config, const char *upstream)
{
	for (size_t i = 0; i < config->upstream_count; i++)
		if (strcmp(config->upstreams[i].name, upstream) == 0)
			return true;
	return false;
}

/* Those for all names come first. */
static void add_advertised(struct making *making)
{
	const struct config_cluster *cluster = &making->config->cluster;

	for (size_t i = 0; i < cluster->advertise_count; i++)
		if (!cluster->advertise[i].upstream)
			add_door(making, cluster->advertise[i].url, NULL);
	for (size_t i = 0; i < cluster->advertise_count; i++) {
		const struct config_advertise *door = &cluster->advertise[i];

		if (door->upstream &&
		    is_mirrored(making->config, door->upstream))
			add_door(making, door->url, door->upstream);
	}
}

/* Likewise. */
static void add_all_listening(struct making *making)
{
	const struct config *config = making->config;

	for (size_t i = 0; i < config->listen_count; i++)
		if (!config->listen[i].upstream)
			add_listening(making, i);
	for (size_t i = 0; i < config->listen_count; i++)
		if (config->listen[i].upstream)
			add_listening(making, i);
}

static int find_doors(struct making *making, struct err *e)
{
	if (making->config->cluster.advertise_count > 0)
		add_advertised(making);
	else
		add_all_listening(making);
	making->record.doors = making->doors;
	if (making->record.door_count > 0)
		return 0;
	return err_set(e, ERR_NOT_FOUND,
		       "there is no address at which others reach this "
		       "registry: write cluster.advertise");
}

/* --------------------------------------------------------------- the others */

static int find_health(const struct house *house, enum record_health *out,
		       struct err *e)
{
	*out = RECORD_READY;
	if (store_check(house->store, e) == 0)
		return 0;
	*out = RECORD_FULL;
	return e->kind == ERR_NO_SPACE ? 0 : -1;
}

int certificates_read(const char *path, struct buf *out, struct err *e)
{
	auto_buf struct buf file = { 0 };

	if (io_read_file(path, CA_FILE_MAX, &file, e) < 0)
		return -1;
	if (record_certificates(buf_span(&file), out) > 0)
		return 0;
	return err_set(e, ERR_USAGE, "%s: no PEM certificate in it", path);
}

static int find_ca(struct making *making, struct err *e)
{
	const char *path = making->config->cluster.advertise_ca;
	auto_buf struct buf certificates = { 0 };

	if (!path)
		return 0;
	if (certificates_read(path, &certificates, e) < 0)
		return -1;
	making->record.ca = arena_text(making->arena, buf_span(&certificates));
	return 0;
}

static void find_names(struct making *making)
{
	const struct config *config = making->config;
	struct record *record = &making->record;
	const char **upstreams = arena_alloc(
		making->arena, config->upstream_count * sizeof(*upstreams));

	record->id = making->house->instance.s;
	record->version = strchr(program_agent, '/') + 1;
	record->zone = config->cluster.zone;
	record->weight = config->cluster.weight;
	record->fallback = *config->mirror_default ? config->mirror_default :
						     NULL;
	for (size_t i = 0; i < config->upstream_count; i++)
		upstreams[i] = config->upstreams[i].name;
	record->upstreams = upstreams;
	record->upstream_count = config->upstream_count;
}

/* What hosts would refuse is not said. */
static int print(struct making *making, struct buf *out, struct err *e)
{
	struct record read;

	record_print(&making->record, out);
	if (record_parse(buf_span(out), making->arena, &read, e) < 0)
		return err_wrap(e, "hosts would refuse it");
	return 0;
}

static int make(struct making *making, struct buf *out, struct err *e)
{
	if (find_doors(making, e) < 0 || find_ca(making, e) < 0)
		return -1;
	find_names(making);
	return print(making, out, e);
}

static int describe_as(struct house *house, enum record_health health,
		       struct buf *out, struct err *e)
{
	auto_of(arena) struct arena *arena = arena_open();
	struct version *held = current_hold(house->api.settings);
	const struct api_settings *settings = version_value(held);
	struct making making = {
		.house = house,
		.config = settings->config,
		.arena = arena,
		.record.health = health,
	};
	int failed = make(&making, out, e);

	version_release(&held);
	return failed;
}

static int describe(void *arg, struct buf *out, struct err *e)
{
	struct house *house = arg;
	enum record_health health;

	if (find_health(house, &health, e) < 0)
		return -1;
	return describe_as(house, health, out, e);
}

/* Who cannot say where it is has no last words. */
static void part(void *arg, struct buf *out)
{
	struct err e;

	if (describe_as(arg, RECORD_LEAVING, out, &e) < 0)
		buf_clear(out);
}

/* ------------------------------------------------------------ begin and end */

void describe_etcd(const struct config *config, struct cluster_options *out)
{
	const struct config_cluster *cluster = &config->cluster;

	*out = (struct cluster_options){
		.urls = (const char *const *)cluster->etcd,
		.url_count = cluster->etcd_count,
		.prefix = cluster->prefix,
		.ca = cluster->ca,
		.certificate = cluster->client_certificate,
		.key = cluster->client_key,
		.username = cluster->username,
		.password_file = cluster->password_file,
	};
}

/* The configuration of the start is there to the end. */
int enrol(struct house *house, struct err *e)
{
	const struct config_cluster *cluster = &house->config->cluster;
	struct presence_options options = {
		.etcd = &house->etcd,
		.lease_s = cluster->lease_ms / 1000,
		.describe = describe,
		.part = part,
		.arg = house,
	};
	char key[64];

	if (cluster->etcd_count == 0)
		return 0;
	describe_etcd(house->config, &house->etcd);
	snprintf(key, sizeof(key), "registries/%s", house->instance.s);
	options.key = key;
	return presence_open(&options, &house->presence, e);
}

void enrol_end(struct house *house)
{
	if (house->presence)
		presence_close(&house->presence);
}
