/*
 * The database of one moment. It is copied page by page first, which disturbs
 * nobody, and what is not to be kept is removed from the copy.
 */
#include "base/mem.h"
#include "meta/inside.h"

struct meta_snapshot {
	struct db *db;
};

/* --------------------------------------------------------------- making it */

/*
 * Rows that others refer to come last; what belongs to a manifest goes too.
 * What is known of damage is of other files, and a copy is another registry.
 */
static const char *const changes[] = {
	"DELETE FROM session",
	"DELETE FROM link WHERE repository IN"
	" (SELECT id FROM repository WHERE upstream <> '')",
	"DELETE FROM manifest WHERE repository IN"
	" (SELECT id FROM repository WHERE upstream <> '')",
	"DELETE FROM blob WHERE NOT EXISTS"
	" (SELECT 1 FROM link WHERE link.digest = blob.digest)",
	"DELETE FROM repository WHERE upstream <> ''",
	"UPDATE blob SET damage = 0 WHERE damage > 0",
	"UPDATE state SET instance = ''",
};

static int pushed_keep(struct db *db, struct err *e)
{
	if (db_begin(db, DB_SOON, e) < 0)
		return -1;
	for (size_t i = 0; i < array_size(changes); i++) {
		if (db_do(db, changes[i], DB_NO_ARGS, e) < 0)
			return -1;
	}
	return db_commit(db, e);
}

static struct meta_snapshot *snapshot_of(struct db **db)
{
	struct meta_snapshot *snapshot = mem_alloc(sizeof(*snapshot));

	snapshot->db = steal_ptr(db);
	return snapshot;
}

static int moment_copy(const struct meta *meta, const char *path,
		       bool (*go_on)(void *arg), void *arg, struct err *e)
{
	auto_of(db) struct db *from = NULL;

	if (db_open(meta_path(meta), DB_READER, &from, e) < 0)
		return -1;
	return db_copy(from, path, go_on, arg, e);
}

int meta_snapshot_make(struct meta *meta, const char *path,
		       bool (*go_on)(void *arg), void *arg,
		       struct meta_snapshot **out, struct err *e)
{
	auto_of(db) struct db *db = NULL;

	thread_may_wait("meta_snapshot_make");
	if (moment_copy(meta, path, go_on, arg, e) < 0 ||
	    db_open(path, DB_DRAFT, &db, e) < 0 || db_check(db, e) < 0 ||
	    pushed_keep(db, e) < 0)
		return -1;
	*out = snapshot_of(&db);
	return 0;
}

int meta_snapshot_open(const char *path, struct meta_snapshot **out,
		       struct err *e)
{
	auto_of(db) struct db *db = NULL;

	thread_may_wait("meta_snapshot_open");
	if (db_open(path, DB_DRAFT, &db, e) < 0 || db_check(db, e) < 0 ||
	    schema_update(db, e) < 0)
		return -1;
	*out = snapshot_of(&db);
	return 0;
}

void meta_snapshot_close(struct meta_snapshot **pointer)
{
	struct meta_snapshot *snapshot = steal_ptr(pointer);

	db_close(&snapshot->db);
	free(snapshot);
}

/* ------------------------------------------------------------- looking on */

int meta_snapshot_extent(struct meta_snapshot *snapshot,
			 struct meta_extent *out, struct err *e)
{
	auto_rows struct rows row;

	thread_may_wait("meta_snapshot_extent");
	*out = (struct meta_extent){ 0 };
	if (db_find(snapshot->db,
		    "SELECT count(*), COALESCE(sum(size), 0) FROM blob",
		    DB_NO_ARGS, &row, e) < 0)
		return -1;
	out->blobs = (uint64_t)row_number(&row, 0);
	out->bytes = row_number(&row, 1);
	return 0;
}

static int copy_read(const struct rows *row, struct meta_copy *out,
		     struct err *e)
{
	*out = (struct meta_copy){
		.blob.id = (uint64_t)row_number(row, 1),
		.blob.size = row_number(row, 2),
	};
	return digest_from_row(row_bytes(row, 0), &out->digest, e);
}

int meta_snapshot_each(struct meta_snapshot *snapshot, meta_copy_visit visit,
		       void *arg, struct err *e)
{
	struct meta_copy copy;
	auto_rows struct rows rows;
	int found;

	thread_may_wait("meta_snapshot_each");
	if (db_query(snapshot->db,
		     "SELECT digest, id, size FROM blob ORDER BY digest",
		     DB_NO_ARGS, &rows, e) < 0)
		return -1;
	while ((found = rows_next(&rows, e)) > 0) {
		if (copy_read(&rows, &copy, e) < 0 || visit(&copy, arg, e) < 0)
			return -1;
	}
	return found;
}

int meta_snapshot_has(struct meta_snapshot *snapshot,
		      const struct digest *digest, uint64_t id, bool *out,
		      struct err *e)
{
	struct digest_row key = digest_row(digest);
	auto_rows struct rows row;

	thread_may_wait("meta_snapshot_has");
	int found = db_find(snapshot->db,
			    "SELECT 1 FROM blob WHERE id = $1 AND digest = $2",
			    DB_ARGS(db_number((int64_t)id), db_digest(&key)),
			    &row, e);
	*out = found == 1;
	return found < 0 ? -1 : 0;
}

int meta_snapshot_spare(struct meta_snapshot *snapshot, uint64_t newest,
			struct err *e)
{
	thread_may_wait("meta_snapshot_spare");
	if (db_do(snapshot->db,
		  "UPDATE state SET next_id ="
		  " CASE WHEN next_id > $1 THEN next_id ELSE $1 + 1 END",
		  DB_ARGS(db_number((int64_t)newest)), e) < 0)
		return -1;
	return db_do(snapshot->db,
		     "UPDATE state SET spared_below = next_id,"
		     " spared_until = epoch + 1",
		     DB_NO_ARGS, e);
}
