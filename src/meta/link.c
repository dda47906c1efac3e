/*
 * Links: which repository has which blob. Every way to promise a client that
 * a blob is there is noted at its link, so that no sweep takes it before a
 * manifest can name it. When one does, the promise is kept, if it was the only
 * one: of several clients it may have been any.
 */
#include "meta/inside.h"

#define EPOCH "(SELECT epoch FROM state)"

/* What was promised before the last epoch is forgotten. */
#define ONE_MORE                                  \
	" promised = CASE WHEN link.promised = 0" \
	"  OR link.promised_in < " EPOCH " - 1"   \
	"  THEN 1 ELSE 2 END,"                    \
	" promised_in = " EPOCH

int link_make(struct db *db, int64_t repository, const struct digest *digest,
	      struct err *e)
{
	struct digest_row key = digest_row(digest);

	return db_do(db,
		     "INSERT INTO link"
		     " (digest, repository, touched, promised, promised_in)"
		     " VALUES ($1, $2, " EPOCH ", 1, " EPOCH ")"
		     " ON CONFLICT (digest, repository)"
		     " DO UPDATE SET touched = excluded.touched," ONE_MORE,
		     DB_ARGS(db_digest(&key), db_number(repository)), e);
}

int link_settle(struct db *db, int64_t repository, const struct digest *digest,
		struct err *e)
{
	struct digest_row key = digest_row(digest);

	return (int)db_change(db,
			      "UPDATE link SET touched = " EPOCH ","
			      " promised = CASE WHEN promised = 1 THEN 0"
			      "  ELSE promised END"
			      " WHERE digest = $1 AND repository = $2",
			      DB_ARGS(db_digest(&key), db_number(repository)),
			      e);
}

struct link_verb {
	const struct repository *repository;
	const struct repository *from; /* of a mount */
	const struct digest *digest;
};

/* ----------------------------------------------------------------- mount */

static int link_mount(struct db *db, void *arg, struct err *e)
{
	const struct link_verb *verb = arg;
	struct meta_blob blob;
	int64_t to;

	if (blob_seen(db, verb->from, verb->digest, &blob, e) < 0)
		return -1;
	if (blob.id == 0)
		return blob_unknown(verb->digest, e);
	if (repository_need(db, verb->repository, &to, e) < 0 ||
	    quota_check(db, verb->repository, verb->digest, blob.size, e) < 0)
		return -1;
	return link_make(db, to, verb->digest, e);
}

int meta_link_mount(struct meta *meta, const struct repository *from,
		    const struct repository *to, const struct digest *digest,
		    struct err *e)
{
	struct link_verb verb = { to, from, digest };

	return meta_write(meta, link_mount, &verb, e);
}

/* ------------------------------------------------------------------- put */

static int link_put(struct db *db, void *arg, struct err *e)
{
	const struct link_verb *verb = arg;
	struct meta_blob blob;
	int64_t to;

	if (blob_find(db, verb->digest, &blob, e) < 0)
		return -1;
	if (repository_need(db, verb->repository, &to, e) < 0)
		return -1;
	return link_make(db, to, verb->digest, e);
}

int meta_link_put(struct meta *meta, const struct repository *repository,
		  const struct digest *digest, struct err *e)
{
	struct link_verb verb = { repository, NULL, digest };

	return meta_write(meta, link_put, &verb, e);
}

/* ----------------------------------------------------------------- touch */

static int link_promise(struct db *db, int64_t repository,
			const struct digest *digest, struct err *e)
{
	struct digest_row key = digest_row(digest);

	return (int)db_change(db,
			      "UPDATE link SET touched = " EPOCH "," ONE_MORE
			      " WHERE digest = $1 AND repository = $2",
			      DB_ARGS(db_digest(&key), db_number(repository)),
			      e);
}

static int link_touch(struct db *db, void *arg, struct err *e)
{
	const struct link_verb *verb = arg;
	int64_t id;
	int found = repository_find(db, verb->repository, &id, e);

	if (found == 1)
		found = link_promise(db, id, verb->digest, e);
	if (found == 0)
		return blob_unknown(verb->digest, e);
	return found < 0 ? -1 : 0;
}

int meta_link_touch(struct meta *meta, const struct repository *repository,
		    const struct digest *digest, struct err *e)
{
	struct link_verb verb = { repository, NULL, digest };

	return meta_write(meta, link_touch, &verb, e);
}

/* ------------------------------------------------------------------ drop */

static int link_named(struct db *db, int64_t repository,
		      const struct digest_row *digest, struct err *e)
{
	auto_rows struct rows row;

	return db_find(db,
		       "SELECT 1 FROM named WHERE digest = $1"
		       " AND repository = $2 LIMIT 1",
		       DB_ARGS(db_digest(digest), db_number(repository)), &row,
		       e);
}

static int link_drop(struct db *db, void *arg, struct err *e)
{
	const struct link_verb *verb = arg;
	struct digest_row digest = digest_row(verb->digest);
	int64_t id;
	int found = repository_find(db, verb->repository, &id, e);

	if (found <= 0)
		return found < 0 ? -1 : blob_unknown(verb->digest, e);

	int64_t gone = db_change(db,
				 "DELETE FROM link"
				 " WHERE digest = $1 AND repository = $2",
				 DB_ARGS(db_digest(&digest), db_number(id)), e);
	if (gone <= 0)
		return gone < 0 ? -1 : blob_unknown(verb->digest, e);

	int named = link_named(db, id, &digest, e);
	if (named == 1)
		return err_set(e, ERR_IN_USE,
			       "a manifest of %s names the blob: that has to "
			       "be deleted first",
			       repository_text(verb->repository).s);
	return named;
}

int meta_link_drop(struct meta *meta, const struct repository *repository,
		   const struct digest *digest, struct err *e)
{
	struct link_verb verb = { repository, NULL, digest };

	return meta_write(meta, link_drop, &verb, e);
}
