/*
 * The configuration's rules as the rooms below want them.
 */
#include "base/log.h"
#include "base/mem.h"
#include "cli/house.h"

static struct meta_immutable *immutable_of(const struct config *config)
{
	struct meta_immutable *out =
		mem_array(config->immutable_count, sizeof(*out));

	for (size_t i = 0; i < config->immutable_count; i++)
		out[i] = (struct meta_immutable){
			config->immutable[i].repositories,
			config->immutable[i].tags,
		};
	return out;
}

static struct meta_quota *quotas_of(const struct config *config)
{
	struct meta_quota *out = mem_array(config->quota_count, sizeof(*out));

	for (size_t i = 0; i < config->quota_count; i++)
		out[i] = (struct meta_quota){
			config->quotas[i].repositories,
			config->quotas[i].size,
		};
	return out;
}

/* A full disk is no reason not to serve: those of before hold on. */
void set_rules(struct store *store, const struct config *config)
{
	auto_free struct meta_immutable *immutable = immutable_of(config);
	auto_free struct meta_quota *quotas = quotas_of(config);
	struct meta_rules rules = {
		.immutable = immutable,
		.immutable_count = config->immutable_count,
		.quotas = quotas,
		.quota_count = config->quota_count,
	};
	auto_free struct keep_rule *keep = keep_rules_of(config);
	struct err e;

	store_rules(store, keep, config->keep_count);
	if (meta_rules_set(store_meta(store), &rules, &e) < 0)
		log_say(LOG_ERROR, "rules",
			"%s; immutable tags and quotas stay as they were",
			e.message);
}
