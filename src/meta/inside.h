/*
 * meta/inside.h: what the verbs share. Not for other rooms.
 */
#pragma once
#include "base/thread.h"
#include "meta/db.h"
#include "meta/meta.h"

/* ------------------------------------------------------------- reading */

/*
 * A connection for reading, with nobody else on it: of the few that there
 * are, preferably the one that this thread had before.
 */
struct reader {
	pthread_mutex_t lock;
	struct db *db; /* opened by its first use */
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

struct writer;

/* Takes the connection. */
struct writer *writer_open(struct db *);
/* What is queued is done first. */
void writer_close(struct writer **);
int writer_run(struct writer *, verb_run, void *arg, struct err *)
	may_wait must_check;

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

/* Links a blob, or touches the link that is there. */
int link_make(struct db *, int64_t repository, const struct digest *,
	      struct err *) must_check;
/* 1: touched; 0: there is no such link; -1. */
int link_renew(struct db *, int64_t repository, const struct digest *,
	       struct err *) must_check;

/* As meta_blob_peek and meta_blob_find. */
int blob_seen(struct db *, const struct repository *, const struct digest *,
	      struct meta_blob *out, struct err *) must_check;
int blob_find(struct db *, const struct digest *, struct meta_blob *out,
	      struct err *) must_check;

/* 1: its number; 0: there is no such manifest; -1. */
int manifest_find(struct db *, int64_t repository, const struct digest *,
		  int64_t *id_out, struct err *) must_check;
/* Points the tag at the manifest, as of now. */
int tag_point(struct db *, int64_t repository, const struct tag *,
	      int64_t manifest, struct err *) must_check;

int session_end(struct db *, uint64_t id, struct err *) must_check;

/* ERR_BLOB_UNKNOWN, about that blob. */
int blob_unknown(const struct digest *, struct err *);
