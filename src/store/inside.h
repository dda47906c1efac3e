/*
 * store/inside.h: what the parts of the store share. Not for other rooms.
 */
#pragma once
#include <stdatomic.h>
#include <sys/queue.h>

#include "base/current.h"
#include "base/pool.h"
#include "base/thread.h"
#include "oci/hash.h"
#include "store/store.h"

/*
 * An arrival under way. Its file is incoming/<id>, where id is its session's.
 */
struct incoming {
	struct store *store;
	struct meta_session session;
	int fd;		      /* -1: not open yet */
	int64_t length;	      /* bytes in the file */
	int64_t position;     /* of the next write; behind `length` only while
				 a fetch that began anew catches up */
	int64_t written_back; /* bytes that are on their way to the disk */
	enum digest_algorithm algorithm; /* of its hasher */
	struct hasher *hasher;		 /* null: not open yet */
	struct growing *growing;	 /* of a fetch */
	int64_t expected; /* bytes that the cache will have of it */
	int64_t granted;  /* bytes that may come, of a fetch without a size */
	bool broken;	  /* the disk failed under it: only to drop */
	bool held;	  /* somebody is at it; of a fetch, always */
	TAILQ_ENTRY(incoming) link;
};

TAILQ_HEAD(incoming_list, incoming);

/* All arrivals that are open: held, or uploads parked until the next request.
 */
struct uploads {
	pthread_mutex_t lock;
	struct incoming_list list; /* parked ones: least recently used last */
	size_t parked;
};

/* Who removes what nobody needs any more. */
struct collector {
	struct thread thread;
	atomic_bool started;
	_Atomic int64_t grace_ms;

	pthread_mutex_t pass; /* held by whoever is at a pass, and by a
				 backup while nothing may be removed */

	pthread_mutex_t count;
	int64_t counted_ms; /* clock_ms: uptime was counted until then; guarded
			       by count */

	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t changed;
	bool stopping;
	bool woken; /* the next round begins now */
};

#define STORE_THERE 512

/* Who makes room of what is cached. */
struct evictor {
	_Atomic int64_t limit;	   /* bytes; 0: none */
	_Atomic int64_t keep_free; /* bytes */
	_Atomic int64_t expected;  /* bytes of fetches under way */

	pthread_mutex_t pass; /* held by whoever evicts; guards all below */
	pthread_cond_t entered;
	int64_t entering; /* bytes on their way into the database */
	uint64_t entered_count;
	int64_t shown; /* bytes, by the metric */
};

#define SUSPECTS 16

/* Who reads everything back. */
struct scrubber {
	struct thread thread;
	bool started;
	atomic_bool serving;	  /* store_scrub was called */
	_Atomic int64_t every_ms; /* 0: never */
	_Atomic int64_t rate;
	struct pool *rechecks; /* of suspects; null until it serves */

	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t changed;
	bool stopping;
	bool woken; /* what it is to do has changed */
	struct digest suspects[SUSPECTS];
	size_t suspect_count;
	struct meta_damaged damaged; /* as the metrics say */
};

struct store {
	int data;     /* the data directory */
	int arrivals; /* its incoming/ */
	int lock;     /* its lock, held */
	struct meta *meta;
	struct blob_store *blobs;
	struct pool *hashers;
	struct uploads uploads;
	_Atomic uint64_t there[STORE_THERE]; /* files seen lately: blob.c */
	struct collector collector;
	struct evictor evictor;
	struct current *rules; /* those that the collector keeps by */
	struct scrubber scrubber;
};

/*
 * Removes what a crash left in incoming/, and ends sessions that it
 * left without a file. Only while nothing arrives.
 */
void store_tidy(struct store *);

/* Keeps some room for the database in the data directory; gives it up.
 */
void ballast_take(int data);
void ballast_drop(int data);

/* "17": the name of an arrival's file. It is of a session, or of
 * nobody. */
struct arrival_name {
	char s[24];
};
struct arrival_name arrival_name(uint64_t id);

/* For what only leaves an orphan behind when it fails, to be tidied
 * later. */
static inline void never_mind(int result)
{
	(void)result;
}

/*
 * The file of exactly that incarnation. ERR_NOT_FOUND: it is missing,
 * or has another size than it should.
 */
int blob_open(struct store *, const struct digest *, const struct meta_blob *,
	      struct blob_place *out, struct err *) must_check;

/*
 * Calls `visit` for each name in the directory `name` of `parent`, in no order;
 * a -1 of it ends the walk.
 */
typedef int (*dir_visit)(const char *name, void *arg, struct err *);
int dir_each(int parent, const char *name, dir_visit visit, void *arg,
	     struct err *) may_wait must_check;

/* --------------------------------------------------------------
 * arrivals */

/* Makes the file of a new session. */
int arrival_make(struct incoming *, struct err *) must_check;
/* Opens the one that is there and hashes it. ERR_NOT_FOUND. */
int arrival_reopen(struct incoming *, struct err *) must_check;
/* Removes its name; the open file stays readable. */
int arrival_remove(struct incoming *, struct err *) must_check;
/* Is that what it holds? */
int arrival_verify(struct incoming *, const struct digest *, struct err *)
	must_check;

/* Closes it and frees it; what is on the disk stays as it is. */
void incoming_close(struct incoming **);

/* ---------------------------------------------------------------
 * hashing */

/* The hash of a file while it grows. */
struct hasher;

/* `fd` stays the caller's, and open until hasher_close. */
struct hasher *hasher_open(struct pool *, int fd, enum digest_algorithm);
void hasher_close(struct hasher **) may_wait;
/* The file has `length` bytes by now, and these stay. Never waits. */
void hasher_follow(struct hasher *, int64_t length);
/* Of all of them. */
int hasher_digest(struct hasher *, struct digest *out, struct err *)
	may_wait must_check;

/* ---------------------------------------------------------------
 * uploads */

void uploads_open(struct uploads *);
void uploads_close(struct uploads *);

/* Adds one, held. */
void uploads_add(struct uploads *, struct incoming *);
/*
 * The upload `key`, held from now on: as it was parked, or new and
 * without a file. ERR_CONFLICT if somebody holds it.
 */
int uploads_hold(struct uploads *, struct span key, struct incoming **out,
		 struct err *) must_check;
/* No longer held, but open for the next request. */
void uploads_park(struct uploads *, struct incoming *);
/* No longer known. */
void uploads_forget(struct uploads *, struct incoming *);
/* What session it is. */
void uploads_know(struct uploads *, struct incoming *,
		  const struct meta_session *);

/* The sessions of all that are held; the array is the caller's. */
size_t uploads_held(struct uploads *, uint64_t **ids_out);
/* The session is gone: closes the upload, if it is parked. */
void uploads_expire(struct uploads *, uint64_t id);

/* --------------------------------------------------------------
 * collecting */

void collector_open(struct collector *);
/* Ends what is under way, soon. */
void collector_close(struct store *);

/* Until whoever is at a pass, of the collector or the evictor, is done. */
void pass_await(pthread_mutex_t *pass) may_wait;

/* Its next round begins now. */
void collector_wake(struct collector *);

/* What was used so far is stamped with the time now. */
void collector_stamp(struct store *) may_wait;

/*
 * How many times as long as a piece of work the rest after it is. What changes
 * the disk slows down one in ten of those who pull and push meanwhile: in so
 * small a part of the time, that is fewer than one in a hundred.
 */
enum rest {
	REST_NONE = 0,
	REST_LOOKED = 1,
	REST_CHANGED = 14,
};

/* Of work that can wait, beside clients, who do. */
struct pace {
	int64_t piece_us;  /* when the present piece of it began */
	int64_t answered;  /* requests, when that was looked at last */
	int64_t lonely_us; /* from then on it is, if nobody asks for anything */
};

struct pace pace_begin(void);

/*
 * Where clients come and go, lets them have the disk and the database after the
 * piece of work that ends now. ERR_CLOSED when the store closes.
 */
int collector_rest(struct collector *, enum rest, struct pace *, struct err *)
	may_wait must_check;

/*
 * Removes files of blobs on threads of its own, at most `limit` at once; its
 * end waits for all of them, and tells why the first of those failed that did.
 */
struct removers;
struct removers *removers_open(struct blob_store *, unsigned limit);
void removers_run(struct removers *, const struct digest *, uint64_t id)
	may_wait;
/* Until all that were given are gone, or have failed. */
void removers_await(struct removers *) may_wait;
int removers_close(struct removers **, struct err *) may_wait must_check;

/* Files in incoming/ that belong to no session. */
int sweep_leftovers(struct store *, struct err *) may_wait must_check;

/* One pass; alone, if it removes anything: nobody else is at one. */
int sweep_pass(struct store *, const struct store_sweep *,
	       const struct meta_horizon *, struct store_swept *out,
	       struct err *) may_wait must_check;

/* ---------------------------------------------------------------- keeping */

/* No rules yet. */
struct current *rules_open(void);
/* By those of the store. */
void keep_quietly(struct store *) may_wait;

/* --------------------------------------------------------------
 * evicting */

void evictor_open(struct evictor *);
void evictor_close(struct evictor *);

/*
 * A fetch begins: makes room for it, and sets that aside if its size is
 * known. ERR_NO_SPACE: there is none that a fetch may have.
 */
int cache_admit(struct incoming *, struct err *) may_wait must_check;
/*
 * A fetch grows whose size nobody knew: so that it may have `length` bytes, the
 * room for them is looked for. ERR_NO_SPACE.
 */
int cache_grow(struct incoming *, int64_t length, struct err *)
	may_wait must_check;
/* It has ended, or will not be cached. */
void cache_dismiss(struct incoming *);

/* It is whole: makes room to keep it. False: it is larger than all
 * there is. */
bool cache_enter(struct incoming *) may_wait must_check;
/* After cache_enter: it is kept, or could not be. */
void cache_entered(struct incoming *);

/*
 * Something failed, and `why`. True if the disk is full and cached
 * content has gone, `least` bytes of it if there were so many: then try
 * again.
 */
bool cache_yield(struct store *, int64_t least, const struct err *why) may_wait;

/* Keeps to the limits also where nobody fetches. */
void cache_look(struct store *) may_wait;

/*
 * Is the file still there, whose row was not? What an eviction was just about
 * to remove has gone by then.
 */
bool file_is_left(struct store *, const struct digest *, uint64_t id) may_wait;
/* --------------------------------------------------------------
 * verifying */

void scrubber_open(struct scrubber *);
/* Ends what is under way, soon. */
void scrubber_close(struct store *);
/* Tells the metrics how much is damaged, if any was or `found` says so.
 */
void scrubber_count(struct store *, bool found) may_wait;

/* At which pace files are read, and who is told of it. */
struct scrub_pace {
	struct scrubber *scrubber;
	int64_t rate; /* bytes a second; 0: none; -1: the scrubber's */
	bool gentle;  /* rests for as long as the work took */
	int64_t began_us;
	int64_t due_us; /* by the rate, the next piece begins */
	int64_t done;
	int64_t all;
	const struct store_verify *how; /* who wants to hear of progress */
};
/* After a piece of so many bytes. ERR_CLOSED when it is time to end. */
int scrub_pause(struct scrub_pace *, size_t bytes, struct err *)
	may_wait must_check;

/* Room for reading files from the disk. */
struct reread;
struct reread *reread_open(void);
void reread_close(struct reread **) may_wait;
DEFINE_AUTO(reread, reread_close)
/*
 * The digest of the `size` bytes in the file, as they are on the disk.
 * `fd` stays the caller's, but is changed. ERR_CORRUPT if it is
 * shorter.
 */
int reread_digest(struct reread *, const struct blob_place *,
		  struct scrub_pace *, struct digest *out, struct err *)
	may_wait must_check;

/* One pass, or the rest of `round`, which is noted as it goes on (or
 * null). */
int scrub_pass(struct store *, const struct store_verify *, struct meta_round *,
	       struct store_verified *out, struct err *) may_wait must_check;
/* One blob, at the scrubber's rate. */
int scrub_blob(struct store *, const struct digest *, struct err *)
	may_wait must_check;

/* ------------------------------------------------------------- the database */

/* Its file, and the same while it is not complete yet. */
#define DATABASE "registry.db"
#define DATABASE_NEW "registry.db.new"

/* The lock of a data directory, of which `dir` is open. ERR_LOCKED. */
int data_lock(const char *data, int dir, int *lock_out, struct err *)
	must_check;
