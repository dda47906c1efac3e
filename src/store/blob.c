/*
 * Blobs for reading: the row says which incarnation, and that file is opened.
 *
 * In between, a sweep may have removed the file, and a new arrival may have
 * made another one: so if it is not there, the row is read again, once. A
 * file that is still missing, or too short, is as good as none: what comes
 * from upstream is fetched again, and what was pushed can be pushed again.
 */
#include <errno.h>

#include "base/clock.h"
#include "store/inside.h"

/* The scrubber looks at what is otherwise than its row says. */
static void blob_suspect(struct store *store, const struct digest *digest,
			 const struct meta_blob *blob,
			 enum meta_damage expected)
{
	if (blob->damage == expected)
		store_suspect(store, digest);
}

static int blob_lost(const struct repository *repository,
		     const struct digest *digest, struct err *e)
{
	bool upstream = repository && !repository_is_local(repository);

	return err_set(e, upstream ? ERR_NOT_HERE : ERR_BLOB_UNKNOWN,
		       "the file of blob %s is missing or damaged",
		       digest_text(digest).s);
}

int blob_open(struct store *store, const struct digest *digest,
	      const struct meta_blob *blob, struct blob_place *out,
	      struct err *e)
{
	if (blob->damage == DAMAGE_BYTES)
		return err_set(e, ERR_NOT_FOUND, "blob %s is damaged",
			       digest_text(digest).s);
	if (blob_peek(store->blobs, digest, blob->id, out, e) < 0)
		return -1;
	if (out->size == blob->size)
		return 0;
	close(out->fd);
	out->fd = -1;
	return err_set(e, ERR_NOT_FOUND, "blob %s has %lld bytes, not %lld",
		       digest_text(digest).s, (long long)out->size,
		       (long long)blob->size);
}

static int blob_locate(struct store *store, const struct repository *repository,
		       const struct digest *digest, struct meta_blob *blob,
		       struct blob_place *out, struct err *e)
{
	for (int tries = 0; tries < 2; tries++) {
		if (meta_blob_peek(store->meta, repository, digest, blob, e) <
		    0)
			return -1;
		*out = (struct blob_place){ .fd = -1, .size = blob->size };
		if (blob->id == 0)
			return err_set(e, ERR_NOT_HERE, "blob %s is not here",
				       digest_text(digest).s);
		if (blob_open(store, digest, blob, out, e) == 0) {
			blob_suspect(store, digest, blob, DAMAGE_LOST);
			return 0;
		}
		out->size = blob->size;
		if (e->sys == EIO)
			blob_suspect(store, digest, blob, DAMAGE_NONE);
		if (e->kind != ERR_NOT_FOUND)
			return -1;
	}
	blob_suspect(store, digest, blob, DAMAGE_NONE);
	return blob_lost(repository, digest, e);
}

static int touch_first(struct err *e)
{
	return err_set(e, ERR_NOT_HERE, "the link has to be touched first");
}

int store_peek_blob(struct store *store, const struct repository *repository,
		    const struct digest *digest, struct blob_place *out,
		    struct err *e)
{
	struct meta_blob blob;

	if (blob_locate(store, repository, digest, &blob, out, e) < 0)
		return -1;
	if (!blob.stale)
		return 0;
	close(out->fd);
	out->fd = -1;
	return touch_first(e);
}

/* An incarnation, and the second in which its file was there. */
static uint64_t there_word(uint64_t id)
{
	return id << 16 | ((uint64_t)clock_ms() / 1000 & 0xffff);
}

/* What is asked for all the time is opened once a second. */
static bool was_there(const struct store *store, uint64_t id)
{
	return id && store->there[id % STORE_THERE] == there_word(id);
}

static void note_there(struct store *store, uint64_t id)
{
	store->there[id % STORE_THERE] = there_word(id);
}

int store_peek_size(struct store *store, const struct repository *repository,
		    const struct digest *digest, int64_t *size_out,
		    struct err *e)
{
	struct meta_blob blob;

	if (meta_blob_peek(store->meta, repository, digest, &blob, e) < 0)
		return -1;
	if (blob.damage || !was_there(store, blob.id)) {
		struct blob_place place;

		if (blob_locate(store, repository, digest, &blob, &place, e) <
		    0)
			return -1;
		close(place.fd);
		note_there(store, blob.id);
	}
	*size_out = blob.size;
	return blob.promised && !blob.stale ? 0 : touch_first(e);
}

int store_pull_blob(struct store *store, const struct repository *repository,
		    const struct digest *digest, struct blob_place *out,
		    struct err *e)
{
	struct meta_blob blob;

	thread_may_wait("store_pull_blob");
	if (blob_locate(store, repository, digest, &blob, out, e) < 0)
		return -1;
	if (!blob.stale || store_promise(store, repository, digest, e) == 0)
		return 0;
	close(out->fd);
	out->fd = -1;
	return -1;
}

/*
 * A hit never needs a write. Without the touch, a push that relies on this
 * answer may have to send the blob after all. But a link that was swept
 * meanwhile must not be promised.
 */
int store_promise(struct store *store, const struct repository *repository,
		  const struct digest *digest, struct err *e)
{
	if (meta_link_touch(store->meta, repository, digest, e) == 0)
		return 0;
	return e->kind == ERR_BLOB_UNKNOWN ? -1 : 0;
}

int store_mount(struct store *store, const struct repository *from,
		const struct repository *to, const struct digest *digest,
		struct err *e)
{
	struct blob_place place;
	struct meta_blob blob;

	thread_may_wait("store_mount");
	if (blob_locate(store, from, digest, &blob, &place, e) < 0)
		return -1;
	close(place.fd);
	return meta_link_mount(store->meta, from, to, digest, e);
}

int store_unlink(struct store *store, const struct repository *repository,
		 const struct digest *digest, struct err *e)
{
	return meta_link_drop(store->meta, repository, digest, e);
}
