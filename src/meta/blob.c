/*
 * Blobs that are here, and who sees them. A repository sees what it links; an
 * upstream one also what its cached images name as theirs. What they name as
 * lying elsewhere, or an index names, a registry takes from anybody unseen.
 */
#include "meta/inside.h"

int blob_unknown(const struct digest *digest, struct err *e)
{
	return err_set(e, ERR_BLOB_UNKNOWN, "no blob %s",
		       digest_text(digest).s);
}

/* --------------------------------------------------------------- reading */

/*
 * A link is stale if no manifest of its repository names it and it was not
 * touched in this epoch. What is cached comes again if it was swept.
 */
static int linked_find(struct db *db, const struct repository *repository,
		       const struct digest_row *digest, struct meta_blob *out,
		       struct err *e)
{
	auto_rows struct rows row;
	int found = db_find(
		db,
		"SELECT blob.id, blob.size,"
		" CASE WHEN link.touched < state.epoch"
		" AND repository.upstream = '' AND NOT EXISTS"
		"  (SELECT 1 FROM named WHERE named.digest = link.digest"
		"   AND named.repository = link.repository)"
		" THEN 1 ELSE 0 END,"
		" CASE WHEN repository.upstream <> ''"
		" OR (link.promised = 2 AND link.promised_in = state.epoch)"
		" THEN 1 ELSE 0 END,"
		" blob.damage"
		" FROM repository"
		" JOIN link ON link.repository = repository.id"
		" JOIN blob ON blob.digest = link.digest"
		" CROSS JOIN state"
		" WHERE repository.upstream = $1 AND repository.name = $2"
		" AND link.digest = $3",
		DB_ARGS(db_text(repository->upstream),
			db_text(repository->name.s), db_digest(digest)),
		&row, e);

	if (found == 1)
		*out = (struct meta_blob){
			.id = (uint64_t)row_number(&row, 0),
			.size = row_number(&row, 1),
			.stale = row_number(&row, 2),
			.promised = row_number(&row, 3),
			.damage = (enum meta_damage)row_number(&row, 4),
		};
	return found;
}

static int named_find(struct db *db, const struct repository *repository,
		      const struct digest_row *digest, struct meta_blob *out,
		      struct err *e)
{
	auto_rows struct rows row;
	int found = db_find(
		db,
		"SELECT COALESCE(blob.id, 0), COALESCE(blob.size, named.size),"
		" COALESCE(blob.damage, 0)"
		" FROM repository"
		" JOIN named ON named.repository = repository.id"
		" JOIN manifest ON manifest.id = named.manifest"
		" LEFT JOIN blob ON blob.digest = named.digest"
		" WHERE repository.upstream = $1 AND repository.name = $2"
		" AND named.digest = $3 AND named.kind = 1"
		" AND manifest.media_type NOT IN" INDEX_TYPES " LIMIT 1",
		DB_ARGS(db_text(repository->upstream),
			db_text(repository->name.s), db_digest(digest)),
		&row, e);

	if (found == 1)
		*out = (struct meta_blob){
			.id = (uint64_t)row_number(&row, 0),
			.size = row_number(&row, 1),
			.damage = (enum meta_damage)row_number(&row, 2),
			.promised = true,
		};
	return found;
}

/* What is only cached is not among it. */
static int pushed_find(struct db *db, const struct digest_row *digest,
		       struct meta_blob *out, struct err *e)
{
	auto_rows struct rows row;
	int found = db_find(db,
			    "SELECT blob.id, blob.size, blob.damage"
			    " FROM link"
			    " JOIN repository"
			    " ON repository.id = link.repository"
			    " JOIN blob ON blob.digest = link.digest"
			    " WHERE link.digest = $1"
			    " AND repository.upstream = ''"
			    " LIMIT 1",
			    DB_ARGS(db_digest(digest)), &row, e);

	if (found == 1)
		*out = (struct meta_blob){
			.id = (uint64_t)row_number(&row, 0),
			.size = row_number(&row, 1),
			.damage = (enum meta_damage)row_number(&row, 2),
		};
	return found;
}

int blob_seen(struct db *db, const struct repository *repository,
	      const struct digest *digest, struct meta_blob *out, struct err *e)
{
	struct digest_row row = digest_row(digest);
	int found = repository ? linked_find(db, repository, &row, out, e) :
				 pushed_find(db, &row, out, e);

	if (found == 0 && repository && !repository_is_local(repository))
		found = named_find(db, repository, &row, out, e);
	if (found == 0)
		return blob_unknown(digest, e);
	return found < 0 ? -1 : 0;
}

/* Its first byte is no character, so it is the key of nothing else. */
static struct recent_key blob_key(const struct repository *repository,
				  const struct digest *digest)
{
	struct digest_row row = digest_row(digest);

	return recent_key(repository, span_make(row.at, row.len));
}

/* As blob_seen, or as it was remembered. */
static int blob_recall(struct reader *reader,
		       const struct repository *repository,
		       const struct digest *digest, struct meta_blob *out,
		       struct err *e)
{
	struct recent_key key = blob_key(repository, digest);
	struct span known = recent_find(&reader->recent, &key);

	if (known.at) {
		memcpy(out, known.at, sizeof(*out));
		return 0;
	}
	if (blob_seen(reader->db, repository, digest, out, e) < 0)
		return -1;
	buf_add(recent_keep(&reader->recent, &key),
		span_make((const char *)out, sizeof(*out)));
	return 0;
}

int meta_blob_peek(struct meta *meta, const struct repository *repository,
		   const struct digest *digest, struct meta_blob *out,
		   struct err *e)
{
	auto_of(reader) struct reader *reader = reader_take(meta, e);

	if (!reader)
		return -1;
	if (!repository)
		return blob_seen(reader->db, NULL, digest, out, e);
	return blob_recall(reader, repository, digest, out, e);
}

int blob_find(struct db *db, const struct digest *digest, struct meta_blob *out,
	      struct err *e)
{
	struct digest_row key = digest_row(digest);
	auto_rows struct rows row;
	int found = db_find(db,
			    "SELECT id, size, damage FROM blob"
			    " WHERE digest = $1",
			    DB_ARGS(db_digest(&key)), &row, e);

	if (found < 0)
		return -1;
	if (found == 0)
		return blob_unknown(digest, e);
	*out = (struct meta_blob){
		.id = (uint64_t)row_number(&row, 0),
		.size = row_number(&row, 1),
		.damage = (enum meta_damage)row_number(&row, 2),
	};
	return 0;
}

int meta_blob_find(struct meta *meta, const struct digest *digest,
		   struct meta_blob *out, struct err *e)
{
	thread_may_wait("meta_blob_find");
	auto_of(reader) struct reader *reader = reader_take(meta, e);

	return reader ? blob_find(reader->db, digest, out, e) : -1;
}

/* --------------------------------------------------------------- writing */

struct blob_put {
	const struct meta_arrival *arrival;
	struct meta_blob *winner_out;
};

static int blob_replace(struct db *db, const struct meta_arrival *arrival,
			const struct digest_row *digest, struct err *e)
{
	return db_do(db,
		     "UPDATE blob SET id = $1, size = $2, damage = 0"
		     " WHERE digest = $3 AND id = $4",
		     DB_ARGS(db_number((int64_t)arrival->id),
			     db_number(arrival->size), db_digest(digest),
			     db_number((int64_t)arrival->missing)),
		     e);
}

static int blob_insert(struct db *db, const struct meta_arrival *arrival,
		       const struct digest_row *digest, struct err *e)
{
	return db_do(db,
		     "INSERT INTO blob (id, digest, size) VALUES ($1, $2, $3)"
		     " ON CONFLICT (digest) DO NOTHING",
		     DB_ARGS(db_number((int64_t)arrival->id), db_digest(digest),
			     db_number(arrival->size)),
		     e);
}

static int blob_put(struct db *db, void *arg, struct err *e)
{
	const struct blob_put *put = arg;
	const struct meta_arrival *arrival = put->arrival;
	struct digest_row digest = digest_row(&arrival->digest);
	int64_t repository;

	if (repository_need(db, &arrival->repository, &repository, e) < 0)
		return -1;
	if (arrival->missing && blob_replace(db, arrival, &digest, e) < 0)
		return -1;
	if (blob_insert(db, arrival, &digest, e) < 0)
		return -1;
	if (blob_find(db, &arrival->digest, put->winner_out, e) < 0)
		return -1;
	if (quota_check(db, &arrival->repository, &arrival->digest,
			arrival->size, e) < 0 ||
	    link_make(db, repository, &arrival->digest, e) < 0)
		return -1;
	if (put->winner_out->id != arrival->id)
		return 0;
	return session_end(db, arrival->id, e);
}

int meta_blob_put(struct meta *meta, const struct meta_arrival *arrival,
		  struct meta_blob *winner_out, struct err *e)
{
	struct blob_put put = { arrival, winner_out };

	return meta_write(meta, blob_put, &put, e);
}
