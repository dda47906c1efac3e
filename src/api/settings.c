/*
 * A configuration as requests need it: what follows from it is worked out
 * once, when it is loaded.
 */
#include "api/api.h"

#include "base/mem.h"

static int64_t *lifetimes_open(const struct config *config)
{
	int64_t *lifetimes =
		mem_array(config->upstream_count, sizeof(*lifetimes));

	for (size_t i = 0; i < config->upstream_count; i++)
		lifetimes[i] = config->upstreams[i].tag_lifetime_ms;
	return lifetimes;
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
	settings->tag_lifetimes_ms = lifetimes_open(config);
	settings->mirror = (struct mirror_rules){
		.default_upstream = config->mirror_default,
		.patience_ms = config->patience_ms,
		.tag_lifetimes_ms = settings->tag_lifetimes_ms,
	};
	return settings;
}

void api_settings_close(void *arg)
{
	struct api_settings *settings = arg;

	free(settings->proxies);
	free(settings->tag_lifetimes_ms);
	config_close(&settings->config);
	free(settings);
}
