/*
 * The life of an arrival: session, then file; and at the end blob, then row.
 *
 * A commit that fails must leave nothing, but a transaction that failed may
 * still come true at the next start, if its bytes had reached the disk. So
 * the end of the session is committed behind it: after that it can not, and
 * its file may go. If even that fails, the file stays, an orphan.
 */
#include <errno.h>

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/inside.h"

/* ------------------------------------------------------- opening, closing */

static struct incoming *incoming_new(struct store *store)
{
	struct incoming *incoming = mem_alloc(sizeof(*incoming));

	incoming->store = store;
	incoming->fd = -1;
	return incoming;
}

void incoming_close(struct incoming **pointer)
{
	struct incoming *incoming = steal_ptr(pointer);

	if (incoming->hasher)
		hasher_close(&incoming->hasher);
	auto_fd_end(&incoming->fd);
	cache_dismiss(incoming);
	if (incoming->growing)
		growing_drop(&incoming->growing);
	free(incoming);
}

/* Ends it in memory. A fetch that did not come to its end is broken. */
static void incoming_end(struct incoming *incoming, const struct err *why)
{
	if (incoming->growing)
		growing_break(incoming->growing, why);
	if (incoming->held)
		uploads_forget(&incoming->store->uploads, incoming);
	incoming_close(&incoming);
}

/* File, then session: a session without a file is dropped at the start. */
static int incoming_erase(struct incoming *incoming, struct err *e)
{
	struct err ignored;

	never_mind(arrival_remove(incoming, &ignored));
	return meta_session_drop(incoming->store->meta, &incoming->session.id,
				 1, e);
}

void incoming_drop(struct incoming **pointer)
{
	struct incoming *incoming = steal_ptr(pointer);
	struct err why, ignored;

	never_mind(err_set(&why, ERR_CLOSED, "the arrival was given up"));
	never_mind(incoming_erase(incoming, &ignored));
	incoming_end(incoming, &why);
}

/* Upstream does not have it, say. An empty upload has a key to come back by. */
static bool nothing_to_resume(const struct incoming *incoming)
{
	return incoming->session.is_fetch && incoming->length == 0;
}

void incoming_leave(struct incoming **pointer)
{
	struct incoming *incoming = steal_ptr(pointer);
	struct err why;

	if (incoming->broken || nothing_to_resume(incoming))
		return incoming_drop(&incoming);
	if (!incoming->session.is_fetch)
		return uploads_park(&incoming->store->uploads, incoming);
	never_mind(err_set(&why, ERR_CLOSED, "the arrival was interrupted"));
	incoming_end(incoming, &why);
}

/* ---------------------------------------------------------------- uploads */

static int incoming_try(struct incoming *incoming, struct err *e)
{
	struct err ignored;

	if (meta_session_put(incoming->store->meta, &incoming->session, e) < 0)
		return -1;
	if (arrival_make(incoming, e) == 0)
		return 0;
	never_mind(incoming_erase(incoming, &ignored));
	return -1;
}

/* A new session with an empty file. */
static int incoming_begin(struct incoming *incoming, struct err *e)
{
	int failed;

	do
		failed = incoming_try(incoming, e);
	while (failed && cache_yield(incoming->store, 0, e));
	return failed;
}

int incoming_open_upload(struct store *store,
			 const struct repository *repository,
			 struct incoming **out, struct err *e)
{
	struct incoming *incoming = incoming_new(store);

	thread_may_wait("incoming_open_upload");
	incoming->session.repository = *repository;
	incoming->session.size = -1;
	if (incoming_begin(incoming, e) < 0) {
		incoming_close(&incoming);
		return -1;
	}
	uploads_add(&store->uploads, incoming);
	*out = incoming;
	return 0;
}

/* What is held now, with its session read again, and its file open. */
static int upload_reopen(struct incoming *incoming,
			 const struct repository *repository, struct span key,
			 struct err *e)
{
	struct meta_session session;

	if (meta_session_find(incoming->store->meta, repository, key, &session,
			      e) < 0)
		return -1;
	uploads_know(&incoming->store->uploads, incoming, &session);
	if (incoming->fd >= 0)
		return 0;
	if (arrival_reopen(incoming, e) == 0)
		return 0;
	if (e->kind == ERR_NOT_FOUND)
		e->kind = ERR_UPLOAD_UNKNOWN;
	return -1;
}

int incoming_resume_upload(struct store *store,
			   const struct repository *repository, struct span key,
			   struct incoming **out, struct err *e)
{
	struct incoming *incoming;

	thread_may_wait("incoming_resume_upload");
	if (uploads_hold(&store->uploads, key, &incoming, e) < 0)
		return -1;
	incoming->store = store;
	if (upload_reopen(incoming, repository, key, e) == 0) {
		*out = incoming;
		return 0;
	}
	if (incoming->fd >= 0 && e->kind != ERR_UPLOAD_UNKNOWN) {
		uploads_park(&store->uploads, incoming);
	} else {
		uploads_forget(&store->uploads, incoming);
		incoming_close(&incoming);
	}
	return -1;
}

/* ---------------------------------------------------------------- fetches */

/* The file is gone or damaged; a shortage of something passes. */
static bool is_lost(const struct err *e)
{
	return e->kind == ERR_NOT_FOUND || e->kind == ERR_CORRUPT ||
	       e->sys == EIO;
}

/* What a restart left of a fetch, if it is of any use: 1, 0, -1. */
static int fetch_reopen(struct incoming *incoming, struct err *e)
{
	struct meta_session wanted = incoming->session;

	if (meta_session_find_fetch(incoming->store->meta, &wanted.repository,
				    &wanted.digest, &incoming->session, e) < 0)
		return e->kind == ERR_BLOB_UNKNOWN ? 0 : -1;
	incoming->session.repository = wanted.repository;
	incoming->session.size = wanted.size;
	if (arrival_reopen(incoming, e) == 0)
		return 1;
	if (!is_lost(e) || incoming_erase(incoming, e) < 0)
		return -1;
	incoming->session = wanted;
	return 0;
}

int incoming_open_fetch(struct store *store,
			const struct repository *repository,
			const struct digest *digest, int64_t size,
			struct incoming **out, struct err *e)
{
	struct incoming *incoming = incoming_new(store);

	thread_may_wait("incoming_open_fetch");
	incoming->algorithm = digest->algorithm;
	incoming->session = (struct meta_session){
		.repository = *repository,
		.is_fetch = true,
		.digest = *digest,
		.size = size,
	};
	int found = fetch_reopen(incoming, e);
	if (found < 0 || (found == 0 && incoming_begin(incoming, e) < 0)) {
		incoming_close(&incoming);
		return -1;
	}
	uploads_add(&store->uploads, incoming);
	if (cache_admit(incoming, e) < 0) {
		incoming_drop(&incoming);
		return -1;
	}
	*out = incoming;
	return 0;
}

/* ------------------------------------------------------------ looking at */

const char *incoming_key(const struct incoming *incoming)
{
	return incoming->session.key;
}

int64_t incoming_length(const struct incoming *incoming)
{
	return incoming->position;
}

struct growing *incoming_growing(struct incoming *incoming)
{
	return incoming->growing;
}

/* ---------------------------------------------------------------- commit */

/*
 * Somebody came first, and their file was seen, perhaps again after it had
 * been missing: ours goes.
 */
static int incoming_yield(struct incoming *incoming,
			  const struct digest *digest,
			  const struct meta_blob *winner,
			  struct blob_place *place)
{
	struct store *store = incoming->store;
	struct meta_copy seen = { *digest, *winner };
	struct err ignored;

	close(place->fd);
	if (winner->damage)
		never_mind(meta_copy_absolve(store->meta, &seen, &ignored));
	never_mind(blob_delete(store->blobs, digest, incoming->session.id,
			       &ignored));
	never_mind(meta_session_drop(store->meta, &incoming->session.id, 1,
				     &ignored));
	return 0;
}

/* The damaged file, if it is still there, goes: nobody knows it any more. */
static void incoming_heal(struct store *store, const struct digest *digest,
			  uint64_t damaged)
{
	struct log_line line;
	struct err ignored;

	never_mind(blob_delete(store->blobs, digest, damaged, &ignored));
	log_begin(&line, LOG_INFO, "healed");
	log_text(&line, "digest", digest_text(digest).s);
	log_send(&line);
	scrubber_count(store, false);
}

/*
 * The row that stands afterwards has a file: ours, or that of whoever came
 * first. If that one is missing, ours takes its place.
 */
static int incoming_settle(struct incoming *incoming,
			   const struct digest *digest, struct err *e)
{
	struct store *store = incoming->store;
	struct meta_arrival arrival = {
		.repository = incoming->session.repository,
		.digest = *digest,
		.id = incoming->session.id,
		.size = incoming->length,
	};
	struct meta_blob winner;
	struct blob_place place;

	for (;;) {
		if (meta_blob_put(store->meta, &arrival, &winner, e) < 0)
			return -1;
		if (winner.id == arrival.id)
			break;
		if (blob_open(store, digest, &winner, &place, e) == 0)
			return incoming_yield(incoming, digest, &winner,
					      &place);
		if (e->kind != ERR_NOT_FOUND)
			return -1;
		arrival.missing = winner.id;
	}
	if (arrival.missing)
		incoming_heal(store, digest, arrival.missing);
	return 0;
}

/* The bytes are what they should be: a reader may have them all. */
static void incoming_finish(struct incoming *incoming)
{
	if (incoming->growing)
		growing_finish(incoming->growing, incoming->length);
}

/* Nothing of it stays. On a full disk that takes the room of the ballast. */
static void incoming_undo(struct incoming *incoming,
			  const struct digest *digest)
{
	struct store *store = incoming->store;
	struct err e;
	int failed = incoming_erase(incoming, &e);

	if (failed && e.kind == ERR_NO_SPACE) {
		ballast_drop(store->data);
		failed = incoming_erase(incoming, &e);
	}
	if (!failed)
		never_mind(blob_delete(store->blobs, digest,
				       incoming->session.id, &e));
}

static int incoming_name(struct incoming *incoming, const struct digest *digest,
			 struct err *e)
{
	if (blob_commit(incoming->store->blobs, digest, incoming->session.id,
			incoming->fd, e) < 0)
		return -1;
	return incoming_settle(incoming, digest, e);
}

/* Where there was no room, again; but a sync that failed is never repeated. */
static int incoming_store(struct incoming *incoming,
			  const struct digest *digest, struct err *e)
{
	int failed;

	if (io_sync(incoming->fd, e) < 0)
		return -1;
	do
		failed = incoming_name(incoming, digest, e);
	while (failed && cache_yield(incoming->store, 0, e));
	return failed;
}

static int incoming_keep(struct incoming *incoming, const struct digest *digest,
			 struct err *e)
{
	struct err ignored;
	int failed = incoming_store(incoming, digest, e);

	if (failed)
		incoming_undo(incoming, digest);
	else
		never_mind(arrival_remove(incoming, &ignored));
	return failed;
}

/* What is fetched is kept within the limits of what is cached. */
static int incoming_cache(struct incoming *incoming,
			  const struct digest *digest, struct err *e)
{
	if (!cache_enter(incoming))
		return incoming_erase(incoming, e);
	int failed = incoming_keep(incoming, digest, e);
	cache_entered(incoming);
	return failed;
}

int incoming_commit(struct incoming **pointer, const struct digest *digest,
		    struct err *e)
{
	struct incoming *incoming = steal_ptr(pointer);
	struct store *store = incoming->store;
	struct err ignored;
	int failed;

	thread_may_wait("incoming_commit");
	if (arrival_verify(incoming, digest, e) == 0) {
		incoming_finish(incoming);
		failed = incoming->session.is_fetch ?
				 incoming_cache(incoming, digest, e) :
				 incoming_keep(incoming, digest, e);
	} else {
		never_mind(incoming_erase(incoming, &ignored));
		failed = -1;
	}
	incoming_end(incoming, e);
	if (failed)
		ballast_take(store->data); /* there may be room again */
	return failed;
}
