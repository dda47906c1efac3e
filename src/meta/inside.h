/*
 * meta/inside.h: what the verbs share. Not for other rooms.
 */
#pragma once
#include "base/buf.h"
#include "base/thread.h"
#include "meta/db.h"
#include "meta/meta.h"

/* manifest.media_type of those that may name whatever there is not. */
#define INDEX_TYPES                                    \
	" ('application/vnd.oci.image.index.v1+json'," \
	"  'application/vnd.docker.distribution.manifest.list.v2+json')"

/* -------------------------------------------------- what was read lately */

#define RECENT_PLACES 64

/* Repository and what is asked for in it. */
struct recent_key {
	size_t len;
	char at[sizeof(struct repository_text) + sizeof(struct reference_text)];
};

struct recent_key recent_key(const struct repository *, struct span what);

struct recent {
	uint64_t commits; /* writer_commits then */
	int64_t until_ms; /* clock_ms */
	struct {
		struct buf key; /* empty: nothing is here */
		struct buf value;
	} places[RECENT_PLACES];
};

/* Forgets all if there were other commits, or a second has passed. */
void recent_renew(struct recent *, uint64_t commits);
void recent_free(struct recent *);

/* The value, valid while the reader is held; or SPAN_NONE. */
struct span recent_find(const struct recent *, const struct recent_key *);
/* An empty buffer, to be filled with the value now. */
struct buf *recent_keep(struct recent *, const struct recent_key *);

/* ------------------------------------------------------------- reading */

/*
 * A connection for reading, with nobody else on it: of the few that there
 * are, preferably the one that this thread had before.
 */
struct reader {
	pthread_mutex_t lock;
	struct db *db; /* opened by its first use */
	struct recent recent;
};

/* Null and an error if it cannot be opened. */
struct reader *reader_take(struct meta *, struct err *);
void reader_give(struct reader **);
DEFINE_AUTO(reader, reader_give)

/* ------------------------------------------------------------- writing */

/*
 * The body of a write verb: runs on the writer's thread, inside of a
 * transaction, and may be run again. On -1 nothing of it stays.
 */
typedef int (*verb_run)(struct db *, void *arg, struct err *);

/* Runs it and waits until it is durable. `arg` may live on the stack. */
int meta_write(struct meta *, verb_run, void *arg, struct err *)
	may_wait must_check;
/*
 * The same for what nobody is told to be kept: it waits for no disk, and a
 * loss of power may take it, until something else was written durably.
 */
int meta_write_soon(struct meta *, verb_run, void *arg, struct err *)
	may_wait must_check;

struct writer;

/* Takes the connection. */
struct writer *writer_open(struct db *);
/* What is queued is done first. */
void writer_close(struct writer **);
int writer_run(struct writer *, enum db_promise, verb_run, void *arg,
	       struct err *) may_wait must_check;
/* How many were tried so far; those whose verbs have returned are counted. */
uint64_t writer_commits(const struct writer *);

/* ------------------------------------------------------------- numbers */

/* Numbers that were set aside, durably, and not yet given out. */
struct ids {
	pthread_mutex_t lock; /* guards both */
	uint64_t next;
	uint64_t end;
};

struct ids *meta_ids(struct meta *);
/* One that was never given out before, nor will be. */
int id_take(struct meta *, uint64_t *out, struct err *) may_wait must_check;

/* --------------------------------------------------------------- stamps */

/* Now, as stamps have it. */
#define REGISTRY_TIME "(SELECT ran_ms / 1000 FROM state)"
#define REGISTRY_MS "(SELECT ran_ms FROM state)"

#define NOTES 8192

/* Uses that are not written yet, each in the place of its hash or soon behind;
   0 is none. Whoever looks on may find one here that is just being written. */
struct notes {
	_Atomic uint64_t at[NOTES];
};

struct notes *meta_notes(struct meta *);

/* Is it noted, and not written yet? */
bool use_noted(struct meta *, uint64_t use);

/* A manifest came, perhaps once more. */
int stamp_put(struct db *, const struct repository *, int64_t manifest,
	      struct err *) must_check;
/* It was pulled, and with it everything that it names: so many, or -1. */
int stamp_use(struct db *, int64_t manifest, struct err *) must_check;

/* ---------------------------------------------------------- the database */

/* Of its file. */
const char *meta_path(const struct meta *);

/* Up to what this program knows. ERR_USAGE: it is newer. */
int schema_update(struct db *, struct err *) may_wait must_check;

/* -------------------------------------------------------------- values */

/* A digest as the database has it: a byte for the algorithm, its bytes. */
struct digest_row {
	size_t len;
	char at[1 + sizeof(((struct digest *)0)->bytes)];
};

struct digest_row digest_row(const struct digest *);
int digest_from_row(struct span, struct digest *out, struct err *) must_check;

static inline struct db_value db_digest(const struct digest_row *row)
{
	return db_bytes(span_make(row->at, row->len));
}

/* --------------------------------------------- steps that verbs are made of */

/* 1: its number; 0: there is no such repository; -1. */
int repository_find(struct db *, const struct repository *, int64_t *id_out,
		    struct err *) must_check;
/* The same, and makes it if need be: 0 or -1. */
int repository_need(struct db *, const struct repository *, int64_t *id_out,
		    struct err *) must_check;

/* Links a blob, or touches the link that is there: it is promised. */
int link_make(struct db *, int64_t repository, const struct digest *,
	      struct err *) must_check;
/* A manifest names it now. 1: touched; 0: there is no such link; -1. */
int link_settle(struct db *, int64_t repository, const struct digest *,
		struct err *) must_check;

/* As meta_blob_peek and meta_blob_find. */
int blob_seen(struct db *, const struct repository *, const struct digest *,
	      struct meta_blob *out, struct err *) must_check;
int blob_find(struct db *, const struct digest *, struct meta_blob *out,
	      struct err *) must_check;

/* 1: its number; 0: there is no such manifest; -1. */
int manifest_find(struct db *, int64_t repository, const struct digest *,
		  int64_t *id_out, struct err *) must_check;
/* Drops it, with its tags, and touches the links that it releases. */
int manifest_remove(struct db *, int64_t repository, int64_t id, struct err *)
	must_check;
/* Points the tag at the manifest, as of now. */
int tag_point(struct db *, int64_t repository, const struct tag *,
	      int64_t manifest, struct err *) must_check;

/* ERR_PRECONDITION if the guard, which may be null, does not allow it. */
int guard_check(struct db *, int64_t repository, const struct reference *,
		const struct meta_guard *, struct err *) must_check;

/* Lists a manifest, which has a subject, under it. */
int referrer_put(struct db *, int64_t repository, int64_t id,
		 const struct manifest *, struct err *) must_check;
/* The same for all that were put before there was a list. */
int referrers_fill(struct db *, struct err *) may_wait must_check;

/* Reads rows of names, one more than the page's limit at most. */
int names_read(struct rows *, struct meta_page *, struct err *) must_check;

/* A tag, and the number of its repository. */
struct tag_place {
	const struct repository *repository;
	int64_t id;
	const struct tag *tag;
};
/* ERR_DENIED if the tag is immutable and points at another manifest, which is
   to become this one, or none (0). */
int rules_check_move(struct db *, const struct tag_place *, int64_t manifest,
		     struct err *) must_check;
/* ERR_DENIED if an immutable tag points at the manifest, or at an index that
   names it. */
int rules_check_tags(struct db *, const struct repository *, int64_t manifest,
		     struct err *) must_check;
/* 1: the tag of that name is immutable; 0: it is not; -1. */
int tag_is_immutable(struct db *, const struct repository *, const char *tag,
		     struct err *) must_check;

/* As meta_room_peek: before something is linked, or a manifest added. */
int quota_check(struct db *, const struct repository *, const struct digest *,
		int64_t size, struct err *) must_check;
/* A repository is new. */
int quota_join(struct db *, const struct repository *, int64_t id, struct err *)
	must_check;
int quotas_set(struct db *, const struct meta_rules *, struct err *) must_check;

int session_end(struct db *, uint64_t id, struct err *) must_check;

/* ERR_BLOB_UNKNOWN, about that blob. */
int blob_unknown(const struct digest *, struct err *);
