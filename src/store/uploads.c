/*
 * Between two requests of an upload its file stays open and its hash in
 * memory, so that the next one goes on at once. Only so many are parked: the
 * one that was used least recently is closed, and if it comes back, its file
 * is hashed again.
 *
 * One list holds both the parked ones and those at work, so that a second
 * request for an upload at work is refused. Fetches at work are on it, too:
 * what is on it and held, no sweep may take. The list is short.
 */
#include "store/inside.h"

#include <assert.h>
#include <errno.h>

#include "base/io.h"
#include "base/mem.h"

#define PARKED_MAX 256

void uploads_open(struct uploads *uploads)
{
	pthread_mutex_init(&uploads->lock, NULL);
	TAILQ_INIT(&uploads->list);
}

static void unlist(struct uploads *uploads, struct incoming *incoming)
{
	TAILQ_REMOVE(&uploads->list, incoming, link);
	if (!incoming->held)
		uploads->parked--;
}

void uploads_close(struct uploads *uploads)
{
	struct incoming *incoming;

	while ((incoming = TAILQ_FIRST(&uploads->list))) {
		assert(!incoming->held);
		unlist(uploads, incoming);
		incoming_close(&incoming);
	}
	pthread_mutex_destroy(&uploads->lock);
}

void uploads_add(struct uploads *uploads, struct incoming *incoming)
{
	hold_mutex(&uploads->lock);
	incoming->held = true;
	TAILQ_INSERT_HEAD(&uploads->list, incoming, link);
}

/* With the lock held. */
static struct incoming *find(struct uploads *uploads, struct span key)
{
	struct incoming *incoming;

	TAILQ_FOREACH(incoming, &uploads->list, link)
	{
		if (span_is(key, incoming->session.key))
			return incoming;
	}
	return NULL;
}

static struct incoming *fresh(struct uploads *uploads, struct span key)
{
	struct incoming *incoming = mem_alloc(sizeof(*incoming));

	incoming->fd = -1;
	if (!span_copy(key, incoming->session.key,
		       sizeof(incoming->session.key)))
		incoming->session.key[0] = '\0'; /* and so of no session */
	TAILQ_INSERT_HEAD(&uploads->list, incoming, link);
	return incoming;
}

int uploads_hold(struct uploads *uploads, struct span key,
		 struct incoming **out, struct err *e)
{
	hold_mutex(&uploads->lock);
	struct incoming *incoming = find(uploads, key);

	if (incoming && incoming->held)
		return err_set(e, ERR_CONFLICT,
			       "another request is at this upload");
	if (incoming)
		uploads->parked--;
	else
		incoming = fresh(uploads, key);
	incoming->held = true;
	*out = incoming;
	return 0;
}

/* The one to close so that there is room, off the list; or null. */
static struct incoming *park(struct uploads *uploads, struct incoming *incoming)
{
	hold_mutex(&uploads->lock);
	TAILQ_REMOVE(&uploads->list, incoming, link);
	TAILQ_INSERT_HEAD(&uploads->list, incoming, link);
	incoming->held = false;
	if (++uploads->parked <= PARKED_MAX)
		return NULL;

	struct incoming *oldest;
	TAILQ_FOREACH_REVERSE(oldest, &uploads->list, incoming_list, link)
	{
		if (!oldest->held)
			break;
	}
	unlist(uploads, oldest);
	return oldest;
}

void uploads_park(struct uploads *uploads, struct incoming *incoming)
{
	struct incoming *oldest = park(uploads, incoming);

	if (oldest)
		incoming_close(&oldest);
}

void uploads_forget(struct uploads *uploads, struct incoming *incoming)
{
	hold_mutex(&uploads->lock);
	unlist(uploads, incoming);
}

void uploads_know(struct uploads *uploads, struct incoming *incoming,
		  const struct meta_session *session)
{
	hold_mutex(&uploads->lock);
	incoming->session = *session;
}

/* ---------------------------------------------------------------- sweeping */

size_t uploads_held(struct uploads *uploads, uint64_t **ids_out)
{
	struct incoming *incoming;
	size_t count = 0;

	hold_mutex(&uploads->lock);
	TAILQ_FOREACH(incoming, &uploads->list, link)
	count += incoming->held;
	*ids_out = mem_array(count, sizeof(**ids_out));
	count = 0;
	TAILQ_FOREACH(incoming, &uploads->list, link)
	{
		if (incoming->held)
			(*ids_out)[count++] = incoming->session.id;
	}
	return count;
}

/* The parked upload of that session, off the list; or null. */
static struct incoming *unpark(struct uploads *uploads, uint64_t id)
{
	struct incoming *incoming;

	hold_mutex(&uploads->lock);
	TAILQ_FOREACH(incoming, &uploads->list, link)
	{
		if (incoming->session.id != id || incoming->held)
			continue;
		unlist(uploads, incoming);
		return incoming;
	}
	return NULL;
}

void uploads_expire(struct uploads *uploads, uint64_t id)
{
	struct incoming *incoming = unpark(uploads, id);

	if (incoming)
		incoming_close(&incoming);
}

/* ------------------------------------------------------------- looking at */

int store_upload_length(struct store *store,
			const struct repository *repository, struct span key,
			int64_t *length_out, struct err *e)
{
	struct meta_session session;

	thread_may_wait("store_upload_length");
	if (meta_session_find(store->meta, repository, key, &session, e) < 0)
		return -1;

	struct arrival_name name = arrival_name(session.id);
	auto_fd int fd = io_open_at(store->arrivals, name.s, O_RDONLY, e);
	if (fd >= 0)
		return io_size(fd, length_out, e);
	if (e->sys == ENOENT)
		return err_set(e, ERR_UPLOAD_UNKNOWN, "the upload has ended");
	return -1;
}
