/*
 * First everything new is made, which may fail, then it is put in place, which
 * does not. The certificates are in between: http_reload does both at once.
 */
#include "base/log.h"
#include "base/mem.h"
#include "cli/house.h"
#include "cli/inside.h"

/* What a reload has made and not yet put in place. */
struct renewal {
	struct config *config;
	struct upstream **upstreams;
	struct doors doors;
};

static void renewal_free(struct renewal *renewal)
{
	size_t count = renewal->config ? renewal->config->upstream_count : 0;

	for (size_t i = 0; renewal->upstreams && i < count; i++)
		upstream_close(&renewal->upstreams[i]);
	free(renewal->upstreams);
	doors_free(&renewal->doors);
	if (renewal->config)
		config_close(&renewal->config);
}

static int make(const struct house *house, struct renewal *out,
		struct buf *kept, struct err *e)
{
	if (options_load(house->args, &out->config, e) < 0)
		return -1;
	config_keep(out->config, house->config, kept);
	const struct config *config = out->config;
	out->upstreams =
		mem_array(config->upstream_count, sizeof(struct upstream *));
	for (size_t i = 0; i < config->upstream_count; i++) {
		if (open_upstream(house, &config->upstreams[i],
				  &out->upstreams[i], e) < 0)
			return -1;
		upstream_succeed(out->upstreams[i],
				 house->upstreams[i].upstream);
	}
	doors_describe(config, &out->doors);
	return http_reload(house->http, out->doors.at, e);
}

static void put_in_place(struct house *house, struct renewal *renewal)
{
	struct config *config = steal_ptr(&renewal->config);

	for (size_t i = 0; i < config->upstream_count; i++) {
		struct upstream **now = &house->upstreams[i].upstream;

		mirror_replace(house->mirror, i, renewal->upstreams[i]);
		upstream_close(now);
		*now = steal_ptr(&renewal->upstreams[i]);
	}
	doors_free(&house->now);
	house->now = renewal->doors;
	renewal->doors = (struct doors){ 0 };
	log_limit(config->log_level);
	set_cache(house->store, config);
	set_verify(house->store, config);
	set_rules(house->store, config);
	http_limit(house->http, LANE_UPLOAD, (unsigned)config->upload_limit);
	house->config = config;
	current_replace(house->api.settings, api_settings_open(config));
	fresh_wake(house->fresh);
}

int house_reload(struct house *house, struct err *e)
{
	auto_with(renewal_free) struct renewal renewal = { 0 };
	auto_buf struct buf kept = { 0 };

	if (make(house, &renewal, &kept, e) < 0)
		return -1;
	put_in_place(house, &renewal);
	log_say(LOG_INFO, "reload",
		"configuration and certificates read again");
	if (kept.len > 0)
		log_say(LOG_WARN, "reload",
			"only a restart changes %s, which stays as it was",
			kept.at);
	return 0;
}
