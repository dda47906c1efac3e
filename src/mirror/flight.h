/*
 * mirror/flight.h: one question to an upstream, whoever and however many ask.
 *
 * A flight runs on a thread of the mirror. Whoever wants what it will bring
 * holds it, waits with a deadline of his own, and leaves; the flight does not
 * care. Its states only go forward:
 *
 *	ASKING → FLOWING → DONE or FAILED	(a blob)
 *	ASKING → DONE or FAILED			(a manifest, a list)
 */
#pragma once
#include <stdatomic.h>

#include "base/metrics.h"
#include "base/pool.h"
#include "base/thread.h"
#include "mirror/mirror.h"

enum flight_state {
	FLIGHT_ASKING,
	FLIGHT_FLOWING, /* `growing` can be read */
	FLIGHT_DONE,	/* it came; a blob may be gone again, but for
			   `growing`. Without that it was here already */
	FLIGHT_FAILED	/* `why` says it */
};

enum flight_kind {
	FLIGHT_MANIFEST,
	FLIGHT_BLOB,	  /* one and the same in all repositories there */
	FLIGHT_TAGS,	  /* their list */
	FLIGHT_REFERRERS, /* likewise, of the digest that they refer to */
	FLIGHT_KINDS
};

/* What is asked for, and of whom. */
struct flight_plan {
	enum flight_kind kind;
	const struct mirror_upstream *upstream;
	struct repository repository;
	struct reference reference;
	int64_t size;	    /* of a blob, bytes */
	int64_t known;	    /* a manifest or a list that was confirmed later
			       than this will do: wall clock, s; -1: whatever
			       is here, of a digest always 0 */
	const char *reason; /* for the log: "miss"; static */
	const char *via;    /* Via of whoever asks, or null */
	int64_t silence_ms; /* of a manifest: who waits so long in vain says
			       that upstream is dark */
};

struct flight {
	struct flight_plan plan;
	struct mirror *mirror;
	struct upstream *upstream; /* a reference */
	char *via;		   /* of the one for whom it began, or null */
	pthread_cond_t changed;
	/* Guarded by mirror->lock: */
	struct flight *next;
	enum flight_state state;
	struct growing *growing;
	struct err why;
	unsigned holders;   /* those who wait, and its jobs */
	unsigned jobs;	    /* of threads; the first one flies it */
	bool begun;	    /* by one of them */
	bool asks;	    /* upstream: what is here will not do */
	bool listed;	    /* among mirror->flights */
	atomic_bool ahead;  /* it is wanted though nobody waits */
	int64_t flowing_ms; /* since when (clock_ms) */
	int64_t first;	    /* what could be read then, bytes */
	unsigned detours;   /* parts of it that go another way now */

	/* What was fetched, whether it is in the store or found no room
	   there. Set before it is DONE, then only read. */
	struct arena *arena;	      /* or null */
	struct meta_manifest fetched; /* a manifest */
	struct span list;	      /* or a list, in lines */
};

/* The threads that ask one upstream: a dead one holds up no other. */
struct crew {
	struct pool *blobs;
	struct pool *manifests;
	struct pool *lists;
	struct pool *ahead; /* blobs that nobody waits for yet */
	atomic_bool dark;   /* it could not be reached, or was silent, the last
			       time that it was asked for a manifest */
	atomic_bool down;   /* that time it failed as is_down says */
	_Atomic int64_t answered_ms; /* when it last gave an answer, if only
					that it does not have it (clock_ms) */
	unsigned passages; /* what pull_pass has, and may have; guarded by
			      mirror->lock */
};

/*
 * Manifests that came, and that no client had yet: only to be asked for with
 * HEAD, say. The last ones.
 */
enum { NEWS_MOST = 32 };
struct news {
	struct digest digest;
	bool tagged; /* a tag led to it, and no index */
	bool there;
};

struct mirror {
	struct mirror_options options;
	struct store *store;
	struct crew *crews;		/* one an upstream, in their order */
	struct metric_owner **counters; /* likewise */
	struct absent *absent;
	pthread_mutex_t lock;
	/* Guarded by lock: */
	struct flight *flights;	     /* not ended yet */
	struct upstream **upstreams; /* references, in the same order */
	bool stopped;
	struct news news[NEWS_MOST];
	size_t news_next;	/* the oldest */
	atomic_uint news_count; /* read without the lock: is there any? */
};

/* By its name or one of its other names; null if it is not configured. */
const struct mirror_upstream *mirror_upstream_find(const struct mirror *,
						   struct span name);
/* What holds there now. */
const struct mirror_upstream_rules *
mirror_rules_of(const struct mirror *, const struct mirror_rules *,
		const struct mirror_upstream *);
/* That of a canonical name; null for a local repository. */
const struct mirror_upstream *mirror_upstream_of(const struct mirror *,
						 const struct repository *);

/* The one that is to be asked now: a reference for the caller. */
struct upstream *mirror_upstream_take(struct mirror *,
				      const struct mirror_upstream *);

/* As upstream_lifetime, of the one that is asked now. Never waits. */
int64_t mirror_lifetime(struct mirror *, const struct mirror_upstream *,
			int64_t ms);

/*
 * ERR_LOOP if whoever asks, by this Via, came through us already: he must not
 * wait for what we wait for.
 */
int mirror_may_ask(const struct mirror *, const char *via, struct err *)
	must_check;

struct crew *mirror_crew_of(struct mirror *, const struct mirror_upstream *);

/* "blob". Static. */
const char *flight_kind_text(enum flight_kind);

/*
 * Joins the flight of that plan, or starts it; it has failed at once if
 * mirror_may_ask says no. To be left.
 */
struct flight *flight_join(struct mirror *, const struct flight_plan *);
void flight_leave(struct flight **);

/*
 * Starts it before anybody wants it, behind all that somebody waits for. A
 * queue that is full takes no more.
 */
void flight_ahead(struct mirror *, const struct flight_plan *);

/* That manifest came from upstream. */
void news_add(struct mirror *, const struct digest *, const struct tag *);
/* And it was fetched ahead: so is what it names. */
void ahead_go_on(struct flight *) may_wait;

DEFINE_AUTO(flight, flight_leave)

/* From the upstream of that repository; or null. Under mirror->lock. */
struct flight *flight_of_blob(struct mirror *, const struct repository *,
			      const struct digest *);

/* Its bytes if they are flowing: one reference, or null. */
struct growing *flight_peek_blob(struct mirror *, const struct repository *,
				 const struct digest *);

/*
 * Waits until it is no longer asking, at most until `deadline_ms`. Returns
 * the state; FLIGHT_ASKING at the deadline. `growing_out` (may be null) gets
 * a reference to the blob if it is flowing or has come, `why` the reason when
 * it failed.
 */
enum flight_state flight_wait(struct flight *, int64_t deadline_ms,
			      struct growing **growing_out, struct err *why)
	may_wait;

/* Likewise until it is done or has failed. */
enum flight_state flight_wait_end(struct flight *, int64_t deadline_ms,
				  struct err *why) may_wait;

/* For the one who flies it. */
struct upstream_question flight_question(const struct flight *);
/*
 * What is here was confirmed then (-1: it is not here): will that do for all
 * who have joined? If so, nobody joins any more, who may want it newer.
 */
bool flight_is_answered(struct flight *, int64_t confirmed);
void flight_flow(struct flight *, struct growing *);

/* What a flight does; 0 when it brought it into the store. */
int fly_blob(struct flight *, struct err *) may_wait must_check;
int fly_manifest(struct flight *, struct err *) may_wait must_check;
int fly_list(struct flight *, struct err *) may_wait must_check;

enum {
	ANSWER_MS = 10000,   /* in which a client hears something */
	ADOPT_MS = 5 * 60000 /* or what a push relies on has to come */
};

/* Until when whoever asked has to hear something (clock_ms). */
int64_t mirror_deadline(const struct mirror_target *);

/*
 * How long what is cached waits for an answer. While upstream is dark, nobody
 * waits, but it is asked on behind, and so seen when it is back.
 */
int64_t mirror_patience(struct mirror *, const struct mirror_target *,
			const struct flight_plan *);
/* Has upstream just said that it has no such thing? */
bool mirror_lacks(const struct mirror *, const struct mirror_target *,
		  const struct flight_plan *);

/* Asks for a manifest, and waits for so long. */
int flight_manifest(struct mirror *, const struct flight_plan *,
		    int64_t patience_ms, struct arena *,
		    struct meta_manifest *out, struct err *)
	may_wait must_check;

/* Is what upstream said then (wall clock, s) still to be believed? */
bool mirror_believes(struct mirror *, const struct mirror_target *,
		     int64_t checked);

/*
 * "299 - "last confirmed 7 s ago: …"": RFC 7234, 5.5, "miscellaneous
 * persistent warning".
 */
struct span stale_warning(int64_t checked, const struct err *why,
			  struct arena *);

/*
 * May a manifest that is here be given out? Blobs that are not here are of use
 * only while upstream is within reach. At once, without waiting, some are
 * doubted that turn out to be of use.
 */
bool is_of_use_at_once(struct mirror *, const struct mirror_target *,
		       const struct meta_manifest *);
bool is_of_use(struct mirror *, const struct mirror_target *,
	       const struct meta_manifest *) may_wait;
/* Or not, since upstream failed like this? */
bool is_useless(struct mirror *, const struct mirror_target *,
		const struct meta_manifest *, const struct err *why) may_wait;

/*
 * Nobody is there, or what is said is no answer: 5xx, a page of HTML, bytes of
 * another digest. Then nothing is to be had there, blobs neither.
 */
bool is_down(const struct err *why);

/*
 * What a failure of upstream means to our client: engines stop for good at a
 * 401 or 403, so whatever upstream does not let us have is unknown. That its
 * bytes are wrong is no damage here.
 */
int flight_refused(struct err *, enum err_kind unknown);
/* ERR_TIMEOUT: it has not come for so long. */
int flight_late(const struct flight_plan *, int64_t waited_ms, struct err *);
/* The same once `deadline_ms` has passed; 0 before. */
int flight_in_time(const struct flight_plan *, int64_t deadline_ms,
		   struct err *) must_check;
