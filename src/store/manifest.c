/*
 * Manifests live in the database alone, so here they only pass through.
 */
#include "store/inside.h"

int store_put_manifest(struct store *store, const struct repository *repository,
		       const struct manifest *manifest, const struct tag *tag,
		       struct err *e)
{
	return meta_manifest_put(store->meta, repository, manifest, tag, e);
}

int store_drop_manifest(struct store *store,
			const struct repository *repository,
			const struct reference *reference, struct err *e)
{
	if (reference->kind == REFERENCE_TAG)
		return meta_tag_drop(store->meta, repository, &reference->tag,
				     e);
	return meta_manifest_drop(store->meta, repository, &reference->digest,
				  e);
}
