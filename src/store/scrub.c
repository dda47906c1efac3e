/*
 * Everything is read back: blobs, manifests, and what lies beside them.
 *
 * A look takes time, and meanwhile a blob may have been removed or replaced.
 * So first a file is judged, twice if it is bad, for what went wrong may have
 * been the way and not the disk; then its row is condemned, which happens only
 * if it still is that incarnation's; and the file follows the row.
 */
#include "store/scrub.h"

#include <errno.h>

#include "base/clock.h"
#include "base/metrics.h"

#define NOTE_MS (30 * 1000) /* a crash loses so much of a round */

static struct scrub scrub_make(struct store *store,
			       const struct store_verify *how,
			       struct store_verified *out)
{
	return (struct scrub){
		.store = store,
		.how = how,
		.out = out,
		.noted_ms = clock_ms(),
		.pace = {
			.scrubber = &store->scrubber,
			.rate = how->rate,
			.how = how,
			.began_us = clock_us(),
			.due_us = clock_us(),
		},
		.reread = reread_open(),
	};
}

static void scrub_end(struct scrub *scrub)
{
	reread_close(&scrub->reread);
}

static void damage_add(const struct scrub *scrub, bool pushed)
{
	if (scrub->how->dry)
		return;
	metric_add(pushed ? METRIC_DAMAGE_PUSHED : METRIC_DAMAGE_CACHED, 1);
	scrubber_count(scrub->store, true);
}

/* ------------------------------------------------------------------- blobs */

/* The disk has it no more, in the words of disks and of file systems. */
static bool is_unreadable(const struct err *e)
{
	return e->sys == EIO || e->sys == EILSEQ || e->sys == ENODATA ||
	       e->sys == EBADMSG || e->sys == EUCLEAN;
}

static int failure_kind(const struct err *e)
{
	if (e->kind == ERR_NOT_FOUND)
		return FOUND_MISSING;
	if (e->kind == ERR_CORRUPT)
		return FOUND_SIZE;
	return is_unreadable(e) ? FOUND_UNREADABLE : FOUND_UNCHECKED;
}

static int file_judge(struct scrub *scrub, const struct meta_copy *copy,
		      struct err *e)
{
	struct digest found = { .algorithm = copy->digest.algorithm };
	struct blob_place place;

	if (blob_peek(scrub->store->blobs, &copy->digest, copy->blob.id, &place,
		      e) < 0)
		return failure_kind(e);
	auto_fd int fd = place.fd; /* closes it */
	(void)fd;
	if (place.size != copy->blob.size)
		return FOUND_SIZE;
	if (reread_digest(scrub->reread, &place, &scrub->pace, &found, e) < 0)
		return failure_kind(e);
	return digest_eq(&found, &copy->digest) ? FOUND_SOUND : FOUND_BYTES;
}

static int copy_judge(struct scrub *scrub, const struct meta_copy *copy,
		      struct err *e)
{
	int kind = file_judge(scrub, copy, e);

	switch (kind) {
	case FOUND_BYTES:
	case FOUND_SIZE:
	case FOUND_UNREADABLE:
		return file_judge(scrub, copy, e);
	default:
		return kind;
	}
}

/*
 * After its row. What fails here is found again by the next round, and keeps
 * no other file from being looked at in this one. A file that nobody can read
 * now may be sound: it stays for when its disk is well again.
 */
static int file_follow(const struct scrub *scrub, const struct meta_copy *copy,
		       int kind, bool pushed, struct err *e)
{
	struct blob_store *blobs = scrub->store->blobs;

	if (scrub->how->dry)
		return 0;
	if (!pushed)
		return blob_delete(blobs, &copy->digest, copy->blob.id, e);
	if (kind != FOUND_BYTES && kind != FOUND_SIZE)
		return 0;
	return blob_set_aside(blobs, &copy->digest, copy->blob.id, e);
}

static int row_condemn(const struct scrub *scrub, const struct meta_copy *bad,
		       struct meta_losers *out, struct err *e)
{
	struct meta *meta = scrub->store->meta;

	return scrub->how->dry ? meta_copy_losers(meta, bad, out, e) :
				 meta_copy_condemn(meta, bad, out, e);
}

/* A file that was set aside is missing, of course. */
static int copy_condemn(struct scrub *scrub, const struct meta_copy *copy,
			int kind, struct err *e)
{
	bool waits = kind == FOUND_MISSING && copy->blob.damage == DAMAGE_BYTES;
	struct meta_copy bad = *copy;
	struct meta_losers losers;
	struct store_finding finding = {
		.kind = waits ? FOUND_WAITING : kind,
		.digest = &copy->digest,
		.size = copy->blob.size,
	};

	bad.blob.damage = kind == FOUND_MISSING && !waits ? DAMAGE_LOST :
							    DAMAGE_BYTES;
	if (row_condemn(scrub, &bad, &losers, e) < 0)
		return e->kind == ERR_BLOB_UNKNOWN ? 0 : -1;
	if (losers.count) {
		finding.repository = &losers.first;
		finding.others = losers.count - 1;
	}
	scrub_tell(scrub, &finding);
	if (copy->blob.damage == DAMAGE_NONE)
		damage_add(scrub, losers.count > 0);
	if (file_follow(scrub, copy, kind, losers.count > 0, e) < 0 &&
	    scrub->first.kind == ERR_NONE)
		scrub->first = *e;
	return 0;
}

/* What is sound, or may be: only what is worth telling is told. */
static int copy_leave(struct scrub *scrub, const struct meta_copy *copy,
		      int kind, struct err *e)
{
	struct store_finding finding = {
		.kind = kind,
		.digest = &copy->digest,
		.size = copy->blob.size,
		.why = kind == FOUND_UNCHECKED ? e->message : NULL,
	};

	if (kind == FOUND_SOUND && copy->blob.damage == DAMAGE_NONE)
		return 0;
	if (kind == FOUND_SOUND && !scrub->how->dry &&
	    meta_copy_absolve(scrub->store->meta, copy, e) < 0)
		return -1;
	scrub_tell(scrub, &finding);
	scrubber_count(scrub->store, false);
	return 0;
}

static int copy_verify(struct scrub *scrub, const struct meta_copy *copy,
		       struct err *e)
{
	int kind = copy_judge(scrub, copy, e);

	if (kind == FOUND_UNCHECKED && e->kind == ERR_CLOSED)
		return -1;
	scrub->out->blobs.number++;
	scrub->out->blobs.bytes += copy->blob.size;
	metric_add(METRIC_VERIFIED_BLOBS, 1);
	if (kind == FOUND_SOUND || kind == FOUND_UNCHECKED)
		return copy_leave(scrub, copy, kind, e);
	return copy_condemn(scrub, copy, kind, e);
}

/* A round that is cut short by a crash begins again not far behind. */
static int round_note(struct scrub *scrub, const struct digest *last,
		      struct err *e)
{
	if (!scrub->round)
		return 0;
	scrub->round->last = *last;
	scrub->round->under_way = true;
	if (clock_ms() < scrub->noted_ms + NOTE_MS)
		return 0;
	scrub->noted_ms = clock_ms();
	return meta_round_note(scrub->store->meta, scrub->round, e);
}

static int blobs_verify(struct scrub *scrub, struct err *e)
{
	struct meta *meta = scrub->store->meta;
	struct meta_copy copy = { 0 };
	const struct digest *after = NULL;

	if (scrub->round && scrub->round->under_way) {
		copy.digest = scrub->round->last;
		after = &copy.digest;
	}
	for (;;) {
		if (meta_copy_next(meta, after, &copy, e) < 0)
			return -1;
		if (copy.blob.id == 0)
			return 0;
		if (copy_verify(scrub, &copy, e) < 0 ||
		    round_note(scrub, &copy.digest, e) < 0 ||
		    scrub_pause(&scrub->pace, 0, e) < 0)
			return -1;
		after = &copy.digest;
	}
}

/* --------------------------------------------------------------- manifests */

static int leaf_condemn(struct scrub *scrub, const struct meta_leaf *leaf,
			struct err *e)
{
	bool pushed = repository_is_local(&leaf->repository);
	struct store_finding finding = {
		.kind = FOUND_MANIFEST,
		.digest = &leaf->digest,
		.repository = &leaf->repository,
	};

	if (!scrub->how->dry &&
	    meta_leaf_condemn(scrub->store->meta, leaf, e) < 0)
		return -1;
	scrub_tell(scrub, &finding);
	if (!leaf->damaged)
		damage_add(scrub, pushed);
	return 0;
}

static int lacking_find(struct scrub *scrub, const struct meta_leaf *leaf,
			struct err *e)
{
	const struct digest *after = NULL;
	struct digest digest;
	bool found;
	struct store_finding finding = {
		.kind = FOUND_LACKING,
		.digest = &digest,
		.repository = &leaf->repository,
		.manifest = &leaf->digest,
	};

	for (;;) {
		if (meta_leaf_lacks(scrub->store->meta, leaf, after, &digest,
				    &found, e) < 0)
			return -1;
		if (!found)
			return 0;
		scrub_tell(scrub, &finding);
		after = &digest;
	}
}

static int leaf_verify(struct scrub *scrub, const struct meta_leaf *leaf,
		       struct err *e)
{
	struct digest found = hash_of(leaf->digest.algorithm, leaf->bytes);

	scrub->out->manifests++;
	if (!digest_eq(&found, &leaf->digest) &&
	    leaf_condemn(scrub, leaf, e) < 0)
		return -1;
	if (!repository_is_local(&leaf->repository))
		return 0;
	return lacking_find(scrub, leaf, e);
}

static int manifests_verify(struct scrub *scrub, struct err *e)
{
	struct meta_leaf leaf = { 0 };

	for (;;) {
		auto_of(arena) struct arena *arena = arena_open();

		if (meta_leaf_next(scrub->store->meta, leaf.place, arena, &leaf,
				   e) < 0)
			return -1;
		if (leaf.place == 0)
			return 0;
		if (leaf_verify(scrub, &leaf, e) < 0 ||
		    scrub_pause(&scrub->pace, leaf.bytes.len, e) < 0)
			return -1;
	}
}

/* -------------------------------------------------------------------- pass */

static int first_told(const struct scrub *scrub, struct err *e)
{
	if (scrub->first.kind == ERR_NONE)
		return 0;
	*e = scrub->first;
	return -1;
}

int scrub_pass(struct store *store, const struct store_verify *how,
	       struct meta_round *round, struct store_verified *out,
	       struct err *e)
{
	auto_with(scrub_end) struct scrub scrub = scrub_make(store, how, out);

	*out = (struct store_verified){ 0 };
	scrub.round = round;
	scrub.pace.gentle = round;
	if (meta_copy_total(store->meta, &scrub.pace.all, e) < 0 ||
	    blobs_verify(&scrub, e) < 0 || manifests_verify(&scrub, e) < 0 ||
	    scrub_files(&scrub, e) < 0)
		return -1;
	return first_told(&scrub, e);
}

int scrub_blob(struct store *store, const struct digest *digest, struct err *e)
{
	struct store_verify how = { .rate = -1 };
	struct store_verified ignored = { 0 };
	struct meta_copy copy = { .digest = *digest };
	auto_with(scrub_end) struct scrub scrub =
		scrub_make(store, &how, &ignored);

	if (meta_blob_find(store->meta, digest, &copy.blob, e) < 0)
		return e->kind == ERR_BLOB_UNKNOWN ? 0 : -1;
	if (copy_verify(&scrub, &copy, e) < 0)
		return -1;
	return first_told(&scrub, e);
}
