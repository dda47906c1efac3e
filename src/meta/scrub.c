/*
 * Row after row, for whoever looks whether everything is as it should be, and
 * what is known of the damage that was found.
 *
 * Each look is a statement of its own and holds nobody up. What was found by
 * it may be another thing by now: so a row is condemned only if it is still
 * what was looked at.
 */
#include "meta/inside.h"

/* ---------------------------------------------------------------- totals */

/* One number of one row. */
static int number_read(struct db *db, const char *sql, int64_t *out,
		       struct err *e)
{
	auto_rows struct rows row;
	int found = db_find(db, sql, DB_NO_ARGS, &row, e);

	if (found == 1)
		*out = row_number(&row, 0);
	return found < 0 ? -1 : 0;
}

int meta_copy_total(struct meta *meta, int64_t *out, struct err *e)
{
	thread_may_wait("meta_copy_total");
	auto_of(reader) struct reader *reader = reader_take(meta, e);

	return reader ? number_read(reader->db,
				    "SELECT COALESCE(sum(size), 0) FROM blob",
				    out, e) :
			-1;
}

int meta_damaged(struct meta *meta, struct meta_damaged *out, struct err *e)
{
	thread_may_wait("meta_damaged");
	auto_of(reader) struct reader *reader = reader_take(meta, e);

	if (!reader || number_read(reader->db,
				   "SELECT count(*) FROM blob WHERE damage > 0",
				   &out->blobs, e) < 0)
		return -1;
	return number_read(reader->db,
			   "SELECT count(*) FROM manifest WHERE damaged > 0",
			   &out->manifests, e);
}

/* ----------------------------------------------------------------- blobs */

static struct digest_row row_of(const struct digest *digest)
{
	return digest ? digest_row(digest) : (struct digest_row){ 0 };
}

int meta_copy_next(struct meta *meta, const struct digest *after,
		   struct meta_copy *out, struct err *e)
{
	struct digest_row key = row_of(after);

	thread_may_wait("meta_copy_next");
	*out = (struct meta_copy){ 0 };
	auto_of(reader) struct reader *reader = reader_take(meta, e);
	if (!reader)
		return -1;

	auto_rows struct rows row;
	int found = db_find(reader->db,
			    "SELECT digest, id, size, damage FROM blob"
			    " WHERE digest > $1 ORDER BY digest LIMIT 1",
			    DB_ARGS(db_digest(&key)), &row, e);
	if (found <= 0)
		return found;
	out->blob = (struct meta_blob){
		.id = (uint64_t)row_number(&row, 1),
		.size = row_number(&row, 2),
		.damage = (enum meta_damage)row_number(&row, 3),
	};
	return digest_from_row(row_bytes(&row, 0), &out->digest, e);
}

static int losers_read(struct db *db, const struct digest *digest,
		       struct meta_losers *out, struct err *e)
{
	struct digest_row key = digest_row(digest);
	auto_rows struct rows row;
	int found = db_find(db,
			    "SELECT count(*), min(repository.name) FROM link"
			    " JOIN repository"
			    " ON repository.id = link.repository"
			    " WHERE link.digest = $1"
			    " AND repository.upstream = ''",
			    DB_ARGS(db_digest(&key)), &row, e);

	*out = (struct meta_losers){ 0 };
	if (found < 0)
		return -1;
	out->count = (uint64_t)row_number(&row, 0);
	if (out->count > 0 && !span_copy(row_text(&row, 1), out->first.name.s,
					 sizeof(out->first.name.s)))
		return err_set(e, ERR_CORRUPT, "database: not a repository");
	return 0;
}

int meta_copy_losers(struct meta *meta, const struct meta_copy *copy,
		     struct meta_losers *out, struct err *e)
{
	struct meta_blob now;

	thread_may_wait("meta_copy_losers");
	auto_of(reader) struct reader *reader = reader_take(meta, e);
	if (!reader || blob_find(reader->db, &copy->digest, &now, e) < 0)
		return -1;
	if (now.id != copy->blob.id)
		return blob_unknown(&copy->digest, e);
	return losers_read(reader->db, &copy->digest, out, e);
}

/* What somebody else has set aside meanwhile is missing, and damaged still. */
static int64_t damage_note(struct db *db, const struct meta_copy *copy,
			   struct err *e)
{
	struct digest_row digest = digest_row(&copy->digest);

	return db_change(db,
			 "UPDATE blob SET"
			 " damage = CASE damage WHEN 1 THEN 1 ELSE $1 END"
			 " WHERE digest = $2 AND id = $3",
			 DB_ARGS(db_number(copy->blob.damage),
				 db_digest(&digest),
				 db_number((int64_t)copy->blob.id)),
			 e);
}

/* Whoever names it where it is cached finds that it is not here. */
static int copy_forget(struct db *db, const struct meta_copy *copy,
		       struct err *e)
{
	struct digest_row digest = digest_row(&copy->digest);

	if (db_do(db, "DELETE FROM link WHERE digest = $1",
		  DB_ARGS(db_digest(&digest)), e) < 0)
		return -1;
	return db_do(db, "DELETE FROM blob WHERE digest = $1",
		     DB_ARGS(db_digest(&digest)), e);
}

struct condemn {
	const struct meta_copy *copy;
	struct meta_losers *losers_out;
};

static int copy_condemn(struct db *db, void *arg, struct err *e)
{
	const struct condemn *condemn = arg;
	const struct meta_copy *copy = condemn->copy;
	int64_t noted = damage_note(db, copy, e);

	if (noted == 0)
		return blob_unknown(&copy->digest, e);
	if (noted < 0 ||
	    losers_read(db, &copy->digest, condemn->losers_out, e) < 0)
		return -1;
	return condemn->losers_out->count ? 0 : copy_forget(db, copy, e);
}

int meta_copy_condemn(struct meta *meta, const struct meta_copy *copy,
		      struct meta_losers *out, struct err *e)
{
	struct condemn condemn = { copy, out };

	return meta_write(meta, copy_condemn, &condemn, e);
}

static int copy_absolve(struct db *db, void *arg, struct err *e)
{
	const struct meta_copy *copy = arg;
	struct digest_row digest = digest_row(&copy->digest);

	return db_do(db,
		     "UPDATE blob SET damage = 0"
		     " WHERE digest = $1 AND id = $2 AND damage = $3",
		     DB_ARGS(db_digest(&digest),
			     db_number((int64_t)copy->blob.id),
			     db_number(copy->blob.damage)),
		     e);
}

int meta_copy_absolve(struct meta *meta, const struct meta_copy *copy,
		      struct err *e)
{
	struct meta_copy seen = *copy;

	return meta_write(meta, copy_absolve, &seen, e);
}

/* ------------------------------------------------------------- manifests */

static int leaf_read(const struct rows *row, struct arena *arena,
		     struct meta_leaf *out, struct err *e)
{
	out->place = row_number(row, 0);
	out->bytes = arena_copy(arena, row_bytes(row, 4));
	out->damaged = row_number(row, 5) > 0;
	if (!span_copy(row_text(row, 1), out->repository.upstream,
		       sizeof(out->repository.upstream)) ||
	    !span_copy(row_text(row, 2), out->repository.name.s,
		       sizeof(out->repository.name.s)))
		return err_set(e, ERR_CORRUPT, "database: not a repository");
	return digest_from_row(row_bytes(row, 3), &out->digest, e);
}

int meta_leaf_next(struct meta *meta, int64_t after, struct arena *arena,
		   struct meta_leaf *out, struct err *e)
{
	thread_may_wait("meta_leaf_next");
	*out = (struct meta_leaf){ 0 };
	auto_of(reader) struct reader *reader = reader_take(meta, e);
	if (!reader)
		return -1;

	auto_rows struct rows row;
	int found = db_find(reader->db,
			    "SELECT manifest.id, repository.upstream,"
			    " repository.name, manifest.digest,"
			    " manifest.bytes, manifest.damaged"
			    " FROM manifest"
			    " CROSS JOIN repository"
			    " WHERE repository.id = manifest.repository"
			    " AND manifest.id > $1"
			    " ORDER BY manifest.id LIMIT 1",
			    DB_ARGS(db_number(after)), &row, e);
	return found <= 0 ? found : leaf_read(&row, arena, out, e);
}

static int leaf_condemn(struct db *db, void *arg, struct err *e)
{
	const struct meta_leaf *leaf = arg;
	struct db_args args =
		DB_ARGS(db_number(leaf->place), db_bytes(leaf->bytes));

	if (repository_is_local(&leaf->repository))
		return db_do(db,
			     "UPDATE manifest SET damaged = 1"
			     " WHERE id = $1 AND bytes = $2",
			     args, e);
	return db_do(db, "DELETE FROM manifest WHERE id = $1 AND bytes = $2",
		     args, e);
}

int meta_leaf_condemn(struct meta *meta, const struct meta_leaf *leaf,
		      struct err *e)
{
	struct meta_leaf copy = *leaf;

	return meta_write(meta, leaf_condemn, &copy, e);
}

/* What an index names may be missing, and so may foreign layers. */
int meta_leaf_lacks(struct meta *meta, const struct meta_leaf *leaf,
		    const struct digest *after, struct digest *out,
		    bool *found_out, struct err *e)
{
	struct digest_row key = row_of(after);

	thread_may_wait("meta_leaf_lacks");
	auto_of(reader) struct reader *reader = reader_take(meta, e);
	if (!reader)
		return -1;

	auto_rows struct rows row;
	int found = db_find(
		reader->db,
		"SELECT named.digest FROM named"
		" JOIN manifest ON manifest.id = named.manifest"
		" WHERE named.manifest = $1 AND named.digest > $2"
		" AND named.kind = 1 AND manifest.media_type NOT IN" INDEX_TYPES
		" AND NOT EXISTS (SELECT 1 FROM link"
		"  WHERE link.digest = named.digest"
		"  AND link.repository = named.repository)"
		" ORDER BY named.digest LIMIT 1",
		DB_ARGS(db_number(leaf->place), db_digest(&key)), &row, e);
	*found_out = found == 1;
	if (found <= 0)
		return found;
	return digest_from_row(row_bytes(&row, 0), out, e);
}

/* ---------------------------------------------------------------- rounds */

int meta_round_read(struct meta *meta, struct meta_round *out, struct err *e)
{
	thread_may_wait("meta_round_read");
	*out = (struct meta_round){ 0 };
	auto_of(reader) struct reader *reader = reader_take(meta, e);
	if (!reader)
		return -1;

	auto_rows struct rows row;
	int found = db_find(reader->db, "SELECT waited_ms, last FROM scrub",
			    DB_NO_ARGS, &row, e);
	if (found <= 0)
		return found;
	out->waited_ms = row_number(&row, 0);
	out->under_way = row_bytes(&row, 1).at;
	if (!out->under_way)
		return 0;
	return digest_from_row(row_bytes(&row, 1), &out->last, e);
}

static int round_note(struct db *db, void *arg, struct err *e)
{
	const struct meta_round *round = arg;
	struct digest_row last = digest_row(&round->last);

	return db_do(db, "UPDATE scrub SET waited_ms = $1, last = $2",
		     DB_ARGS(db_number(round->waited_ms),
			     round->under_way ? db_digest(&last) : db_null()),
		     e);
}

int meta_round_note(struct meta *meta, const struct meta_round *round,
		    struct err *e)
{
	struct meta_round copy = *round;

	return meta_write_soon(meta, round_note, &copy, e);
}
