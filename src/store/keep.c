/*
 * What the operator's rules do not keep goes: repository by repository, first
 * tags, then manifests. These are walked through again as long as something
 * goes, since what an index names can only go after it. Several may be at it at
 * once: each removal is judged in its own transaction.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "store/inside.h"

/* Those that the collector goes by. */
struct standing {
	size_t count;
	struct keep_rule rules[];
};

static struct standing *standing_make(const struct keep_rule *rules,
				      size_t count)
{
	struct standing *standing =
		mem_alloc(sizeof(*standing) + count * sizeof(*rules));

	standing->count = count;
	if (count > 0)
		memcpy(standing->rules, rules, count * sizeof(*rules));
	return standing;
}

struct current *rules_open(void)
{
	return current_open(standing_make(NULL, 0), free);
}

void store_rules(struct store *store, const struct keep_rule *rules,
		 size_t count)
{
	current_replace(store->rules, standing_make(rules, count));
}

/* ------------------------------------------------------------------- a pass */

struct pass {
	struct store *store;
	const struct store_keep *how;
	struct store_kept *out;
	struct keep_rules fit; /* those for the present repository */
	struct pace pace;
};

static void report(const struct store_gone *gone)
{
	struct log_line line;

	log_begin(&line, LOG_INFO, "keep");
	log_text(&line, "repository", gone->repository->name.s);
	if (gone->tag)
		log_text(&line, "tag", gone->tag->s);
	log_text(&line, "digest", digest_text(gone->digest).s);
	log_text(&line, "why", gone->why);
	log_send(&line);
}

/* Whoever keeps without a collector tells of it in another way. */
static void note(const struct pass *pass, const struct meta_keep *page,
		 const struct meta_gone *one)
{
	bool is_tag = page->kind == META_TAGS;
	struct store_gone gone = {
		.repository = &page->place->repository,
		.tag = is_tag ? &one->tag : NULL,
		.digest = &one->digest,
		.why = one->why,
	};

	++*(is_tag ? &pass->out->tags : &pass->out->manifests);
	if (pass->how->tell)
		pass->how->tell(&gone, pass->how->arg);
	if (pass->how->dry)
		return;
	metric_add(is_tag ? METRIC_RULED_TAGS : METRIC_RULED_MANIFESTS, 1);
	if (pass->store->collector.started)
		report(&gone);
}

static int page_keep(struct pass *pass, struct meta_keep *page, struct err *e)
{
	struct meta *meta = pass->store->meta;

	if (meta_keep_look(meta, page, e) < 0)
		return -1;
	if (!pass->how->dry && meta_keep_take(meta, page, e) < 0)
		return -1;
	for (size_t i = 0; i < page->count; i++)
		note(pass, page, &page->gone[i]);
	return collector_rest(&pass->store->collector, REST_LOOKED, &pass->pace,
			      e);
}

/* One walk; says whether something went. */
static int walk(struct pass *pass, const struct meta_place *place,
		enum meta_surplus kind, bool *any_out, struct err *e)
{
	auto_free struct meta_keep *page = mem_alloc(sizeof(*page));

	page->kind = kind;
	page->place = place;
	page->rules = &pass->fit;
	*any_out = false;
	do {
		auto_of(arena) struct arena *arena = arena_open();

		page->arena = arena;
		if (page_keep(pass, page, e) < 0)
			return -1;
		*any_out |= page->count > 0;
	} while (page->more);
	return 0;
}

static int place_keep(struct pass *pass, const struct meta_place *place,
		      struct err *e)
{
	bool any = false;

	keep_choose(pass->how->rules, pass->how->count, &place->repository.name,
		    &pass->fit);
	if (keep_judges_tags(&pass->fit) &&
	    walk(pass, place, META_TAGS, &any, e) < 0)
		return -1;
	if (!keep_judges_manifests(&pass->fit))
		return 0;
	do {
		if (walk(pass, place, META_MANIFESTS, &any, e) < 0)
			return -1;
	} while (any && !pass->how->dry);
	return 0;
}

int store_keep(struct store *store, const struct store_keep *how,
	       struct store_kept *out, struct err *e)
{
	auto_free const struct keep_rule **fit =
		mem_array(how->count + 1, sizeof(struct keep_rule *));
	struct pass pass = {
		.store = store,
		.how = how,
		.out = out,
		.fit = { .at = fit },
		.pace = pace_begin(),
	};
	struct meta_place place = { 0 };

	thread_may_wait("store_keep");
	*out = (struct store_kept){ 0 };
	collector_stamp(store);
	while (how->count > 0) {
		if (meta_place_next(store->meta, place.id, &place, e) < 0)
			return -1;
		if (place.id == 0)
			break;
		if (place_keep(&pass, &place, e) < 0)
			return -1;
	}
	return 0;
}

/* ------------------------------------------------------------- quietly */

void keep_quietly(struct store *store)
{
	auto_with(version_release) struct version *held =
		current_hold(store->rules);
	const struct standing *standing = version_value(held);
	struct store_keep how = {
		.rules = standing->rules,
		.count = standing->count,
	};
	struct store_kept kept;
	struct err e;

	if (store_keep(store, &how, &kept, &e) < 0 && e.kind != ERR_CLOSED)
		log_say(LOG_WARN, "keep", "%s", e.message);
}
