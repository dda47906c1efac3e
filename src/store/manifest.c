/*
 * Manifests live in the database alone, so here they only pass through; on a
 * full disk, what is cached makes room for them, and for what deletes.
 */
#include "store/inside.h"

int store_put_manifest(struct store *store, const struct meta_put *put,
		       struct err *e)
{
	int failed;

	do
		failed = meta_manifest_put(store->meta, put, e);
	while (failed && cache_yield(store, 0, e));
	if (!failed)
		scrubber_count(store, false);
	return failed;
}

static int drop(struct store *store, const struct repository *repository,
		const struct reference *reference,
		const struct meta_guard *guard, struct err *e)
{
	if (reference->kind == REFERENCE_TAG)
		return meta_tag_drop(store->meta, repository, &reference->tag,
				     guard, e);
	return meta_manifest_drop(store->meta, repository, &reference->digest,
				  guard, e);
}

int store_drop_manifest(struct store *store,
			const struct repository *repository,
			const struct reference *reference,
			const struct meta_guard *guard, struct err *e)
{
	int failed;

	do
		failed = drop(store, repository, reference, guard, e);
	while (failed && cache_yield(store, 0, e));
	if (failed && e->kind == ERR_NO_SPACE) {
		ballast_drop(store->data);
		failed = drop(store, repository, reference, guard, e);
		ballast_take(store->data);
	}
	return failed;
}
