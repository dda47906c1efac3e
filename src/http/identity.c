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

struct identity {
	const struct http_door *door;
	pthread_mutex_t reading; /* held by who reads files */
	pthread_mutex_t lock;	 /* guards contexts of pairs */
	size_t count;
	struct pair pairs[];
};

/* ------------------------------------------------------------ files */

static struct stamp stamp_of(const char *path)
{
	struct stat st;

	if (!path || stat(path, &st) < 0)
		return (struct stamp){ 0 };
	return (struct stamp){ st.st_dev, st.st_ino, st.st_size, st.st_ctim };
}

static struct stamps stamps_of(const struct identity *identity,
			       const struct pair *pair)
{
	return (struct stamps){ {
		stamp_of(pair->given->certificate),
		stamp_of(pair->given->key),
		stamp_of(identity->door->client_ca),
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
static int read_pair(struct identity *identity, struct pair *pair,
		     struct stamps now, struct err *e)
{
	struct ssl_ctx_st *context;

	pair->read = pair->seen = now;
	if (tls_context_open(pair->given, identity->door, identity, &context,
			     e) < 0)
		return -1;
	pthread_mutex_lock(&identity->lock);
	struct ssl_ctx_st *old = pair->context;
	pair->context = context;
	pthread_mutex_unlock(&identity->lock);
	if (old)
		tls_context_drop(&old);
	return 0;
}

static void look(struct identity *identity, struct pair *pair)
{
	struct stamps now = stamps_of(identity, pair);
	bool rests = same(&now, &pair->seen);
	struct err e;

	pair->seen = now;
	if (!rests || same(&now, &pair->read))
		return;
	if (read_pair(identity, pair, now, &e) < 0)
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
	for (size_t i = 0; i < identity->count; i++)
		look(identity, &identity->pairs[i]);
}

int identity_reload(struct identity *identity, struct err *e)
{
	int failed = 0;
	struct err next;

	thread_may_wait("identity_reload");
	hold_mutex(&identity->reading);
	for (size_t i = 0; i < identity->count; i++) {
		struct pair *pair = &identity->pairs[i];
		struct stamps now = stamps_of(identity, pair);

		if (read_pair(identity, pair, now, failed ? &next : e) < 0)
			failed = -1;
	}
	return failed;
}

/* ------------------------------------------------------------ choosing */

/* Locked. */
static const struct pair *choose(const struct identity *identity,
				 const char *host)
{
	for (size_t i = 0; host && i < identity->count; i++)
		if (tls_context_is_for(identity->pairs[i].context, host))
			return &identity->pairs[i];
	return identity->pairs;
}

struct ssl_ctx_st *identity_take(struct identity *identity, const char *host)
{
	hold_mutex(&identity->lock);
	return tls_context_keep(choose(identity, host)->context);
}

/* ------------------------------------------------------------ life */

int identity_open(const struct http_door *door, struct identity **out,
		  struct err *e)
{
	size_t count = door->certificate_count;
	struct identity *identity =
		mem_alloc(sizeof(*identity) + count * sizeof(*identity->pairs));

	identity->door = door;
	identity->count = count;
	pthread_mutex_init(&identity->reading, NULL);
	pthread_mutex_init(&identity->lock, NULL);
	for (size_t i = 0; i < count; i++)
		identity->pairs[i].given = &door->certificates[i];
	if (identity_reload(identity, e) < 0) {
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
	for (size_t i = 0; i < identity->count; i++)
		if (identity->pairs[i].context)
			tls_context_drop(&identity->pairs[i].context);
	pthread_mutex_destroy(&identity->reading);
	pthread_mutex_destroy(&identity->lock);
	free(identity);
}
