/*
 * What a push relied on. Until something is pushed under it, a bare name means
 * an upstream's repository, and clients do not send what they have seen there:
 * blobs by HEAD, and of an index also manifests. So what their manifest names,
 * and is not in the new repository, is taken over from there.
 *
 * Only what manifests name that are cached there can have been seen, so no
 * upstream is told what is pushed here; what of it is not here yet is fetched.
 */
#include "base/clock.h"
#include "mirror/flight.h"

enum { DEPTH_MOST = 4 }; /* of indexes in indexes */

struct adoption {
	struct mirror *mirror;
	const struct mirror_target *from;
	const struct repository *to;
	unsigned depth;
	int64_t deadline_ms; /* of what has to be fetched, all of it */
};

static int say_late(struct err *e)
{
	return err_set(e, ERR_TIMEOUT,
		       "it did not come within %d s, and goes on coming: push "
		       "again later",
		       ADOPT_MS / 1000);
}

/* A flight that began for another repository asks in that. */
static int fetch(const struct adoption *a, const struct digest *digest,
		 struct err *e)
{
	struct flight_plan plan = {
		.kind = FLIGHT_BLOB,
		.upstream = mirror_upstream_of(a->mirror, &a->from->repository),
		.repository = a->from->repository,
		.reference = reference_to_digest(digest),
		.size = -1,
		.reason = "push",
		.via = a->from->via,
	};
	bool ours = false;

	for (int tries = 0; tries < 2 && !ours; tries++) {
		auto_of(flight) struct flight *flight =
			flight_join(a->mirror, &plan);
		enum flight_state state =
			flight_wait_end(flight, a->deadline_ms, e);

		if (state == FLIGHT_DONE)
			return 0;
		if (state != FLIGHT_FAILED)
			return say_late(e);
		ours = repository_eq(&flight->plan.repository,
				     &plan.repository);
	}
	return flight_refused(e, ERR_BLOB_UNKNOWN);
}

static int mount(const struct adoption *a, const struct digest *digest,
		 struct err *e)
{
	return store_mount(a->mirror->store, &a->from->repository, a->to,
			   digest, e);
}

static bool fits(const struct adoption *a, const struct descriptor *blob)
{
	int64_t limit = store_cache_limit(a->mirror->store);

	return !limit || blob->size <= limit;
}

/* It may be evicted before it is taken over, and its image with it: once. */
static int fetch_and_mount(const struct adoption *a,
			   const struct digest *digest, struct err *e)
{
	for (int tries = 0; tries < 2; tries++) {
		if (fetch(a, digest, e) < 0)
			return -1;
		if (mount(a, digest, e) == 0)
			return 0;
		if (e->kind != ERR_NOT_HERE && e->kind != ERR_BLOB_UNKNOWN)
			return -1;
	}
	return err_set(e, ERR_NO_SPACE, "it came, and the cache has no room");
}

static int adopt_blob(const struct adoption *a, const struct descriptor *blob,
		      struct err *e)
{
	if (mount(a, &blob->digest, e) == 0)
		return 0;
	if (e->kind != ERR_NOT_HERE)
		return -1;
	if (!fits(a, blob))
		return err_set(e, ERR_NO_SPACE,
			       "it is larger than all that may be cached");
	return fetch_and_mount(a, &blob->digest, e);
}

static int adopt_named(const struct adoption *, const struct manifest *,
		       struct err *);

static int adopt_manifest(const struct adoption *a, const struct digest *digest,
			  struct err *e)
{
	struct reference reference = reference_to_digest(digest);
	auto_of(arena) struct arena *arena = arena_open();
	struct adoption inside = *a;
	struct meta_manifest found;
	struct manifest manifest;
	struct meta_put put = {
		.repository = a->to,
		.manifest = &manifest,
		.reference = &reference,
	};

	if (meta_manifest_peek(store_meta(a->mirror->store),
			       &a->from->repository, &reference, arena, &found,
			       e) < 0)
		return -1;
	if (++inside.depth > DEPTH_MOST)
		return err_set(e, ERR_MANIFEST_INVALID,
			       "indexes are in indexes more than %d deep",
			       DEPTH_MOST);
	if (manifest_parse(found.bytes, found.media_type, digest->algorithm,
			   arena, &manifest, e) < 0 ||
	    adopt_named(&inside, &manifest, e) < 0)
		return -1;
	return store_put_manifest(a->mirror->store, &put, e);
}

static bool is_here(const struct adoption *a,
		    const struct descriptor *descriptor)
{
	auto_of(arena) struct arena *arena = arena_open();
	struct meta *meta = store_meta(a->mirror->store);
	struct reference reference = reference_to_digest(&descriptor->digest);
	struct meta_manifest manifest;
	struct meta_blob blob;
	struct err e;

	if (descriptor->role == DESCRIPTOR_MANIFEST)
		return meta_manifest_peek(meta, a->to, &reference, arena,
					  &manifest, &e) == 0;
	return meta_blob_peek(meta, a->to, &descriptor->digest, &blob, &e) == 0;
}

/* What was never seen there is for whoever stores the manifest to judge. */
static bool was_seen(const struct err *e)
{
	return e->kind != ERR_BLOB_UNKNOWN && e->kind != ERR_MANIFEST_UNKNOWN;
}

static int adopt_named(const struct adoption *a,
		       const struct manifest *manifest, struct err *e)
{
	for (size_t i = 0; i < manifest->count; i++) {
		const struct descriptor *at = &manifest->descriptors[i];
		int failed = 0;

		if (at->foreign || is_here(a, at))
			continue;
		if (at->role == DESCRIPTOR_MANIFEST)
			failed = adopt_manifest(a, &at->digest, e);
		else
			failed = adopt_blob(a, at, e);
		if (failed && was_seen(e))
			return err_wrap(
				e, "the push relies on %s of %s",
				digest_text(&at->digest).s,
				repository_text(&a->from->repository).s);
	}
	return 0;
}

int mirror_adopt(struct mirror *mirror, const struct mirror_target *from,
		 const struct repository *to, const struct manifest *manifest,
		 struct err *e)
{
	struct adoption adoption = {
		.mirror = mirror,
		.from = from,
		.to = to,
		.deadline_ms = (from->asked_ms ? from->asked_ms : clock_ms()) +
			       ADOPT_MS,
	};

	thread_may_wait("mirror_adopt");
	return adopt_named(&adoption, manifest, e);
}
