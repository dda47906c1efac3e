/*
 * A configuration as requests need it: what follows from it is worked out
 * once, when it is loaded.
 */
#include "api/api.h"

#include "base/mem.h"

static struct mirror_upstream_rules
upstream_rules(const struct config_upstream *from)
{
	return (struct mirror_upstream_rules){
		.tag_lifetime_ms = from->tag_lifetime_ms,
		.allow = { from->allow, from->allow_count },
		.deny = { from->deny, from->deny_count },
	};
}

static struct mirror_upstream_rules *upstreams_open(const struct config *config)
{
	struct mirror_upstream_rules *rules =
		mem_array(config->upstream_count, sizeof(*rules));

	for (size_t i = 0; i < config->upstream_count; i++)
		rules[i] = upstream_rules(&config->upstreams[i]);
	return rules;
}

static struct ip_network *proxies_open(const struct config *config)
{
	struct ip_network *proxies =
		mem_array(config->trusted_proxy_count, sizeof(*proxies));

	for (size_t i = 0; i < config->trusted_proxy_count; i++)
		ip_network_parse(span_of(config->trusted_proxies[i]),
				 &proxies[i]);
	return proxies;
}

/* "registry.example:5000" of "https://registry.example:5000". */
static struct span host_of(struct span url)
{
	span_cut(&url, '/');
	span_cut(&url, '/');
	return url;
}

struct api_settings *api_settings_open(struct config *config)
{
	struct api_settings *settings = mem_alloc(sizeof(*settings));

	settings->config = config;
	settings->host = host_of(span_of(config->public_url));
	settings->proxies = proxies_open(config);
	settings->proxy_count = config->trusted_proxy_count;
	settings->upstreams = upstreams_open(config);
	settings->mirror = (struct mirror_rules){
		.default_upstream = config->mirror_default,
		.patience_ms = config->patience_ms,
		.local = { config->local, config->local_count },
		.reserved = { config->reserved, config->reserved_count },
		.upstreams = settings->upstreams,
	};
	return settings;
}

void api_settings_close(void *arg)
{
	struct api_settings *settings = arg;

	free(settings->proxies);
	free(settings->upstreams);
	config_close(&settings->config);
	free(settings);
}
