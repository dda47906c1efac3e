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

struct api_settings *api_settings_open(struct config *config)
{
	struct api_settings *settings = mem_alloc(sizeof(*settings));

	settings->config = config;
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

	free(settings->tag_lifetimes_ms);
	config_close(&settings->config);
	free(settings);
}
