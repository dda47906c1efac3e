/*
 * meta/meta.h: what is where, and who names it. The database is the truth.
 *
 * Some thirty verbs, each one transaction; no SQL above this line and no
 * transaction handle outside of it. Verbs named *_peek only read, from one of
 * a few connections, and never wait for a writer: a reactor may call them.
 * What was committed through this handle they see at once, what another
 * process did within a second. Verbs that change something go through the one
 * writer, which commits many of them together, and return when their
 * transaction is durable.
 *
 * Unless a verb says otherwise it fails with ERR_IO, ERR_NO_SPACE, ERR_CORRUPT
 * or ERR_BUSY (another process held the database for 10 s) only, and then
 * nothing is changed for whoever reads; what a failing disk took in may still
 * come true after a crash. What verbs write out is valid only after a 0.
 */
#pragma once
#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "meta/instance.h"
#include "meta/lists.h"
#include "meta/rules.h"
#include "oci/manifest.h"
#include "oci/name.h"

struct meta;

/*
 * Opens or makes the database file `path`, and brings its schema up to date.
 * ERR_USAGE: a network file system, a place that cannot be written, or a
 * schema newer than this program. ERR_CORRUPT: not, or no longer, a database.
 */
int meta_open(const char *path, struct meta **out, struct err *)
	may_wait must_check;
void meta_close(struct meta **);
DEFINE_AUTO(meta, meta_close)

/* ---------------------------------------------------------- repositories */

/*
 * Was a manifest ever pushed to the local repository of that name? Then the
 * name is taken for good, also after its last tag went.
 */
int meta_repository_peek(struct meta *, const struct name *local,
			 bool *taken_out, struct err *) must_check;

/* One page of a list of names, in the order of their bytes. */
struct meta_page {
	const char *after; /* only names behind it; null: from the first */
	size_t limit;
	struct arena *arena; /* has room for `limit` pointers */

	const char **names; /* in the arena */
	size_t count;
	bool more; /* there is a page behind this one */
};

/*
 * The names that are taken: local ones for upstream "", else those of an
 * upstream of which a manifest is or was cached.
 */
int meta_repositories_peek(struct meta *, const char *upstream,
			   struct meta_page *, struct err *) must_check;

/* ----------------------------------------------------------------- blobs */

/* What is known to be wrong with a blob's file, until another arrives. */
enum meta_damage {
	DAMAGE_NONE,
	DAMAGE_BYTES, /* it has others, or cannot be read: nobody gets it */
	DAMAGE_LOST   /* it was not there, but may come back */
};

struct meta_blob {
	uint64_t id;  /* incarnation; 0: not here */
	int64_t size; /* bytes; of the descriptor while not here */
	enum meta_damage damage;
	/* Only meta_blob_peek. Before a client is told "it is here", the link
	   has to be touched if it is stale: the repository is local, no
	   manifest names it, and it was touched in an earlier epoch. And
	   before a push may rely on it, unless it is promised: to several
	   clients, in this epoch. */
	bool stale;
	bool promised;
};

/*
 * A blob as `repository` may see it: linked there, or named by a manifest
 * there. ERR_BLOB_UNKNOWN if neither. A local repository sees only what is
 * linked; an upstream one also what its cached manifests name, with id 0
 * until it arrives. Null: as some local repository sees it.
 */
int meta_blob_peek(struct meta *, const struct repository *,
		   const struct digest *, struct meta_blob *out, struct err *)
	must_check;

/* The blob wherever it is; for writers, not for answers. ERR_BLOB_UNKNOWN. */
int meta_blob_find(struct meta *, const struct digest *, struct meta_blob *out,
		   struct err *) may_wait must_check;

/*
 * The end of an arrival: makes the row (digest, id) or keeps the one that is
 * there, and links it to the repository. `winner_out` is the row that stands
 * after. If it is the caller's, session `id` has ended. Otherwise the caller's
 * file is superfluous, and the session stands until the caller ends it: no
 * file of a session is ever swept.
 *
 * If the caller then finds that the winner's file is missing or short, it
 * comes again and says so: the row takes the arrived incarnation, unless
 * someone else has mended it, and all who link the blob have it again.
 */
struct meta_arrival {
	struct repository repository;
	struct digest digest;
	uint64_t id;
	int64_t size;	  /* bytes */
	uint64_t missing; /* incarnation without a file; 0: none known */
};
int meta_blob_put(struct meta *, const struct meta_arrival *,
		  struct meta_blob *winner_out, struct err *)
	may_wait must_check;

/* ----------------------------------------------------------------- links */

/*
 * Links the blob to `to` if `from` (null: some local repository) sees it and
 * it is here. ERR_BLOB_UNKNOWN. It is promised there, so that no sweep takes
 * it before a manifest can name it.
 */
int meta_link_mount(struct meta *, const struct repository *from,
		    const struct repository *to, const struct digest *,
		    struct err *) may_wait must_check;

/*
 * Links a blob that is here to an upstream repository, after upstream itself
 * said that it has it there. ERR_BLOB_UNKNOWN if it is not here.
 */
int meta_link_put(struct meta *, const struct repository *,
		  const struct digest *, struct err *) may_wait must_check;

/*
 * Promises the blob to one more client, which keeps the link from sweeps for
 * now. ERR_BLOB_UNKNOWN if it is gone.
 */
int meta_link_touch(struct meta *, const struct repository *,
		    const struct digest *, struct err *) may_wait must_check;

/* ERR_BLOB_UNKNOWN; ERR_IN_USE while a manifest of that repository names it. */
int meta_link_drop(struct meta *, const struct repository *,
		   const struct digest *, struct err *) may_wait must_check;

/* ------------------------------------------------------------- manifests */

struct meta_manifest {
	struct digest digest;
	struct span media_type; /* in the arena */
	struct span bytes;	/* in the arena */
	int64_t checked;	/* wall clock, s: when the tag was
				   pushed, or last confirmed upstream;
				   0 by digest */
	uint64_t use;		/* for meta_use */
	bool lacks;		/* it is an upstream's, and of what it names
				   so much is not here that nobody can pull it:
				   a blob of an image, each image of an index */
};

/* By tag or by digest. ERR_MANIFEST_UNKNOWN. */
int meta_manifest_peek(struct meta *, const struct repository *,
		       const struct reference *, struct arena *,
		       struct meta_manifest *out, struct err *) must_check;

/*
 * RFC 9110, section 13.1: may the change happen while the reference means
 * `now` (null: nothing)? Asked within its transaction, perhaps on another
 * thread, while the caller waits.
 */
struct meta_guard {
	bool (*allows)(const void *arg, const struct digest *now);
	const void *arg;
};

/* All but `manifest` is only read. */
struct meta_put {
	const struct repository *repository;
	struct manifest *manifest;
	const struct reference *reference; /* its digest, or the tag for it */
	const struct tag *tags;		   /* more of them */
	size_t tag_count;
	bool accept_missing;		/* take it though blobs are missing */
	const struct meta_guard *guard; /* of the reference; may be null */
};

/*
 * Stores the manifest and what it names, and points the tags at it. In a local
 * repository it sets `missing` in each descriptor of what is not here, and
 * keeps what is. An image of which a blob is missing that is not foreign is
 * ERR_MANIFEST_BLOB_UNKNOWN unless it is accepted; of an index all may be
 * missing. ERR_SIZE_INVALID if something is here and has another size than its
 * descriptor; ERR_PRECONDITION. In an upstream repository everything may be
 * missing, and the tags are confirmed as of now.
 */
int meta_manifest_put(struct meta *, const struct meta_put *, struct err *)
	may_wait must_check;

/*
 * Drops the manifest and every tag that points at it; touches the links that
 * it releases. `guard` may be null. ERR_MANIFEST_UNKNOWN, ERR_PRECONDITION.
 */
int meta_manifest_drop(struct meta *, const struct repository *,
		       const struct digest *, const struct meta_guard *,
		       struct err *) may_wait must_check;

/*
 * The manifests whose subject is `subject`, which need not be here; none if
 * there is no such repository. Adds their descriptors to `out` as JSON, with
 * commas between, in the order in which they were put: one, and then as many
 * as fit into `room` bytes of `out`.
 */
struct meta_referrers {
	struct digest subject;
	const struct span
		*types;	   /* only those of one of these artifact types */
	size_t type_count; /* 0: all */
	size_t room;
	int64_t after; /* the place of the last one: 0, and then as it was
			  left by the page before */
	size_t count;  /* how many were added */
	bool more;
};
int meta_referrers_peek(struct meta *, const struct repository *,
			struct meta_referrers *, struct buf *out, struct err *)
	must_check;
/* The same for one of another list; sets `more` if it has no place left. */
void meta_referrer_add(struct meta_referrers *, int64_t place,
		       struct span artifact_type, struct span descriptor,
		       struct buf *out);

/* ----------------------------------------------------------------- stamps */

/*
 * What may go because nobody asked for it has its age in registry time: the
 * seconds that the registry has run in all its life. It advances by
 * meta_epoch_run only, so no clock of the host can make anything old.
 *
 * Stamped with it are manifests and tags when they are put, and when somebody
 * pulls them: an index then with all that it names.
 */

/* Somebody was given this `use` of a manifest. Never waits. */
void meta_use(struct meta *, uint64_t use);

/* Stamps what was noted since the last time. A loss of power may take it. */
int meta_use_flush(struct meta *, struct err *) may_wait must_check;

/* ------------------------------------------------------------------ tags */

/*
 * Drops the tag and keeps the manifest. `guard` may be null.
 * ERR_MANIFEST_UNKNOWN, ERR_PRECONDITION.
 */
int meta_tag_drop(struct meta *, const struct repository *, const struct tag *,
		  const struct meta_guard *, struct err *) may_wait must_check;

/*
 * Upstream says that `tag` is `digest` as of now. ERR_MANIFEST_UNKNOWN if
 * that manifest is not here.
 */
int meta_tag_confirm(struct meta *, const struct repository *,
		     const struct tag *, const struct digest *, struct err *)
	may_wait must_check;

/* ERR_NAME_UNKNOWN if no manifest was ever put there. */
int meta_tags_peek(struct meta *, const struct repository *, struct meta_page *,
		   struct err *) must_check;

/* -------------------------------------------------------------- sessions */

/*
 * A session is one arrival under way: an upload, or a fetch from upstream.
 * Its id is never used again and becomes the blob's incarnation.
 */
struct meta_session {
	uint64_t id;
	char key[33]; /* 32 hexadecimal digits, random */
	struct repository repository;
	bool is_fetch;
	struct digest digest; /* of a fetch */
	int64_t size;	      /* of a fetch; -1 unknown */
};

/*
 * Makes a session; fills in `id` and `key`. It outlives this process at once,
 * a loss of power only once something else was written behind it.
 */
int meta_session_put(struct meta *, struct meta_session *, struct err *)
	may_wait must_check;

/*
 * The upload `key` in `repository`, kept from sweeps for now (a write, once an
 * epoch). ERR_UPLOAD_UNKNOWN.
 */
int meta_session_find(struct meta *, const struct repository *, struct span key,
		      struct meta_session *out, struct err *)
	may_wait must_check;

/* The fetch of `digest` that a restart left behind, from the upstream of that
   repository; likewise kept from sweeps. ERR_BLOB_UNKNOWN. */
int meta_session_find_fetch(struct meta *, const struct repository *,
			    const struct digest *, struct meta_session *out,
			    struct err *) may_wait must_check;

/* Keeps them from sweeps for now; fine if they are gone. */
int meta_session_touch(struct meta *, const uint64_t *ids, size_t count,
		       struct err *) may_wait must_check;

/* Ends them; fine if they are gone. */
int meta_session_drop(struct meta *, const uint64_t *ids, size_t count,
		      struct err *) may_wait must_check;

/* For the start: is there such a session, and which are there at all? */
int meta_session_exists(struct meta *, uint64_t id, bool *out, struct err *)
	may_wait must_check;

/* The next sessions behind `after` (0: from the first), ascending. */
struct meta_sessions {
	uint64_t ids[256];
	size_t count; /* 0: there are no more */
};
int meta_session_list(struct meta *, uint64_t after, struct meta_sessions *out,
		      struct err *) may_wait must_check;

/* -------------------------------------------------------------- sweeping */

/*
 * Time, as far as it decides what may go. An epoch lasts a grace period, and
 * only while the registry runs; what is used is touched with its number.
 */
struct meta_epoch {
	int64_t number;
	int64_t uptime_ms; /* of it, so far */
	int64_t ran_s;	   /* registry time: of all its life, seconds */
};

/*
 * Adds `ran_ms` to the epoch, and to registry time; when the epoch has lasted
 * `length_ms`, the next one begins. A loss of power may take some of it.
 */
int meta_epoch_run(struct meta *, int64_t ran_ms, int64_t length_ms,
		   struct meta_epoch *out, struct err *) may_wait must_check;

/* What was touched in earlier epochs than these may go. */
struct meta_horizon {
	int64_t promised; /* sessions; links that a client may still rely on */
	int64_t released; /* links that manifests had named and let go */
};

/*
 * Three kinds of rows go: sessions nobody came back to; links that no
 * manifest of their repository names; blobs that no repository links, and no
 * manifest of an upstream's repository names.
 */
enum meta_kind { META_SESSIONS, META_LINKS, META_BLOBS };

struct meta_dead {
	uint64_t id;		      /* of a session, of a blob */
	struct repository repository; /* of a session, of a link */
	int64_t repository_id;	      /* its number */
	bool has_digest; /* always, but for the session of an upload */
	struct digest digest;
	int64_t size; /* of a blob, bytes */
};

/*
 * A walk over one kind, begun with `kind` and `horizon` set and all else 0.
 * Each look goes on from where the last one ended, a few milliseconds, and adds
 * to the page what may go, until it is full; `more` says whether there is
 * anything behind it.
 */
#define META_PAGE 1024
struct meta_sweep {
	enum meta_kind kind;
	struct meta_horizon horizon;
	struct meta_dead dead[META_PAGE];
	size_t count;
	bool more;
	struct meta_dead last; /* that was looked at */
	uint64_t waiting;      /* blobs, so far, that no manifest names and */
	int64_t waiting_bytes; /* that are too young to go */
};
int meta_sweep_look(struct meta *, struct meta_sweep *, struct err *)
	may_wait must_check;

/*
 * Removes what is on the page and still may go; only that stays on the page.
 * Of sessions and blobs that is durable, so files may be removed afterwards. If
 * it fails, some may be gone, whose files a later sweep finds. The next page
 * begins with `count` 0.
 */
int meta_sweep_take(struct meta *, struct meta_sweep *, struct err *)
	may_wait must_check;

/* -------------------------------------------------------------- evicting */

/* Bytes of the blobs that no local repository links: those are cached. */
int meta_cached_peek(struct meta *, int64_t *bytes_out, struct err *)
	must_check;

#define META_EVICTED 8
struct meta_evicted {
	uint64_t id;
	struct digest digest;
	int64_t size; /* bytes */
};

/*
 * Cached images go, the least recently used first, until `wanted` bytes are
 * free; the last one as well goes whole. An image goes with its tags, and with
 * each of its blobs that no local repository links and no other cached image
 * names; an index with all it names and that was not used since. One call does
 * a page of it; then the files of `blobs` may be removed, and while there is
 * `more` to do the same struct is brought again, with what is still wanted.
 */
struct meta_evict {
	int64_t wanted; /* bytes; else begun with 0 */
	struct meta_evicted blobs[META_EVICTED];
	size_t count;
	size_t manifests; /* how many went */
	int64_t freed;	  /* bytes */
	bool more;
	bool midway, goes_on; /* in an image; now, and before */
};
int meta_evict(struct meta *, struct meta_evict *, struct err *)
	may_wait must_check;

/* ----------------------------------------------------------- incarnations */

/*
 * Is there such a blob, or a session that may become it? If not, there never
 * will be. Of what is spared (see meta_snapshot_spare) it is said to be there.
 */
int meta_incarnation_exists(struct meta *, const struct digest *, uint64_t id,
			    bool *out, struct err *) may_wait must_check;

/* The same of many: only those that there are not stay at `at`. */
struct meta_incarnation {
	struct digest digest;
	uint64_t id;
	int64_t size; /* of its file, bytes; the caller's */
};
int meta_incarnations_lost(struct meta *, struct meta_incarnation *at,
			   size_t *count, struct err *) may_wait must_check;

/* -------------------------------------------------------------- verifying */

/* The sizes of all blobs, in bytes. */
int meta_copy_total(struct meta *, int64_t *out, struct err *)
	may_wait must_check;

/* How many rows say that they are damaged. */
struct meta_damaged {
	int64_t blobs;
	int64_t manifests;
};
int meta_damaged(struct meta *, struct meta_damaged *out, struct err *)
	may_wait must_check;

/* A blob's row, for whoever reads its file back. */
struct meta_copy {
	struct digest digest;
	struct meta_blob blob;
};

/*
 * The next blob behind the digest `after` (null: the first). Its id is 0 if
 * there are no more.
 */
int meta_copy_next(struct meta *, const struct digest *after,
		   struct meta_copy *out, struct err *) may_wait must_check;

/*
 * Who loses by it if a blob is damaged. ERR_BLOB_UNKNOWN: that incarnation is
 * not here any more.
 */
struct meta_losers {
	uint64_t count;		 /* local repositories that link it */
	struct repository first; /* of them */
};
int meta_copy_losers(struct meta *, const struct meta_copy *,
		     struct meta_losers *out, struct err *) may_wait must_check;

/*
 * The same, and its file is damaged, as `blob.damage` says. If a local
 * repository links it, the row says so from now on, until the blob arrives
 * again; without losers, row and links go, and so may the file.
 */
int meta_copy_condemn(struct meta *, const struct meta_copy *,
		      struct meta_losers *out, struct err *)
	may_wait must_check;
/*
 * It is sound after all. Fine if it is not here any more; if something else was
 * found to be wrong with it than `blob.damage` says, that stays.
 */
int meta_copy_absolve(struct meta *, const struct meta_copy *, struct err *)
	may_wait must_check;

/* A manifest as it is stored. */
struct meta_leaf {
	int64_t place; /* in the order of these; 0: there are no more */
	struct repository repository;
	struct digest digest;
	struct span bytes; /* in the arena */
	bool damaged;	   /* that is known */
};
/* The next one behind `after` (0: the first). */
int meta_leaf_next(struct meta *, int64_t after, struct arena *,
		   struct meta_leaf *out, struct err *) may_wait must_check;

/*
 * The bytes do not match the digest. In a local repository nobody gets them
 * any more, until the manifest is put again; in an upstream one the manifest
 * goes, with its tags. Fine if it is another one by now.
 */
int meta_leaf_condemn(struct meta *, const struct meta_leaf *, struct err *)
	may_wait must_check;

/*
 * The next blob behind `after` (null: the first) that an image of a local
 * repository names, and has to have, and that its repository lacks.
 */
int meta_leaf_lacks(struct meta *, const struct meta_leaf *,
		    const struct digest *after, struct digest *out,
		    bool *found_out, struct err *) may_wait must_check;

/* How far the quiet rounds over all files have come. */
struct meta_round {
	int64_t waited_ms; /* uptime since the last one ended */
	bool under_way;
	struct digest last; /* that was read back */
};
int meta_round_read(struct meta *, struct meta_round *out, struct err *)
	may_wait must_check;
/* A loss of power may take it. */
int meta_round_note(struct meta *, const struct meta_round *, struct err *)
	may_wait must_check;

/* -------------------------------------------------------------- snapshots */

/*
 * The database of one moment, in a file of its own that nobody else has. It
 * holds what was pushed; what is only cached, and arrivals under way, are not
 * in it. The file is whole and durable only once it was closed and synced.
 */
struct meta_snapshot;

/*
 * Writes it to `path`, in small pieces; nobody waits for it. `go_on` is asked
 * after each piece; false: ERR_CLOSED. ERR_CORRUPT: something is wrong with
 * the structure of the database.
 */
int meta_snapshot_make(struct meta *, const char *path,
		       bool (*go_on)(void *arg), void *arg,
		       struct meta_snapshot **out, struct err *)
	may_wait must_check;
/*
 * The one in `path`, brought up to the schema of this program. ERR_USAGE: it
 * is newer. ERR_CORRUPT.
 */
int meta_snapshot_open(const char *path, struct meta_snapshot **out,
		       struct err *) may_wait must_check;
void meta_snapshot_close(struct meta_snapshot **) may_wait;
DEFINE_AUTO(meta_snapshot, meta_snapshot_close)

/* All its blobs. */
struct meta_extent {
	uint64_t blobs;
	int64_t bytes;
};
int meta_snapshot_extent(struct meta_snapshot *, struct meta_extent *out,
			 struct err *) may_wait must_check;
/* Calls `visit` for each blob, by digest; a -1 of it ends the walk. */
typedef int (*meta_copy_visit)(const struct meta_copy *, void *arg,
			       struct err *);
int meta_snapshot_each(struct meta_snapshot *, meta_copy_visit, void *arg,
		       struct err *) may_wait must_check;
/* Has it exactly that incarnation? */
int meta_snapshot_has(struct meta_snapshot *, const struct digest *,
		      uint64_t id, bool *out, struct err *) may_wait must_check;
/*
 * It is going to lie over files that may be newer, up to incarnation `newest`:
 * those that it does not know are spared by sweeps for one to two epochs, and
 * no number is given out twice.
 */
int meta_snapshot_spare(struct meta_snapshot *, uint64_t newest, struct err *)
	may_wait must_check;
