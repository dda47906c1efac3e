/*
 * Manifests live in the database alone, so here they only pass through.
 */
#include "store/inside.h"

int store_put_manifest(struct store *store, const struct meta_put *put,
		       struct err *e)
{
	return meta_manifest_put(store->meta, put, e);
}

int store_drop_manifest(struct store *store,
			const struct repository *repository,
			const struct reference *reference,
			const struct meta_guard *guard, struct err *e)
{
	if (reference->kind == REFERENCE_TAG)
		return meta_tag_drop(store->meta, repository, &reference->tag,
				     guard, e);
	return meta_manifest_drop(store->meta, repository, &reference->digest,
				  guard, e);
}
