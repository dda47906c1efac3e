#include "evict_lab.h"

static int limit_set(struct lab *lab, void *arg, struct err *e)
{
	(void)e;
	store_cache(lab->store, arg);
	return 0;
}

void limit(struct lab *lab, int64_t bytes)
{
	struct store_cache cache = { .limit = bytes };
	struct err e;

	store_cache(lab->store, &cache);
	OK(lab_do(lab, lab->elsewhere, limit_set, &cache, sizeof(cache), &e),
	   e);
}

void cache(struct lab *lab, const char *name, const char *tag,
	   const char *config, const char *layer)
{
	lab_image(lab, upstream(name), tag, config, layer);
	lab_fetch(lab, upstream(name), config);
	if (layer)
		lab_fetch(lab, upstream(name), layer);
}

void minute_passes(struct lab *lab)
{
	lab_runs(lab, 60000);
}

void pull(struct lab *lab, const char *name, const char *tag)
{
	struct err e;

	minute_passes(lab);
	lab_pull(lab, upstream(name), by_tag(tag));
	OK(meta_use_flush(lab->meta, &e), e);
}

int64_t cached(struct lab *lab)
{
	int64_t bytes;
	struct err e;

	OK(meta_cached_peek(lab->meta, &bytes, &e), e);
	assert_int_equal(
		bytes,
		lab_number(lab,
			   "SELECT COALESCE(SUM(size), 0) FROM blob"
			   " WHERE NOT EXISTS (SELECT 1 FROM link"
			   "  JOIN repository ON repository.id = repository"
			   "  WHERE digest = blob.digest AND upstream = '')"));
	return bytes;
}

bool has_tag(struct lab *lab, const char *name, const char *tag)
{
	return lab_has_manifest(lab, upstream(name), by_tag(tag));
}

bool is_here(struct lab *lab, const char *bytes)
{
	struct digest digest = digest_of(bytes);
	struct meta_blob blob;
	struct err e;

	return meta_blob_find(lab->meta, &digest, &blob, &e) == 0;
}
