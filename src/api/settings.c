/*
 * A configuration as requests need it: what follows from it is worked out
 * once, when it is loaded.
 */
#include "api/api.h"

#include "base/mem.h"

/* ------------------------------------------------------------- upstreams */

/*
 * Who reads what only credentials can, if nobody is named: not the whole
 * world, should it reach the port. RFC 1918, 3927, 4193, 4291, 6598.
 */
static const char *const private_networks[] = {
	"127.0.0.0/8",	  "10.0.0.0/8",	   "172.16.0.0/12", "192.168.0.0/16",
	"169.254.0.0/16", "100.64.0.0/10", "::1",	    "fc00::/7",
	"fe80::/10",
};

static const char *const *readers_of(const struct config_upstream *upstream,
				     size_t *count_out)
{
	*count_out = upstream->reader_count;
	if (*count_out > 0 ||
	    (upstream->credential_count == 0 && !upstream->client_certificate))
		return (const char *const *)upstream->readers;
	*count_out = array_size(private_networks);
	return private_networks;
}

static struct mirror_reader reader_of(const char *text)
{
	struct mirror_reader reader = { 0 };

	if (span_starts(span_of(text), READER_CERTIFICATE))
		reader.certificate = text + strlen(READER_CERTIFICATE);
	else
		ip_network_parse(span_of(text), &reader.network);
	return reader;
}

static struct mirror_reader *readers_open(const struct config *config)
{
	size_t all = 0, count;

	for (size_t i = 0; i < config->upstream_count; i++) {
		readers_of(&config->upstreams[i], &count);
		all += count;
	}
	return mem_array(all, sizeof(struct mirror_reader));
}

/* Takes the room of its readers from `next`; returns what is left. */
static struct mirror_reader *upstream_take(const struct config_upstream *from,
					   struct mirror_reader *next,
					   struct mirror_upstream_rules *out)
{
	size_t count;
	const char *const *readers = readers_of(from, &count);

	*out = (struct mirror_upstream_rules){
		.tag_lifetime_ms = from->tag_lifetime_ms,
		.passes_not_found = from->not_found == NOT_FOUND_PASS,
		.not_found_lifetime_ms = from->not_found_lifetime_ms,
		.allow = { from->allow, from->allow_count },
		.deny = { from->deny, from->deny_count },
		.readers = next,
		.reader_count = count,
	};
	for (size_t i = 0; i < count; i++)
		*next++ = reader_of(readers[i]);
	return next;
}

static void upstreams_open(struct api_settings *settings)
{
	const struct config *config = settings->config;

	settings->upstreams =
		mem_array(config->upstream_count, sizeof(*settings->upstreams));
	settings->readers = readers_open(config);
	struct mirror_reader *next = settings->readers;
	for (size_t i = 0; i < config->upstream_count; i++)
		next = upstream_take(&config->upstreams[i], next,
				     &settings->upstreams[i]);
}

static size_t count_platforms(const struct config *config)
{
	size_t count = 0;

	for (size_t i = 0; i < config->upstream_count; i++)
		count += config->upstreams[i].platform_count;
	return count;
}

/* The configuration takes none that cannot be parsed. */
static void platforms_open(struct api_settings *settings)
{
	const struct config *config = settings->config;
	struct platform *next = mem_array(count_platforms(config),
					  sizeof(*settings->platforms));

	settings->platforms = next;
	for (size_t i = 0; i < config->upstream_count; i++) {
		const struct config_upstream *from = &config->upstreams[i];

		settings->upstreams[i].platforms = next;
		settings->upstreams[i].platform_count = from->platform_count;
		for (size_t n = 0; n < from->platform_count; n++)
			platform_parse(span_of(from->platforms[n]), next++);
	}
}

/* -------------------------------------------------------------- all of it */

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
	upstreams_open(settings);
	platforms_open(settings);
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
	free(settings->readers);
	free(settings->platforms);
	config_close(&settings->config);
	free(settings);
}
