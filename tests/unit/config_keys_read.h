/*
 * config_keys_read.h: how each key is read, as a text; null: it is not set.
 */
#pragma once
#include <stdio.h>

#include "config/config.h"

static char number[32];

static const char *number_text(int64_t value)
{
	snprintf(number, sizeof(number), "%lld", (long long)value);
	return number;
}

static const char *data(const struct config *config)
{
	return config->data;
}

static const char *drain(const struct config *config)
{
	return number_text(config->drain_ms);
}

static const char *grace(const struct config *config)
{
	return number_text(config->gc_grace_ms);
}

static const char *uploads(const struct config *config)
{
	return number_text(config->upload_limit);
}

static const char *blob_size(const struct config *config)
{
	return number_text(config->blob_limit);
}

static const char *level(const struct config *config)
{
	return number_text(config->log_level);
}

static const char *missing_blobs(const struct config *config)
{
	return number_text(config->missing_blobs);
}

static const char *user(const struct config *config)
{
	return number_text(config->user);
}

static const char *verify_every(const struct config *config)
{
	return number_text(config->verify_every_ms);
}

static const char *verify_rate(const struct config *config)
{
	return number_text(config->verify_rate);
}

static const char *address(const struct config *config)
{
	return config->listen[0].address;
}

static const char *bound(const struct config *config)
{
	return config->listen[0].upstream;
}

static const char *certificate(const struct config *config)
{
	return config->listen[0].tls.certificate;
}

static const char *private_key(const struct config *config)
{
	return config->listen[0].tls.key;
}

static const char *other_certificate(const struct config *config)
{
	const struct config_listen *listen = &config->listen[0];

	return listen->more_count ? listen->more[0].certificate : NULL;
}

static const char *other_key(const struct config *config)
{
	const struct config_listen *listen = &config->listen[0];

	return listen->more_count ? listen->more[0].key : NULL;
}

static const char *client_ca(const struct config *config)
{
	return config->listen[0].client_ca;
}

static const char *client(const struct config *config)
{
	return number_text(config->listen[0].client);
}

static const char *public_url(const struct config *config)
{
	return config->public_url;
}

static const char *proxy(const struct config *config)
{
	return config->trusted_proxy_count ? config->trusted_proxies[0] : NULL;
}

static const char *access_to(const struct config *config)
{
	return number_text(config->access);
}

static const char *immutable(const struct config *config)
{
	return config->immutable_count ? config->immutable[0].repositories :
					 NULL;
}

static const char *immutable_tags(const struct config *config)
{
	return config->immutable_count ? config->immutable[0].tags : NULL;
}

static const char *quota(const struct config *config)
{
	return config->quota_count ? config->quotas[0].repositories : NULL;
}

static const char *quota_size(const struct config *config)
{
	return config->quota_count ? number_text(config->quotas[0].size) : NULL;
}

static const char *prefetch_image(const struct config *config)
{
	return config->prefetch_count ? config->prefetch[0].image : NULL;
}

static const char *prefetch_every(const struct config *config)
{
	return config->prefetch_count ?
		       number_text(config->prefetch[0].every_ms) :
		       NULL;
}

static const char *keep(const struct config *config)
{
	return config->keep_count ? config->keep[0].repositories : NULL;
}

static const char *keep_tags(const struct config *config)
{
	return config->keep_count ? config->keep[0].tags : NULL;
}

#define KEEP_READER(name, field)                                             \
	static const char *name(const struct config *config)                 \
	{                                                                    \
		return config->keep_count ?                                  \
			       number_text((int64_t)config->keep[0].field) : \
			       NULL;                                         \
	}
KEEP_READER(keep_last, last)
KEEP_READER(keep_pushed, pushed_within_ms)
KEEP_READER(keep_pulled, pulled_within_ms)
KEEP_READER(keep_untagged, untagged_after_ms)
KEEP_READER(keep_orphans, orphans)

static const char *standard(const struct config *config)
{
	return config->mirror_default;
}

static const char *local(const struct config *config)
{
	return config->local_count ? config->local[0] : NULL;
}

static const char *reserved(const struct config *config)
{
	return config->reserved_count ? config->reserved[0] : NULL;
}

static const char *cache_limit(const struct config *config)
{
	return number_text(config->cache_limit);
}

static const char *keep_free(const struct config *config)
{
	return number_text(config->cache_keep_free);
}

static const char *patience(const struct config *config)
{
	return number_text(config->patience_ms);
}

static const char *name(const struct config *config)
{
	return config->upstreams[0].name;
}

static const char *url(const struct config *config)
{
	return config->upstreams[0].urls[0];
}

static const char *ca(const struct config *config)
{
	return config->upstreams[0].ca;
}

static const char *client_certificate(const struct config *config)
{
	return config->upstreams[0].client_certificate;
}

static const char *client_key(const struct config *config)
{
	return config->upstreams[0].client_key;
}

static const char *forward(const struct config *config)
{
	return config->upstreams[0].proxy;
}

static const char *username(const struct config *config)
{
	const struct config_upstream *upstream = &config->upstreams[0];

	return upstream->credential_count ? upstream->credentials[0].username :
					    NULL;
}

static const char *password_file(const struct config *config)
{
	const struct config_upstream *upstream = &config->upstreams[0];

	return upstream->credential_count ?
		       upstream->credentials[0].password_file :
		       NULL;
}

static const char *tag_lifetime(const struct config *config)
{
	return number_text(config->upstreams[0].tag_lifetime_ms);
}

static const char *platform(const struct config *config)
{
	const struct config_upstream *upstream = &config->upstreams[0];

	return upstream->platform_count ? upstream->platforms[0] : NULL;
}

static const char *allow(const struct config *config)
{
	const struct config_upstream *upstream = &config->upstreams[0];

	return upstream->allow_count ? upstream->allow[0] : NULL;
}

static const char *not_found(const struct config *config)
{
	return number_text(config->upstreams[0].not_found);
}

static const char *not_found_lifetime(const struct config *config)
{
	return number_text(config->upstreams[0].not_found_lifetime_ms);
}

static const char *reader(const struct config *config)
{
	const struct config_upstream *upstream = &config->upstreams[0];

	return upstream->reader_count ? upstream->readers[0] : NULL;
}

static const char *deny(const struct config *config)
{
	const struct config_upstream *upstream = &config->upstreams[0];

	return upstream->deny_count ? upstream->deny[0] : NULL;
}

static const char *etcd(const struct config *config)
{
	return config->cluster.etcd_count ? config->cluster.etcd[0] : NULL;
}

static const char *prefix(const struct config *config)
{
	return config->cluster.prefix;
}

static const char *etcd_ca(const struct config *config)
{
	return config->cluster.ca;
}

static const char *etcd_certificate(const struct config *config)
{
	return config->cluster.client_certificate;
}

static const char *etcd_key(const struct config *config)
{
	return config->cluster.client_key;
}

static const char *etcd_username(const struct config *config)
{
	return config->cluster.username;
}

static const char *etcd_password_file(const struct config *config)
{
	return config->cluster.password_file;
}

static const char *lease(const struct config *config)
{
	return number_text(config->cluster.lease_ms);
}

static const char *zone(const struct config *config)
{
	return config->cluster.zone;
}

static const char *weight(const struct config *config)
{
	return number_text(config->cluster.weight);
}

static const char *advertised(const struct config *config)
{
	return config->cluster.advertise_count ?
		       config->cluster.advertise[0].url :
		       NULL;
}

static const char *advertised_upstream(const struct config *config)
{
	return config->cluster.advertise_count ?
		       config->cluster.advertise[0].upstream :
		       NULL;
}

static const char *advertised_ca(const struct config *config)
{
	return config->cluster.advertise_ca;
}

static const char *agent_registry(const struct config *config)
{
	return config->agent.registry;
}

static const char *agent_hub(const struct config *config)
{
	return config->agent.hub;
}

static const char *agent_ca(const struct config *config)
{
	return config->agent.ca;
}

static const char *agent_srv(const struct config *config)
{
	return config->agent.srv;
}

static const char *agent_canary(const struct config *config)
{
	return config->agent.canary;
}

static const char *agent_hook(const struct config *config)
{
	return config->agent.hook;
}

static const char *agent_name(const struct config *config)
{
	return config->agent.name;
}

static const char *agent_root(const struct config *config)
{
	return config->agent.root;
}
