/*
 * What a manifest names starts to come when a client has the manifest, since
 * he will ask for it next: layers then come side by side, however few he asks
 * for at once, and however long the way is.
 *
 * Only once: whatever else makes a client have a manifest that is here does
 * not make it be looked at again. What fails, or finds no room or no place in
 * the queue, is fetched when somebody asks for it, as ever.
 */
#include "base/mem.h"
#include "mirror/flight.h"

/* ------------------------------------------------------------------- news */

void news_add(struct mirror *mirror, const struct digest *digest,
	      const struct tag *tag)
{
	hold_mutex(&mirror->lock);
	struct news *news = &mirror->news[mirror->news_next];

	mirror->news_next = (mirror->news_next + 1) % NEWS_MOST;
	if (!news->there)
		mirror->news_count++;
	*news = (struct news){ *digest, tag != NULL, true };
}

static bool news_take(struct mirror *mirror, const struct digest *digest,
		      bool *tagged_out)
{
	hold_mutex(&mirror->lock);
	for (size_t i = 0; i < NEWS_MOST; i++) {
		struct news *news = &mirror->news[i];

		if (!news->there || !digest_eq(&news->digest, digest))
			continue;
		news->there = false;
		mirror->news_count--;
		*tagged_out = news->tagged;
		return true;
	}
	return false;
}

/* ----------------------------------------------------------------- a look */

/* At what a manifest names. */
struct look {
	struct mirror *mirror;
	const struct mirror_upstream *upstream;
	struct repository repository;
	struct digest digest;
	bool wanted;		    /* of an image: its platform is */
	struct platform *platforms; /* of an index; owned */
	size_t platform_count;
};

static struct flight_plan plan_of(const struct look *look,
				  enum flight_kind kind,
				  const struct digest *digest, int64_t size)
{
	return (struct flight_plan){
		.kind = kind,
		.upstream = look->upstream,
		.repository = look->repository,
		.reference = reference_to_digest(digest),
		.size = size,
		.known = -1,
		.reason = "prefetch",
	};
}

static void fetch_blob(const struct look *look, const struct descriptor *blob)
{
	struct flight_plan plan =
		plan_of(look, FLIGHT_BLOB, &blob->digest, blob->size);
	struct blob_place place;
	struct err e;

	if (blob->foreign)
		return;
	if (store_pull_blob(look->mirror->store, &look->repository,
			    &blob->digest, &place, &e) == 0)
		close(place.fd);
	else if (e.kind == ERR_NOT_HERE)
		flight_ahead(look->mirror, &plan);
}

/* An image that is larger than the cache would drive itself out. */
static bool has_room(const struct look *look, const struct manifest *image)
{
	int64_t limit = store_cache_limit(look->mirror->store);
	int64_t left = limit ? limit : INT64_MAX;

	for (size_t i = 0; i < image->count; i++) {
		if (image->descriptors[i].size > left)
			return false;
		left -= image->descriptors[i].size;
	}
	return true;
}

static void fetch_image(const struct look *look, const struct manifest *image)
{
	if (!look->wanted || !has_room(look, image))
		return;
	for (size_t i = 0; i < image->count; i++)
		fetch_blob(look, &image->descriptors[i]);
}

static bool is_wanted(const struct look *look, const struct descriptor *item)
{
	for (size_t i = 0; i < look->platform_count; i++)
		if (platform_eq(&look->platforms[i], &item->platform))
			return item->role == DESCRIPTOR_MANIFEST;
	return false;
}

static int read_manifest(const struct look *look, struct arena *arena,
			 struct manifest *out, struct err *e)
{
	struct reference reference = reference_to_digest(&look->digest);
	struct meta_manifest found;

	if (meta_manifest_peek(store_meta(look->mirror->store),
			       &look->repository, &reference, arena, &found,
			       e) < 0)
		return -1;
	return manifest_parse(found.bytes, found.media_type,
			      look->digest.algorithm, arena, out, e);
}

/* An image that an index names. */
static void fetch_item(const struct look *index, const struct descriptor *item)
{
	auto_with(arena_close) struct arena *arena = arena_open();
	struct look look = *index;
	struct flight_plan plan =
		plan_of(index, FLIGHT_MANIFEST, &item->digest, item->size);
	struct manifest image;
	struct err e;

	look.digest = item->digest;
	look.wanted = true;
	if (read_manifest(&look, arena, &image, &e) < 0) {
		if (e.kind == ERR_MANIFEST_UNKNOWN)
			flight_ahead(look.mirror, &plan);
	} else if (image.kind == MANIFEST_IMAGE) {
		fetch_image(&look, &image);
	}
}

static void look_at(const struct look *look)
{
	auto_with(arena_close) struct arena *arena = arena_open();
	struct manifest manifest;
	struct err e;

	if (read_manifest(look, arena, &manifest, &e) < 0)
		return;
	if (manifest.kind == MANIFEST_IMAGE)
		return fetch_image(look, &manifest);
	for (size_t i = 0; i < manifest.count; i++)
		if (is_wanted(look, &manifest.descriptors[i]))
			fetch_item(look, &manifest.descriptors[i]);
}

static void run(void *arg)
{
	struct look *look = arg;

	look_at(look);
	free(look->platforms);
	free(look);
}

/* What came of the rules is copied: they may be others by then. */
static struct look *look_open(struct mirror *mirror,
			      const struct mirror_target *target,
			      const struct digest *digest)
{
	struct look *look = mem_alloc(sizeof(*look));
	const struct mirror_upstream_rules *rules;

	look->mirror = mirror;
	look->upstream = mirror_upstream_of(mirror, &target->repository);
	look->repository = target->repository;
	look->digest = *digest;
	rules = mirror_rules_of(mirror, target->rules, look->upstream);
	look->platforms =
		mem_array(rules->platform_count, sizeof(*look->platforms));
	look->platform_count = rules->platform_count;
	for (size_t i = 0; i < rules->platform_count; i++)
		look->platforms[i] = rules->platforms[i];
	return look;
}

void pull_ahead(struct mirror *mirror, const struct mirror_target *target,
		const struct digest *digest)
{
	bool tagged;

	if (mirror->news_count == 0 ||
	    repository_is_local(&target->repository) ||
	    !news_take(mirror, digest, &tagged))
		return;
	struct look *look = look_open(mirror, target, digest);
	look->wanted = tagged || look->platform_count == 0;
	pool_run(mirror_crew_of(mirror, look->upstream)->manifests, run, look);
}

void ahead_go_on(struct flight *flight)
{
	struct look look = {
		.mirror = flight->mirror,
		.upstream = flight->plan.upstream,
		.repository = flight->plan.repository,
		.digest = flight->plan.reference.digest,
		.wanted = true,
	};

	if (flight->ahead && flight->plan.kind == FLIGHT_MANIFEST)
		look_at(&look);
}
