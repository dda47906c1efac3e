/*
 * upstream/upstream.h: talking to one other registry. distribution-spec,
 * "Pull", and the token flow of its authentication.
 *
 * Names of repositories are sent to the configured addresses only. Credentials
 * go to the host that they were configured for, and to a token realm on the
 * same host or registrable domain; never to a realm elsewhere (which is asked
 * anonymously), never along a redirect that leaves the address.
 *
 * Errors of all verbs: ERR_MANIFEST_UNKNOWN or ERR_BLOB_UNKNOWN (upstream
 * answered 404), ERR_DENIED (401, 403 in the end), ERR_BUSY (429, and without a
 * question, but for blobs, for as long as that said), ERR_LOOP (508),
 * ERR_UNAVAILABLE (502, 503, 504, or nobody is there), ERR_UPSTREAM (anything
 * else that is not an answer), ERR_TIMEOUT, ERR_CLOSED (upstream_abort). Except
 * for a blob's transfer, each ends within `answer_ms`.
 */
#pragma once
#include "base/arena.h"
#include "base/attr.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "oci/manifest.h"
#include "oci/name.h"

struct upstream;

struct upstream_credential {
	const char *username;
	const char *password_file; /* read at each use; first line */
};

/*
 * Of several credentials that with the largest budget left is used, then the
 * next, and anonymous requests in the end.
 */
struct upstream_options {
	const char *name;	 /* "docker.io" */
	const char *pseudonym;	 /* ours in Via, or null: none is sent */
	const char *const *urls; /* tried in order; no path */
	size_t url_count;
	const char *ca;		 /* these four as of struct client_options; */
	const char *certificate; /* it is shown where passwords may be told */
	const char *key;
	const char *proxy;
	const struct upstream_credential *credentials;
	size_t credential_count; /* 0: anonymous */

	/* How long to wait; 0 is the default. */
	int64_t silence_ms; /* no byte: the connection broke; 10 s */
	int64_t pace_ms;    /* nor at less than 1 KB/s for so long; 30 s */
	int64_t answer_ms;  /* a whole answer, a blob's first byte; 9 s */
	int64_t give_up_ms; /* a transfer without progress; 15 s */
};

/* Copies the options. Dials nothing. ERR_USAGE. */
int upstream_open(const struct upstream_options *, struct upstream **out,
		  struct err *) may_wait must_check;
/*
 * Before it is asked for the first time: it goes on with what the one before
 * it knows, budgets, tokens, pauses and health, if that has the same name,
 * urls and credentials.
 */
void upstream_succeed(struct upstream *, const struct upstream *before);
/* One more reference to it. */
struct upstream *upstream_keep(struct upstream *);
/* Gives back a reference; with the last one, no call may be under way. */
void upstream_close(struct upstream **);
DEFINE_AUTO(upstream, upstream_close)

/*
 * Makes every call that is under way, and every later one, fail at once with
 * ERR_CLOSED. For a process that is about to end; any thread may call it.
 */
void upstream_abort(struct upstream *);

/* What may still be asked, of all credentials together. */
struct upstream_budget {
	int64_t limit; /* requests; 0: upstream does not say */
	int64_t left;
	int64_t window_s;  /* in so many seconds; 0: not said */
	int64_t paused_ms; /* until manifests and lists are asked for again */
};
void upstream_budget(const struct upstream *, struct upstream_budget *out);

/* Whether it answers. That it has not what was asked for is an answer, too. */
struct upstream_health {
	int64_t answered_ms; /* ago; -1: never */
	int64_t failed_ms;   /* likewise; 401, 403 and 429 are failures */
	char why[sizeof(((struct err *)0)->message)];
};
void upstream_health(struct upstream *, struct upstream_health *out);

/*
 * How long a tag is to be believed that is believed for `ms` while there is
 * plenty: longer when less than half of the budget is left. Never waits.
 */
int64_t upstream_lifetime(const struct upstream *, int64_t ms);

/* What is asked about, why, and on whose behalf. */
struct upstream_question {
	const struct name *name; /* the repository */
	const char *reason;	 /* for the log: "miss" */
	const char *via;  /* Via of the request that caused it, or null */
	int64_t until_ms; /* clock_ms: no answer is of use after that; 0: as
			     answer_ms says */
};

/* Which digest has that tag now? One HEAD (a GET where HEAD has no digest). */
int upstream_head_manifest(struct upstream *, const struct upstream_question *,
			   const struct reference *, struct digest *out,
			   struct err *) may_wait must_check;

/*
 * The manifest, at most MANIFEST_MAX bytes (ERR_UPSTREAM), in the arena. Its
 * bytes are checked against the digest that was asked for, or that upstream
 * says a tag has: ERR_CORRUPT.
 */
struct upstream_manifest {
	struct span media_type; /* without parameters; SPAN_NONE: not said */
	struct span bytes;
};
int upstream_get_manifest(struct upstream *, const struct upstream_question *,
			  const struct reference *, struct arena *,
			  struct upstream_manifest *out, struct err *)
	may_wait must_check;

/*
 * Whether the blob is there, and its size (-1 if upstream does not say). One
 * HEAD.
 */
int upstream_head_blob(struct upstream *, const struct upstream_question *,
		       const struct digest *, int64_t *size_out, struct err *)
	may_wait must_check;

/*
 * All tags of the repository, as the lines of oci/listing.h, sorted; however
 * many pages they come in. ERR_NAME_UNKNOWN. May take five minutes.
 */
int upstream_list_tags(struct upstream *, const struct upstream_question *,
		       struct buf *lines, struct err *) may_wait must_check;

/*
 * All that refers to the subject, which need not be there, likewise, in
 * upstream's order. ERR_UNSUPPORTED: it has no such list; then an index under
 * a tag may say it.
 */
int upstream_list_referrers(struct upstream *, const struct upstream_question *,
			    const struct digest *subject, struct buf *lines,
			    struct err *) may_wait must_check;

/*
 * Where a blob's bytes go. `start` is called before the first byte with the
 * size of the whole blob (-1: unknown), once; `restart` when upstream does not
 * resume and the bytes begin again from 0; `write` with each piece in order.
 * A -1 of any of them ends the transfer with that error.
 */
struct upstream_sink {
	int (*start)(void *arg, int64_t size, struct err *);
	int (*restart)(void *arg, struct err *);
	int (*write)(void *arg, struct span, struct err *);
	void *arg;
};

/* What is wanted of a blob. */
struct upstream_blob {
	const struct digest *digest;
	int64_t size;	/* of all of it, bytes; -1: not known */
	int64_t offset; /* of the first byte that is wanted */
	int64_t end;	/* of the last one, plus 1; 0: to the blob's end */
};

/*
 * Fetches those bytes. A broken transfer resumes by Range, at the next address
 * if need be, with a new token if need be, as long as there is progress: a
 * byte that the sink never had. After `give_up_ms` without any it gives up, or
 * when a minute (twice `pace_ms`, without the time that the sink took) brought
 * less than 1 KB/s, however often it broke; before the first byte, after
 * `answer_ms` or when each address has refused (said no, or failed twice). Does
 * not verify the digest.
 */
int upstream_get_blob(struct upstream *, const struct upstream_question *,
		      const struct upstream_blob *,
		      const struct upstream_sink *, struct err *)
	may_wait must_check;
