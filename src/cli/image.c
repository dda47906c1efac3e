/*
 * First all manifests, one after another, since each names the next; then it
 * is known how much there is to come, and the blobs come side by side.
 */
#include "cli/image.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/thread.h"

enum {
	AT_ONCE = 4, /* blobs */
	DEPTH = 4,   /* indexes in indexes */
	MANIFESTS_MOST = 1000,
	BLOBS_MOST = 10000, /* of an image, with all its platforms */
	LOOK_MS = 200,	    /* between two looks at how far it is */
};

/* -------------------------------------------------------------- manifests */

struct crate {
	const struct image_fetch *fetch;
	const struct image *image;
	struct descriptor *blobs;
	struct image_sum sum;

	_Atomic int64_t done; /* bytes */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Guarded by lock: */
	size_t next;  /* blob */
	size_t ended; /* threads */
	bool failed;
	struct err why;
};

static bool has_blob(const struct crate *crate, const struct digest *digest)
{
	for (size_t i = 0; i < crate->sum.blobs; i++)
		if (digest_eq(&crate->blobs[i].digest, digest))
			return true;
	return false;
}

static int blob_note(struct crate *crate, const struct descriptor *blob,
		     struct err *e)
{
	if (blob->foreign || has_blob(crate, &blob->digest))
		return 0;
	if (crate->sum.blobs == BLOBS_MOST)
		return err_set(e, ERR_TOO_MANY, "it has more than %d blobs",
			       BLOBS_MOST);
	crate->blobs = mem_grow(crate->blobs,
				(crate->sum.blobs + 1) * sizeof(*crate->blobs));
	crate->blobs[crate->sum.blobs++] = *blob;
	crate->sum.bytes += blob->size;
	return 0;
}

static bool is_wanted(const struct crate *crate, const struct descriptor *at)
{
	const struct image_fetch *fetch = crate->fetch;

	for (size_t i = 0; i < fetch->platform_count; i++)
		if (platform_eq(&fetch->platforms[i], &at->platform))
			return true;
	return fetch->platform_count == 0 || at->role != DESCRIPTOR_MANIFEST;
}

static int gather(struct crate *crate, const struct reference *reference,
		  int depth, struct err *e)
{
	const struct image_source *source = crate->fetch->source;
	auto_of(arena) struct arena *arena = arena_open();
	struct manifest manifest;
	size_t wanted = 0;

	if (depth > DEPTH)
		return err_set(e, ERR_TOO_MANY,
			       "its indexes are nested too deep");
	if (crate->sum.manifests == MANIFESTS_MOST)
		return err_set(e, ERR_TOO_MANY, "it has more than %d manifests",
			       MANIFESTS_MOST);
	if (source->manifest(source->arg, crate->image->name, reference, arena,
			     &manifest, e) < 0)
		return -1;
	crate->sum.manifests++;
	for (size_t i = 0; i < manifest.count; i++) {
		const struct descriptor *at = &manifest.descriptors[i];
		struct reference child = reference_to_digest(&at->digest);

		if (!is_wanted(crate, at))
			continue;
		wanted++;
		if ((at->role == DESCRIPTOR_MANIFEST ?
			     gather(crate, &child, depth + 1, e) :
			     blob_note(crate, at, e)) < 0)
			return -1;
	}
	if (wanted == 0 && manifest.count > 0)
		return err_set(e, ERR_NOT_FOUND,
			       "it has nothing for that platform");
	return 0;
}

/* ------------------------------------------------------------------ blobs */

/* Null: there are none, or it is in vain. */
static const struct descriptor *blob_next(struct crate *crate)
{
	hold_mutex(&crate->lock);
	if (crate->failed || crate->next == crate->sum.blobs)
		return NULL;
	return &crate->blobs[crate->next++];
}

static void blob_failed(struct crate *crate, const struct err *why)
{
	hold_mutex(&crate->lock);
	if (!crate->failed)
		crate->why = *why;
	crate->failed = true;
}

static void carry(void *arg)
{
	struct crate *crate = arg;
	const struct image_source *source = crate->fetch->source;
	const struct descriptor *blob;
	struct err e;

	while ((blob = blob_next(crate)))
		if (source->blob(source->arg, crate->image->name, blob,
				 &crate->done, &e) < 0)
			blob_failed(crate, &e);
	hold_mutex(&crate->lock);
	crate->ended++;
	pthread_cond_broadcast(&crate->changed);
}

/* True when all have ended. */
static bool look(struct crate *crate)
{
	hold_mutex(&crate->lock);
	if (crate->ended < AT_ONCE)
		cond_wait_until(&crate->changed, &crate->lock,
				clock_ms() + LOOK_MS);
	return crate->ended == AT_ONCE;
}

static int blobs_fetch(struct crate *crate, struct err *e)
{
	const struct image_fetch *fetch = crate->fetch;
	struct pool *pool = pool_try("fetch", AT_ONCE);

	if (!pool)
		return err_set(e, ERR_BUSY, "no thread is left for its blobs");
	for (int i = 0; i < AT_ONCE; i++)
		pool_run(pool, carry, crate);
	while (!look(crate))
		if (fetch->progress)
			fetch->progress(crate->done, crate->sum.bytes,
					fetch->arg);
	pool_close(&pool);
	if (crate->failed)
		*e = crate->why;
	return crate->failed ? -1 : 0;
}

static void crate_free(struct crate *crate)
{
	free(crate->blobs);
	pthread_mutex_destroy(&crate->lock);
	pthread_cond_destroy(&crate->changed);
}

int image_fetch(const struct image_fetch *fetch, const struct image *image,
		struct image_sum *out, struct err *e)
{
	auto_with(crate_free) struct crate crate = {
		.fetch = fetch,
		.image = image,
		.lock = PTHREAD_MUTEX_INITIALIZER,
	};

	thread_may_wait("image_fetch");
	cond_open(&crate.changed);
	if (gather(&crate, &image->reference, 0, e) < 0 ||
	    blobs_fetch(&crate, e) < 0)
		return -1;
	*out = crate.sum;
	return 0;
}
