/*
 * store/store.h: keeping bytes. The only room that changes files and database
 * both; what it acknowledges is durable.
 *
 * The database is the truth and a file follows it. Everything that arrives,
 * pushed or fetched, is an `incoming`: a growing local file with a session of
 * its own. A commit verifies it, makes file and name durable, then runs one
 * transaction; a crash in between leaves a file that nothing names, never a
 * row without its file.
 *
 * Layout of the data directory:
 *	registry.db		the database
 *	registry.db.lost	what a restore found in its place
 *	lock			held by the one process that serves
 *	ballast			room that a start on a full disk may take, or
 *				the end of a commit that found no room
 *	incoming/<id>		arrivals under way
 *	blobs/sha256/ab/<digest>.<id>
 *	quarantine/		damaged files, for whoever wants to look
 */
#pragma once
#include "base/growing.h"
#include "blob/store.h"
#include "meta/meta.h"

struct store;

/*
 * Opens the data directory, which is made if it is not there, and takes its
 * lock. ERR_LOCKED if another process has it; ERR_USAGE if it cannot be used
 * (read-only, a network file system, a newer schema); ERR_CORRUPT if the
 * database is damaged, or is missing where there are blobs.
 */
int store_open(const char *data, struct store **out, struct err *)
	may_wait must_check;

/* The same over given parts, for tests and other backends; owns them. */
int store_open_with(const char *data, struct meta *, struct blob_store *,
		    struct store **out, struct err *) may_wait must_check;

/* Whatever is still arriving stays resumable. */
void store_close(struct store **);
DEFINE_AUTO(store, store_close)

/* Can something be written now? ERR_NO_SPACE, ERR_IO. For /readyz. */
int store_check(struct store *, struct err *) may_wait must_check;

/* On a full disk: gives away what was kept for a start on one. */
void store_make_room(struct store *) may_wait;

/* What is known without a change: peeks are called on this directly. */
struct meta *store_meta(struct store *);

/* ----------------------------------------------------------------- blobs */

/*
 * A blob for reading. ERR_BLOB_UNKNOWN: that repository does not have it.
 * ERR_NOT_HERE: it has it, but the bytes are not here (`out->size` is set),
 * or the link has to be touched first: ask store_pull_blob on a worker.
 */
int store_peek_blob(struct store *, const struct repository *,
		    const struct digest *, struct blob_place *out, struct err *)
	must_check;

/* The same, and may wait. ERR_NOT_HERE only if the bytes are not here. */
int store_pull_blob(struct store *, const struct repository *,
		    const struct digest *, struct blob_place *out, struct err *)
	may_wait must_check;

/*
 * The size of a blob for an answer that a push may rely on. As
 * store_peek_blob; ERR_NOT_HERE also if that has to be noted first, by
 * store_promise on a worker.
 */
int store_peek_size(struct store *, const struct repository *,
		    const struct digest *, int64_t *size_out, struct err *)
	must_check;

/*
 * Keeps a blob of a local repository until a manifest names it, for one epoch
 * at least. ERR_BLOB_UNKNOWN if it is not there any more; what could not be
 * noted is no error.
 */
int store_promise(struct store *, const struct repository *,
		  const struct digest *, struct err *) may_wait must_check;

/* As meta_link_mount, if its bytes are not lost. */
int store_mount(struct store *, const struct repository *from,
		const struct repository *to, const struct digest *,
		struct err *) may_wait must_check;
/* As meta_link_drop. */
int store_unlink(struct store *, const struct repository *,
		 const struct digest *, struct err *) may_wait must_check;

/* -------------------------------------------------------------- manifests */

/* As meta_manifest_put. The manifest was parsed by manifest_parse. */
int store_put_manifest(struct store *, const struct meta_put *, struct err *)
	may_wait must_check;
/* Drops a tag, or a manifest with all its tags; `guard` may be null. */
int store_drop_manifest(struct store *, const struct repository *,
			const struct reference *, const struct meta_guard *,
			struct err *) may_wait must_check;

/* --------------------------------------------------------------- arriving */

struct incoming;

/* A new upload into `repository`. */
int incoming_open_upload(struct store *, const struct repository *,
			 struct incoming **out, struct err *)
	may_wait must_check;

/*
 * The upload `key` goes on, after a request or a restart: what is in the file
 * is hashed again if need be. Only one holder at a time: ERR_CONFLICT.
 * ERR_UPLOAD_UNKNOWN.
 */
int incoming_resume_upload(struct store *, const struct repository *,
			   struct span key, struct incoming **out, struct err *)
	may_wait must_check;

/*
 * A fetch of `digest` for an upstream repository; goes on where a restart
 * stopped one from the same upstream. `size` in bytes, or -1: more than that
 * is ERR_CORRUPT. The caller makes sure that there is only one at a time from
 * each upstream. ERR_NO_SPACE: neither is there room for it nor can any be
 * made.
 */
int incoming_open_fetch(struct store *, const struct repository *,
			const struct digest *, int64_t size,
			struct incoming **out, struct err *)
	may_wait must_check;

/*
 * How much of the upload `key` is here, in bytes; also while somebody is at
 * it. ERR_UPLOAD_UNKNOWN.
 */
int store_upload_length(struct store *, const struct repository *,
			struct span key, int64_t *length_out, struct err *)
	may_wait must_check;

/*
 * It will be committed to a digest of this algorithm, so that it is hashed
 * with that while it comes: until this is said, an upload with sha256. A
 * commit to another one, or an upload that a restart interrupted, reads the
 * file once more.
 */
void incoming_expect(struct incoming *, enum digest_algorithm) may_wait;

const char *incoming_key(const struct incoming *);
/* Bytes so far: where the next write goes. */
int64_t incoming_length(const struct incoming *);

/*
 * Adds bytes at the end. ERR_NO_SPACE: nothing of it counts, and it may go on
 * once there is room. ERR_IO: it can only be dropped.
 */
int incoming_write(struct incoming *, struct span, struct err *)
	may_wait must_check;

/*
 * Takes back what was written behind `length`. Uploads only: nobody reads
 * along. After a failure it can only be dropped.
 */
int incoming_cut(struct incoming *, int64_t length, struct err *)
	may_wait must_check;

/*
 * Upstream begins anew from the first byte. Fetches only. Readers are already
 * following, so the file stays as it is: bytes that are here are passed over
 * (incoming_length counts them again from 0), and what comes behind them is
 * added. Whether both fit together is for the digest to say.
 */
int incoming_restart(struct incoming *, struct err *) must_check;

/* The disk has failed under it: what was written before may not count. */
bool incoming_is_broken(const struct incoming *);

/*
 * A fetch can be read while it grows; borrowed. The last 64 KiB are held back
 * until the commit has verified the whole, so that no reader ever has all of
 * a wrong blob.
 */
struct growing *incoming_growing(struct incoming *);

/*
 * Verifies against `digest` and keeps the blob, linked to its repository;
 * when it returns 0 everything is durable. (Only a fetch that is larger than
 * all that may be cached is not kept: who follows it has it all.) On
 * ERR_DIGEST_INVALID (upload) or ERR_CORRUPT (fetch) and on every other failure
 * it is dropped: nothing of it stays. Ends `*incoming` in every case.
 */
int incoming_commit(struct incoming **, const struct digest *, struct err *)
	may_wait must_check;

/*
 * Leaves it for a later request, or for after a restart; one whose disk
 * failed, and a fetch of which nothing came, is dropped. Who follows a fetch
 * sees it break.
 */
void incoming_leave(struct incoming **) may_wait;
/* Throws it away. */
void incoming_drop(struct incoming **) may_wait;
DEFINE_AUTO(incoming, incoming_leave)

/* ---------------------------------------------------------------- caching */

/*
 * How much of upstreams' content is kept; what was pushed is not counted, and
 * never goes for it. Above the limit, and where the disk is fuller than it
 * should be, cached images go, the least recently used first.
 */
struct store_cache {
	int64_t limit;	   /* bytes; 0: none */
	int64_t keep_free; /* bytes of the disk, but no more than a tenth */
};
/* From now on; without it there are no limits. May be said again. */
void store_cache(struct store *, const struct store_cache *) may_wait;
/* Bytes; 0: none. */
int64_t store_cache_limit(const struct store *);

/* ---------------------------------------------------------------- keeping */

/* Something that no rule keeps; `why` says so, and which rules were asked. */
struct store_gone {
	const struct repository *repository;
	const struct tag *tag; /* null: it is a manifest */
	const struct digest *digest;
	const char *why;
};

struct store_keep {
	const struct keep_rule *rules;
	size_t count;
	bool dry;					    /* only tell */
	void (*tell)(const struct store_gone *, void *arg); /* or null */
	void *arg;
};

struct store_kept {
	uint64_t tags; /* that went, or would go */
	uint64_t manifests;
};

/*
 * Removes what these rules do not keep, as docs/keeping.md says; pushes and
 * pulls go on meanwhile. ERR_CLOSED: the store is closing; `out` then says how
 * far it came.
 */
int store_keep(struct store *, const struct store_keep *,
	       struct store_kept *out, struct err *) may_wait must_check;

/* From now on, whoever collects in the background does so by these, too. They
   are copied. For one thread at a time. */
void store_rules(struct store *, const struct keep_rule *, size_t count);

/* ------------------------------------------------------------- collecting */

/* Something that goes, or would go, and how large it is. */
struct store_dead {
	enum {
		DEAD_UPLOAD, /* nobody came back to it */
		DEAD_FETCH,  /* likewise */
		DEAD_LINK,   /* no manifest of the repository names the blob */
		DEAD_BLOB,   /* no repository has it any more */
		DEAD_FILE    /* neither a blob nor an arrival */
	} kind;
	const struct repository *repository; /* of all but blobs and files */
	const struct digest *digest; /* null: an upload, or one's file */
	const char *arrival;	     /* of a file that is no blob's: its name */
	int64_t size;		     /* bytes on the disk; of a link 0 */
};

struct store_sweep {
	int64_t grace_ms; /* how long an epoch lasts */

	/*
	 * How long ago the last manifest that named a blob has to be gone:
	 * less than `grace_ms`, if that shall not be waited for. What a client
	 * was promised since is not hurried by it, nor are uploads.
	 */
	int64_t released_ms;

	bool dry;					    /* only tell */
	void (*tell)(const struct store_dead *, void *arg); /* or null */
	void *arg;
};

struct store_count {
	uint64_t number;
	int64_t bytes;
};

struct store_swept {
	struct store_count arrivals; /* uploads and fetches */
	struct store_count links;
	struct store_count blobs;
	struct store_count files;
	struct store_count waiting; /* blobs that no manifest names, and that
				       are too young to go */
};

/*
 * Removes what nobody needs any more: abandoned arrivals, blobs that no
 * manifest names, files that nothing knows. Pushes and pulls go on meanwhile
 * and are never broken by it, whatever `released_ms` says: what a client was
 * told is here stays until a manifest names it or for one to two epochs.
 * ERR_CLOSED: the store is closing; `out` then says how far it came.
 */
int store_sweep(struct store *, const struct store_sweep *,
		struct store_swept *out, struct err *) may_wait must_check;

/* Ends the sweep under way, soon, and lets no other begin: ERR_CLOSED. */
void store_stop_sweeps(struct store *);

/*
 * From now on, until the store closes, this is done quietly in the
 * background, with epochs of `grace_ms` (at least 1 s); called again, with
 * others.
 */
void store_collect(struct store *, int64_t grace_ms);

/* -------------------------------------------------------------- verifying */

/* Something that is not as it should be. */
struct store_finding {
	enum {
		FOUND_SOUND, /* the best news: it was damaged, and is not */

		/* A blob's file: */
		FOUND_BYTES,	  /* does not match its digest */
		FOUND_SIZE,	  /* has another size */
		FOUND_UNREADABLE, /* the disk fails to read it */
		FOUND_MISSING,
		FOUND_WAITING,	 /* was damaged earlier, and waits for a push */
		FOUND_UNCHECKED, /* could not be opened; nobody knows */

		FOUND_MANIFEST, /* does not match its digest */
		FOUND_LACKING,	/* named, but its repository does not have it */
		FOUND_FILE,	/* nothing knows it */
		FOUND_KINDS
	} kind;
	const struct digest *digest; /* null: of a file that is no blob's */
	/* Of a blob: the first local repository that has it, and how many more
	   do; null: it is only cached. */
	const struct repository *repository;
	uint64_t others;
	const struct digest *manifest; /* FOUND_LACKING: that names it */
	const char *path; /* FOUND_FILE: below the data directory */
	const char *why;  /* FOUND_UNCHECKED: what was in the way */
	int64_t size;	  /* bytes, of files */
};

struct store_verify {
	int64_t rate; /* at most so many bytes a second; 0: as fast as it can;
			 -1: as of store_scrub */
	bool dry;     /* only tell */
	void (*tell)(const struct store_finding *, void *arg); /* or null */
	/* How far it has come; false ends it: ERR_CLOSED. Or null. */
	bool (*progress)(int64_t bytes, int64_t all, void *arg);
	void *arg;
};

struct store_verified {
	struct store_count blobs; /* that were read back */
	uint64_t manifests;
	uint64_t found[FOUND_KINDS];
};

static inline uint64_t store_findings(const struct store_verified *verified)
{
	uint64_t sum = 0;

	for (int kind = FOUND_SOUND + 1; kind < FOUND_KINDS; kind++)
		sum += verified->found[kind];
	return sum;
}

/*
 * Reads everything back from the disk, past the page cache, and looks whether
 * it is what its digest says, whether all is there that local images name,
 * and what else lies around.
 *
 * A damaged blob that is only cached is dropped: the next pull fetches it. One
 * that was pushed is set aside, its row says that it is damaged, and whoever
 * asks for it is told that it is unknown, until it arrives again, from
 * anywhere: then all who had it have it again. Manifests likewise.
 * ERR_CLOSED: the store is closing.
 */
int store_verify(struct store *, const struct store_verify *,
		 struct store_verified *out, struct err *) may_wait must_check;

/*
 * From now on, until the store closes: all that is done quietly every
 * `every_ms` of uptime (0: never), going on where a restart stopped it, and
 * what is suspected is looked at. May be called again with other numbers, by
 * one thread.
 */
struct store_scrub {
	int64_t every_ms;
	int64_t rate; /* bytes a second; 0: as fast as it can, with rests */
};
void store_scrub(struct store *, const struct store_scrub *);

/* Ends the verifying under way, soon, and lets no other begin: ERR_CLOSED. */
void store_stop_verify(struct store *);

/*
 * Something was wrong with the file of that blob: it is looked at soon. Never
 * waits; too many at once are forgotten.
 */
void store_suspect(struct store *, const struct digest *);

/* ---------------------------------------------------------------- backups */

/*
 * A backup is a directory like a data directory: registry.db, and the blobs
 * that it names under blobs/. It holds what was pushed and acknowledged; what
 * is only cached can be fetched again. The file "backup" in it says what it
 * is, and is locked by whoever is at it.
 */
struct store_copying {
	/* So many bytes of `all` are there. False ends it: ERR_CLOSED. */
	bool (*progress)(int64_t bytes, int64_t all, void *arg);
	void *arg;
};

struct store_copied {
	struct store_count blobs;	     /* that are there now */
	struct store_count added[BLOB_WAYS]; /* of these, by this call */
	struct store_count removed;	     /* that are no longer needed */
	struct store_count lost; /* named, and nowhere to be found */
};

/*
 * Brings the backup in `directory` (absolute) up to date, or makes it, while
 * everything else goes on. Until it is complete, the one before stays whole;
 * when it ends early, what it has copied need not be copied again.
 *
 * ERR_USAGE: the directory is within the data directory, or has something else
 * in it. ERR_BUSY: somebody is at it. ERR_CLOSED. ERR_CORRUPT: the structure
 * of the database is damaged, and nothing was changed; or all is there but
 * what `lost` counts.
 */
int store_backup(struct store *, const char *directory,
		 const struct store_copying *, struct store_copied *out,
		 struct err *) may_wait must_check;

struct store_restore {
	const char *backup;
	const char *data;
	/*
	 * The data directory lost its database, and has its files: these stay
	 * and are used. What is newer than the backup is known to nobody then,
	 * and spared by sweeps for one to two epochs. The database that is
	 * there, if any, is set aside as registry.db.lost.
	 */
	bool over;
	struct store_copying copying;
};

/*
 * Makes a data directory out of a backup, which stays independent of it. When
 * it ends early, it can be done again, and a start refuses what is there.
 *
 * ERR_USAGE: it is no backup, or one of a newer program; the data directory is
 * not empty. ERR_LOCKED: a process has it. ERR_CORRUPT: as of store_backup.
 */
int store_restore(const struct store_restore *, struct store_copied *out,
		  struct err *) may_wait must_check;
