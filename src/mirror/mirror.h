/*
 * mirror/mirror.h: which repository a name means, and getting what it holds.
 *
 * A repository is local, then it has what was pushed; or it is an upstream's,
 * then it has what came from there and what can be fetched. The callers above
 * need not know which: peeks answer from what is here, pulls go and get it.
 *
 * One flight per blob of an upstream, and per manifest: whoever asks for what
 * is already on its way joins. A flight belongs to the mirror and outlives
 * whoever asked.
 */
#pragma once
#include "base/growing.h"
#include "base/ip.h"
#include "base/metrics.h"
#include "store/store.h"
#include "upstream/upstream.h"

struct mirror;

struct mirror_upstream {
	const char *name;
	struct upstream *upstream;
};

/*
 * Everything in it is borrowed, and outlives the mirror, which keeps a
 * reference to each upstream.
 */
struct mirror_options {
	struct store *store;
	const struct mirror_upstream *upstreams;
	size_t upstream_count;
	const char *pseudonym; /* ours in Via; null: no loop is noticed */
};

/* Of base/glob.h. */
struct mirror_patterns {
	char *const *at;
	size_t count;
};

/* Some of those who ask. */
struct mirror_reader {
	const char *certificate; /* a name in it; null: whoever is in `network`
				  */
	struct ip_network network;
};

/* Who asks, for rules that depend on it; null: the registry itself. */
struct mirror_asker {
	bool (*is)(const void *arg, const struct mirror_reader *);
	const void *arg;
};

struct mirror_upstream_rules {
	int64_t tag_lifetime_ms;
	bool passes_not_found; /* a tag that upstream has no more is forgotten,
				  and not served on */
	int64_t not_found_lifetime_ms;
	struct mirror_patterns allow; /* of repositories there; none: all */
	struct mirror_patterns deny;
	const struct mirror_reader *readers;
	size_t reader_count;		  /* 0: everybody */
	const struct platform *platforms; /* that are fetched ahead */
	size_t platform_count;		  /* 0: those that a client fetches */
};

/*
 * What may change while the mirror runs. Each question brings the rules that
 * hold for it, and they outlive what comes of it.
 */
struct mirror_rules {
	const char *default_upstream; /* "" is nowhere */
	int64_t patience_ms;
	struct mirror_patterns local;	 /* names that are never upstream's */
	struct mirror_patterns reserved; /* to which nothing is pushed */
	const struct mirror_upstream_rules *upstreams; /* in their order */
};

struct mirror *mirror_open(const struct mirror_options *);

/*
 * From now on this one is asked in place of the one at `index`; what is under
 * way goes on as it began. Keeps a reference.
 */
void mirror_replace(struct mirror *, size_t index, struct upstream *);

/*
 * Breaks off what is in flight, which stays resumable; whoever waits for it,
 * or asks from now on, hears ERR_CLOSED. Does not wait.
 */
void mirror_stop(struct mirror *);
/* The same, and releases everything. Nobody may be asking. */
void mirror_close(struct mirror **) may_wait;

/* ----------------------------------------------------------------- names */

struct mirror_question {
	const struct mirror_rules *rules;
	struct span name;	   /* as it stands in the path */
	struct span ns;		   /* of ?ns=, or SPAN_NONE */
	struct span host;	   /* our own name, as the client knows it */
	struct span bound;	   /* the upstream that the door or the path is
				      bound to, or SPAN_NONE */
	const char *via;	   /* Via of the request, or null */
	const struct digest *blob; /* what is asked for, or null */
	bool push;		   /* something is to be changed */
	bool looks;		   /* what it leads to is not sent */
	const struct mirror_asker *asker;
};

struct mirror_target {
	const struct mirror_rules *rules; /* the question's */
	struct repository repository;
	const char *via;  /* the question's */
	bool bare;	  /* nothing said which registry is meant */
	bool looks;	  /* the question's */
	int64_t asked_ms; /* since when a client waits (clock_ms); 0: from the
			     call on */
};

/*
 * Explicit forms name an upstream: `bound`, `ns`, or a first component that
 * looks like a host; our own name says nothing in either place. Upstreams are
 * looked up, never dialled by their name: ERR_NAME_UNKNOWN if it is not
 * configured, if `ns` contradicts `bound`, or if the policy of the upstream
 * withholds it. A bare name is local once a manifest was pushed under it (or,
 * for a blob, once that was), or if the rules say that it always is, even with
 * a host in front that is no upstream's; otherwise the default upstream's. A
 * push makes local repositories only: ERR_DENIED for names that mean an
 * upstream, that are reserved, and for library/… unless that is always local.
 * ERR_NAME_INVALID. Never waits.
 */
int mirror_resolve(struct mirror *, const struct mirror_question *,
		   struct mirror_target *out, struct err *) must_check;

/*
 * What the bare name of a push means as long as nothing was pushed under it.
 * ERR_NAME_UNKNOWN: nothing.
 */
int mirror_resolve_before(struct mirror *, const struct mirror_question *,
			  struct mirror_target *out, struct err *) must_check;

/*
 * Whom a pull of that repository may have to wait for: its upstream, counted
 * from 1 in the order of the options; 0: nobody, it is local.
 */
unsigned mirror_whom(const struct mirror *, const struct repository *);

/*
 * The same for a question about a registry as a whole, which has no name: the
 * upstream's, or "" for what is local. Static. ERR_NAME_UNKNOWN.
 */
int mirror_resolve_registry(struct mirror *, const struct mirror_question *,
			    const char **upstream_out, struct err *) must_check;
/* Is that repository of it, "library/nginx", there for whoever asks? */
bool mirror_may_list(const struct mirror *, const struct mirror_question *,
		     const char *upstream, const char *name);

/* ----------------------------------------------------------------- blobs */

struct blob_view {
	int fd;			 /* owned, or -1 when it grows */
	struct growing *growing; /* one reference, or null */
	bool passing;		 /* neither: the bytes come by pull_pass */
	int64_t size;		 /* bytes; -1: unknown */
};

/* Releases what the view still owns. */
void blob_view_close(struct blob_view *);

/*
 * ERR_NOT_HERE: ask pull_blob, on a worker.
 * ERR_BLOB_UNKNOWN. What still grows is not counted as joined before the caller
 * has decided to wait for it.
 */
int pull_peek_blob(struct mirror *, const struct mirror_target *,
		   const struct digest *, struct blob_view *out, struct err *)
	must_check;

/*
 * Only the size, for an answer that a push may rely on. ERR_NOT_HERE: ask
 * pull_blob_size, on a worker. ERR_BLOB_UNKNOWN.
 */
int pull_peek_blob_size(struct mirror *, const struct mirror_target *,
			const struct digest *, int64_t *size_out, struct err *)
	must_check;

/*
 * Joins or starts the transfer; returns as soon as its first bytes are here,
 * within 10 s after the client asked. ERR_BLOB_UNKNOWN, ERR_UPSTREAM,
 * ERR_UNAVAILABLE, ERR_TIMEOUT, ERR_BUSY; never what an engine would stop at.
 */
int pull_blob(struct mirror *, const struct mirror_target *,
	      const struct digest *, struct blob_view *out, struct err *)
	may_wait must_check;

/*
 * A part of a blob that is on its way, which begins at `start`: is that so far
 * ahead of what has come that it is better asked for by itself? Never waits.
 */
bool pull_is_far(struct mirror *, const struct mirror_target *,
		 const struct digest *, int64_t start);

/*
 * Takes one of the few places for such parts, to be used with pull_pass and
 * then given back. Null: none is free, or it is not far any more; then the
 * part is waited for. Never wait.
 */
struct flight;
struct flight *pull_detour(struct mirror *, const struct mirror_target *,
			   const struct digest *, int64_t start);
void pull_detour_end(struct flight **);

/*
 * Takes one of its upstream's places for what there is no room for, before
 * pull_pass: each holds a thread for as long as its client takes to read. To be
 * given back. ERR_BUSY: none is free. Never wait.
 */
int pull_pass_begin(struct mirror *, const struct mirror_target *, struct err *)
	must_check;
void pull_pass_end(struct mirror *, const struct mirror_target *);

/*
 * For what is not read from a file: `write` is given the blob's bytes as they
 * come from upstream: those from `start` on, `length` of them or with -1 all.
 * What it waits for, upstream waits for. A -1 of `write` ends it.
 *
 * Where there is no room for the blob, its last 64 KiB are only given when its
 * digest matched: ERR_CORRUPT. On a detour nothing is verified.
 */
struct mirror_pass {
	const struct repository *repository;
	const struct flight *detour; /* or null */
	int64_t size;		     /* of the view */
	int64_t start;
	int64_t length;
	int (*write)(void *arg, struct span, struct err *);
	void *arg;
};
int pull_pass(struct mirror *, const struct digest *,
	      const struct mirror_pass *, struct err *) may_wait must_check;

/*
 * Only the size, -1 if it cannot be known without the bytes; moves none. A
 * bare name that is unknown here is not asked for upstream: that is how a push
 * of a private name begins.
 */
int pull_blob_size(struct mirror *, const struct mirror_target *,
		   const struct digest *, int64_t *size_out, struct err *)
	may_wait must_check;

/* -------------------------------------------------------------- manifests */

struct manifest_view {
	struct digest digest;
	struct span media_type; /* in the arena, as is `bytes` */
	struct span bytes;
	struct span warning; /* why it may be old; or SPAN_NONE */
};

/*
 * ERR_NOT_HERE: not here, a tag past its lifetime, or nothing of what it names
 * is here and upstream was not heard of for `patience_ms`: ask pull_manifest,
 * on a worker. If it is here, `out->bytes` says so, and that takes no longer
 * than `patience_ms`. ERR_MANIFEST_UNKNOWN.
 */
int pull_peek_manifest(struct mirror *, const struct mirror_target *,
		       const struct reference *, struct arena *,
		       struct manifest_view *out, struct err *) must_check;

/*
 * A tag past its lifetime is asked for by HEAD, and fetched only when it
 * moved. When upstream does not answer within `patience_ms` (at once, if it did
 * not the last time), or refuses, what is here is served, with a warning. But
 * while upstream cannot be reached, or is broken, nobody who would then pull it
 * is given a manifest whose blobs are not here: ERR_MANIFEST_UNKNOWN. Errors as
 * of pull_blob.
 */
int pull_manifest(struct mirror *, const struct mirror_target *,
		  const struct reference *, struct arena *,
		  struct manifest_view *out, struct err *) may_wait must_check;

/* ------------------------------------------------------------------ lists */

/* Begins as zero, but for which part of the list is wanted: see `list`. */
struct list_view {
	struct span lines;     /* of oci/listing.h, until the close */
	struct meta_list list; /* which of them they are, and where, if the list
				  was here */
	struct flight *flight; /* or else, with all of them, or null */
	struct span warning;   /* why it may be old, in the arena; SPAN_NONE */
};
void list_view_close(struct list_view *);

/*
 * A list of an upstream's repository: of its tags, or, with a subject, of what
 * refers to that. ERR_NOT_HERE: not here, or past the lifetime of a tag: ask
 * pull_list, on a worker. If it is here, `checked` says so, likewise.
 */
int pull_peek_list(struct mirror *, const struct mirror_target *,
		   const struct digest *subject, struct list_view *out,
		   struct err *) must_check;

/*
 * Asks upstream; when that does not answer within `patience_ms`, or refuses,
 * the list that is here is served, with a warning. Without one: ERR_NAME_
 * UNKNOWN, and errors as of pull_blob; what is cached may be listed instead.
 */
int pull_list(struct mirror *, const struct mirror_target *,
	      const struct digest *subject, struct arena *,
	      struct list_view *out, struct err *) may_wait must_check;

/* Of what is here, another part that is wanted now. ERR_NOT_FOUND. */
int pull_list_part(struct mirror *, const struct mirror_target *,
		   const struct digest *subject, struct list_view *,
		   struct err *) must_check;

/*
 * A client has that manifest now. If it has come from upstream since nobody had
 * it, what it names starts to come before anybody asks: of an image its config
 * and layers, of an index the platforms that the rules name. Never waits.
 */
void pull_ahead(struct mirror *, const struct mirror_target *,
		const struct digest *);

/*
 * Before the manifest is pushed to the local repository `to`, whose name led to
 * `from` before: what it names, is not in `to`, and could be seen there becomes
 * pushed content, manifests with all they name. What is not here yet is
 * fetched, for five minutes at most: ERR_TIMEOUT, and it goes on coming. Errors
 * as of pull_blob; ERR_DENIED by a quota; ERR_NO_SPACE, also where it is larger
 * than all that may be cached.
 */
int mirror_adopt(struct mirror *, const struct mirror_target *from,
		 const struct repository *to, const struct manifest *,
		 struct err *) may_wait must_check;

/* --------------------------------------------------------------- counters */

/* Of the upstream whose repository it is; nothing, if it is local. */
void mirror_count(struct mirror *, const struct repository *, enum metric_each,
		  int64_t amount);
/* Works out EACH_SAVED, before it is read. */
void mirror_count_saved(struct mirror *);

/* ------------------------------------------------------- looking on */

/* None of these asks an upstream, changes anything, or waits. */

/* Something that comes from an upstream. */
struct mirror_transfer {
	const char *kind; /* "blob"; static */
	struct repository repository;
	struct reference reference;
	int64_t length; /* bytes that are here */
	int64_t size;	/* of all of it, or -1 */
};
/* Fills in `room` of them at most; returns how many there are. */
size_t mirror_transfers(struct mirror *, struct mirror_transfer *out,
			size_t room);

/* An upstream, by its place in the options. */
struct mirror_upstream_state {
	const char *name;
	struct upstream_health health;
	struct upstream_budget budget;
};
size_t mirror_upstream_count(const struct mirror *);
void mirror_upstream_state(struct mirror *, size_t index,
			   struct mirror_upstream_state *out);

/* What pull_manifest would do now. */
struct mirror_prospect {
	enum {
		PROSPECT_UNKNOWN, /* nothing: there is no such manifest here */
		PROSPECT_HERE,	  /* answer, without asking anybody */
		PROSPECT_FRESH,	  /* the same, of a tag within its lifetime */
		PROSPECT_STALE,	  /* ask about the tag */
		PROSPECT_MISS	  /* fetch it */
	} kind;
	struct meta_manifest
		manifest;    /* in the arena; not of _UNKNOWN, _MISS */
	int64_t age_ms;	     /* of a tag: since it was confirmed */
	int64_t lifetime_ms; /* likewise: how long it is believed */
};
int mirror_foresee(struct mirror *, const struct mirror_target *,
		   const struct reference *, struct arena *,
		   struct mirror_prospect *out, struct err *) must_check;
