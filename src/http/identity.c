/*
 * Files are recognised by what stat says of them, through all symbolic links:
 * another file under the name, or another change of the same file, and it is
 * read again. A pair that is wrong is read once, and then again when it has
 * changed again.
 */
#include "http/identity.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "http/http.h"
#include "http/tls.h"

/* One state of one file; zero while it is not there. */
struct stamp {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec changed;
};

/* Of certificate, key and authorities. */
struct stamps {
	struct stamp file[3];
};

struct pair {
	const struct http_certificate *given;
	struct ssl_ctx_st *context; /* guarded by identity.lock */
	struct stamps read;	    /* as it was when it was read last */
	struct stamps seen;	    /* at the last look */
};

/* All of a door, as it was given at once. */
struct pairs {
	const struct http_door *door;
	size_t count;
	struct pair at[];
};

struct identity {
	pthread_mutex_t reading; /* held by who reads files */
	pthread_mutex_t lock;	 /* guards `now`, and contexts of pairs */
	struct pairs *now;	 /* changed only with `reading`, too */
};

/* ------------------------------------------------------------ files */

static struct stamp stamp_of(const char *path)
{
	struct stat st;

	if (!path || stat(path, &st) < 0)
		return (struct stamp){ 0 };
	return (struct stamp){ st.st_dev, st.st_ino, st.st_size, st.st_ctim };
}

static struct stamps stamps_of(const struct http_door *door,
			       const struct pair *pair)
{
	return (struct stamps){ {
		stamp_of(pair->given->certificate),
		stamp_of(pair->given->key),
		stamp_of(door->client_ca),
	} };
}

static bool same_stamp(const struct stamp *a, const struct stamp *b)
{
	return a->device == b->device && a->inode == b->inode &&
	       a->size == b->size && a->changed.tv_sec == b->changed.tv_sec &&
	       a->changed.tv_nsec == b->changed.tv_nsec;
}

static bool same(const struct stamps *a, const struct stamps *b)
{
	for (size_t i = 0; i < array_size(a->file); i++)
		if (!same_stamp(&a->file[i], &b->file[i]))
			return false;
	return true;
}

/* `now` from before, so that a change while we read is another one. */
static int read_pair(struct identity *identity, const struct http_door *door,
		     struct pair *pair, struct stamps now, struct err *e)
{
	struct ssl_ctx_st *context;

	pair->read = pair->seen = now;
	if (tls_context_open(pair->given, door, identity, &context, e) < 0)
		return -1;
	pthread_mutex_lock(&identity->lock);
	struct ssl_ctx_st *old = pair->context;
	pair->context = context;
	pthread_mutex_unlock(&identity->lock);
	if (old)
		tls_context_drop(&old);
	return 0;
}

static void look(struct identity *identity, const struct http_door *door,
		 struct pair *pair)
{
	struct stamps now = stamps_of(door, pair);
	bool rests = same(&now, &pair->seen);
	struct err e;

	pair->seen = now;
	if (!rests || same(&now, &pair->read))
		return;
	if (read_pair(identity, door, pair, now, &e) < 0)
		log_say(LOG_ERROR, "certificate",
			"%s; the old one stays in use", e.message);
	else
		log_say(LOG_INFO, "certificate", "%s has changed: read again",
			pair->given->certificate);
}

void identity_look(struct identity *identity)
{
	thread_may_wait("identity_look");
	hold_mutex(&identity->reading);
	struct pairs *pairs = identity->now;

	for (size_t i = 0; i < pairs->count; i++)
		look(identity, pairs->door, &pairs->at[i]);
}

void pairs_close(struct pairs **pointer)
{
	struct pairs *pairs = steal_ptr(pointer);

	if (!pairs)
		return;
	for (size_t i = 0; i < pairs->count; i++)
		if (pairs->at[i].context)
			tls_context_drop(&pairs->at[i].context);
	free(pairs);
}

int identity_read(struct identity *identity, const struct http_door *door,
		  struct pairs **out, struct err *e)
{
	size_t count = door->certificate_count;
	struct pairs *pairs =
		mem_alloc(sizeof(*pairs) + count * sizeof(*pairs->at));

	thread_may_wait("identity_read");
	pairs->door = door;
	pairs->count = count;
	for (size_t i = 0; i < count; i++) {
		struct pair *pair = &pairs->at[i];

		pair->given = &door->certificates[i];
		if (read_pair(identity, door, pair, stamps_of(door, pair), e) <
		    0) {
			pairs_close(&pairs);
			return -1;
		}
	}
	*out = pairs;
	return 0;
}

void identity_change(struct identity *identity, struct pairs **next)
{
	thread_may_wait("identity_change");
	hold_mutex(&identity->reading);
	struct pairs *old = identity->now;

	pthread_mutex_lock(&identity->lock);
	identity->now = steal_ptr(next);
	pthread_mutex_unlock(&identity->lock);
	pairs_close(&old);
}

/* ------------------------------------------------------------ choosing */

/* Locked. */
static const struct pair *choose(const struct pairs *pairs, const char *host)
{
	for (size_t i = 0; host && i < pairs->count; i++)
		if (tls_context_is_for(pairs->at[i].context, host))
			return &pairs->at[i];
	return pairs->at;
}

struct ssl_ctx_st *identity_take(struct identity *identity, const char *host)
{
	hold_mutex(&identity->lock);
	return tls_context_keep(choose(identity->now, host)->context);
}

/* ------------------------------------------------------------ life */

int identity_open(const struct http_door *door, struct identity **out,
		  struct err *e)
{
	struct identity *identity = mem_alloc(sizeof(*identity));

	pthread_mutex_init(&identity->reading, NULL);
	pthread_mutex_init(&identity->lock, NULL);
	if (identity_read(identity, door, &identity->now, e) < 0) {
		identity_close(&identity);
		return -1;
	}
	*out = identity;
	return 0;
}

void identity_close(struct identity **pointer)
{
	struct identity *identity = steal_ptr(pointer);

	if (!identity)
		return;
	pairs_close(&identity->now);
	pthread_mutex_destroy(&identity->reading);
	pthread_mutex_destroy(&identity->lock);
	free(identity);
}
