/*
 * What nobody needs any more, found and removed a page at a time.
 *
 * A look reads, and so holds nobody up; but what it found may be wanted again
 * by now. So each row is removed only if it still may go, a few of them in a
 * transaction: the writer is one for all, and pushes wait for it. One sync, at
 * the end of a page, is for all of its transactions.
 */
#include "meta/inside.h"

#define LOOK_ROWS 1024
#define TAKE_ROWS 32 /* about half a millisecond */

/* ---------------------------------------------------------------- epochs */

struct epoch_run {
	int64_t ran_ms;
	int64_t length_ms;
	struct meta_epoch *out;
};

static int epoch_run(struct db *db, void *arg, struct err *e)
{
	const struct epoch_run *run = arg;
	auto_rows struct rows row;
	int found = db_find(
		db,
		"UPDATE state SET epoch ="
		" CASE WHEN uptime_ms + $1 < $2 THEN epoch ELSE epoch + 1 END,"
		" uptime_ms ="
		" CASE WHEN uptime_ms + $1 < $2 THEN uptime_ms + $1 ELSE 0 END,"
		" ran_ms = ran_ms + $1"
		" RETURNING epoch, uptime_ms, ran_ms / 1000",
		DB_ARGS(db_number(run->ran_ms), db_number(run->length_ms)),
		&row, e);

	if (found == 1)
		*run->out = (struct meta_epoch){
			.number = row_number(&row, 0),
			.uptime_ms = row_number(&row, 1),
			.ran_s = row_number(&row, 2),
		};
	return found < 0 ? -1 : 0;
}

int meta_epoch_run(struct meta *meta, int64_t ran_ms, int64_t length_ms,
		   struct meta_epoch *out, struct err *e)
{
	struct epoch_run run = { ran_ms, length_ms, out };

	return meta_write_soon(meta, epoch_run, &run, e);
}

/* --------------------------------------------------------------- looking */

/* A row as a look sees it; by the least of them a blob is judged. */
enum verdict { STAYS, WAITS, GOES };

#define LINK_NAMED                          \
	"EXISTS (SELECT 1 FROM named"       \
	" WHERE named.digest = link.digest" \
	" AND named.repository = link.repository)"
#define LINK_OLD                  \
	"(link.touched < $1 OR"   \
	" (link.touched < $2 AND" \
	"  (link.promised = 0 OR link.promised_in < $1)))"

/* What is cached may be named where it has no link. */
#define BLOB_CACHED                                            \
	"EXISTS (SELECT 1 FROM named"                          \
	" JOIN repository ON repository.id = named.repository" \
	" WHERE named.digest = blob.digest AND named.kind < 3" \
	" AND repository.upstream <> '')"

static int sessions_query(struct db *db, const struct meta_sweep *sweep,
			  struct rows *out, struct err *e)
{
	return db_query(
		db,
		"SELECT session.digest, session.id, 0, session.repository,"
		" repository.upstream, repository.name,"
		" CASE WHEN session.touched < $1 THEN 2 ELSE 0 END"
		" FROM session"
		" CROSS JOIN repository"
		" WHERE repository.id = session.repository"
		" AND session.id > $2"
		" ORDER BY session.id LIMIT $3",
		DB_ARGS(db_number(sweep->horizon.promised),
			db_number((int64_t)sweep->last.id),
			db_number(LOOK_ROWS)),
		out, e);
}

static int links_query(struct db *db, const struct meta_sweep *sweep,
		       const struct db_value *after, struct rows *out,
		       struct err *e)
{
	return db_query(db,
			"SELECT link.digest, 0, 0, link.repository,"
			" repository.upstream, repository.name,"
			" CASE WHEN " LINK_OLD " AND NOT " LINK_NAMED
			" THEN 2 ELSE 0 END"
			" FROM link"
			" CROSS JOIN repository"
			" WHERE repository.id = link.repository"
			" AND (link.digest, link.repository) > ($3, $4)"
			" ORDER BY link.digest, link.repository LIMIT $5",
			DB_ARGS(db_number(sweep->horizon.promised),
				db_number(sweep->horizon.released), *after,
				db_number(sweep->last.repository_id),
				db_number(LOOK_ROWS)),
			out, e);
}

/* Of those that stay, which are most, only the index of digests is read. */
static int blobs_query(struct db *db, const struct meta_sweep *sweep,
		       const struct db_value *after, struct rows *out,
		       struct err *e)
{
	return db_query(db,
			"SELECT digest, id, CASE WHEN verdict = 0 THEN 0 ELSE"
			" (SELECT size FROM blob WHERE blob.id = seen.id) END,"
			" 0, '', '', verdict FROM"
			" (SELECT blob.digest, blob.id,"
			"  CASE WHEN " BLOB_CACHED " THEN 0 ELSE COALESCE("
			"   (SELECT MIN(CASE WHEN " LINK_NAMED " THEN 0"
			"    WHEN " LINK_OLD " THEN 2 ELSE 1 END)"
			"    FROM link WHERE link.digest = blob.digest), 2)"
			"  END AS verdict"
			"  FROM blob WHERE blob.digest > $3"
			"  ORDER BY blob.digest LIMIT $4) AS seen"
			" ORDER BY digest",
			DB_ARGS(db_number(sweep->horizon.promised),
				db_number(sweep->horizon.released), *after,
				db_number(LOOK_ROWS)),
			out, e);
}

static int look_query(struct db *db, const struct meta_sweep *sweep,
		      const struct digest_row *last, struct rows *out,
		      struct err *e)
{
	struct db_value after = db_digest(last);

	switch (sweep->kind) {
	case META_SESSIONS:
		return sessions_query(db, sweep, out, e);
	case META_LINKS:
		return links_query(db, sweep, &after, out, e);
	case META_BLOBS:
		break;
	}
	return blobs_query(db, sweep, &after, out, e);
}

static int dead_read(const struct rows *row, struct meta_dead *out,
		     struct err *e)
{
	struct span digest = row_bytes(row, 0);

	*out = (struct meta_dead){
		.id = (uint64_t)row_number(row, 1),
		.size = row_number(row, 2),
		.repository_id = row_number(row, 3),
		.has_digest = digest.at,
	};
	if (!span_copy(row_text(row, 4), out->repository.upstream,
		       sizeof(out->repository.upstream)) ||
	    !span_copy(row_text(row, 5), out->repository.name.s,
		       sizeof(out->repository.name.s)))
		return err_set(e, ERR_CORRUPT, "database: not a repository");
	return digest.at ? digest_from_row(digest, &out->digest, e) : 0;
}

static void judge(struct meta_sweep *sweep, enum verdict verdict)
{
	if (verdict == GOES)
		sweep->dead[sweep->count++] = sweep->last;
	if (verdict != WAITS)
		return;
	sweep->waiting++;
	sweep->waiting_bytes += sweep->last.size;
}

static int look_read(struct rows *rows, struct meta_sweep *sweep, struct err *e)
{
	size_t seen = 0;
	int found = 1;

	while (sweep->count < META_PAGE && (found = rows_next(rows, e)) > 0) {
		if (dead_read(rows, &sweep->last, e) < 0)
			return -1;
		judge(sweep, (enum verdict)row_number(rows, 6));
		seen++;
	}
	sweep->more = found > 0 || seen == LOOK_ROWS;
	return found < 0 ? -1 : 0;
}

int meta_sweep_look(struct meta *meta, struct meta_sweep *sweep, struct err *e)
{
	struct digest_row last = { .len = 0 }; /* before the first */

	thread_may_wait("meta_sweep_look");
	auto_of(reader) struct reader *reader = reader_take(meta, e);
	if (!reader)
		return -1;

	if (sweep->more)
		last = digest_row(&sweep->last.digest);
	auto_rows struct rows rows;
	if (look_query(reader->db, sweep, &last, &rows, e) < 0)
		return -1;
	return look_read(&rows, sweep, e);
}

/* ---------------------------------------------------------------- taking */

static int64_t session_take(struct db *db, const struct meta_sweep *sweep,
			    const struct meta_dead *dead, struct err *e)
{
	return db_change(db,
			 "DELETE FROM session WHERE id = $1 AND touched < $2",
			 DB_ARGS(db_number((int64_t)dead->id),
				 db_number(sweep->horizon.promised)),
			 e);
}

static int64_t link_take(struct db *db, const struct meta_sweep *sweep,
			 const struct meta_dead *dead, struct err *e)
{
	struct digest_row digest = digest_row(&dead->digest);

	return db_change(db,
			 "DELETE FROM link WHERE " LINK_OLD
			 " AND digest = $3 AND repository = $4"
			 " AND NOT " LINK_NAMED,
			 DB_ARGS(db_number(sweep->horizon.promised),
				 db_number(sweep->horizon.released),
				 db_digest(&digest),
				 db_number(dead->repository_id)),
			 e);
}

static int64_t blob_take(struct db *db, const struct meta_dead *dead,
			 struct err *e)
{
	struct digest_row digest = digest_row(&dead->digest);

	return db_change(
		db,
		"DELETE FROM blob WHERE digest = $1 AND id = $2"
		" AND NOT EXISTS (SELECT 1 FROM link"
		"  WHERE link.digest = blob.digest)"
		" AND NOT " BLOB_CACHED,
		DB_ARGS(db_digest(&digest), db_number((int64_t)dead->id)), e);
}

static int64_t dead_take(struct db *db, const struct meta_sweep *sweep,
			 const struct meta_dead *dead, struct err *e)
{
	switch (sweep->kind) {
	case META_SESSIONS:
		return session_take(db, sweep, dead, e);
	case META_LINKS:
		return link_take(db, sweep, dead, e);
	case META_BLOBS:
		break;
	}
	return blob_take(db, dead, e);
}

/* A part of a page. */
struct sweep_take {
	const struct meta_sweep *sweep;
	size_t begin;
	size_t end;
	bool gone[META_PAGE]; /* of the page */
};

static int sweep_take(struct db *db, void *arg, struct err *e)
{
	struct sweep_take *take = arg;
	const struct meta_sweep *sweep = take->sweep;

	for (size_t i = take->begin; i < take->end; i++) {
		int64_t gone = dead_take(db, sweep, &sweep->dead[i], e);

		if (gone < 0)
			return -1;
		take->gone[i] = gone > 0;
	}
	return 0;
}

static int parts_take(struct meta *meta, struct sweep_take *take, struct err *e)
{
	size_t count = take->sweep->count;

	for (; take->begin < count; take->begin = take->end) {
		take->end = take->begin + TAKE_ROWS;
		if (take->end > count)
			take->end = count;
		if (meta_write_soon(meta, sweep_take, take, e) < 0)
			return -1;
	}
	return 0;
}

/* What changes nothing is not synced: so it takes a number, for nobody. */
static int settle(struct db *db, void *arg, struct err *e)
{
	(void)arg;
	return db_do(db, "UPDATE state SET next_id = next_id + 1", DB_NO_ARGS,
		     e);
}

int meta_sweep_take(struct meta *meta, struct meta_sweep *sweep, struct err *e)
{
	struct sweep_take take = { .sweep = sweep };
	size_t kept = 0;

	if (sweep->count == 0)
		return 0;
	if (parts_take(meta, &take, e) < 0 ||
	    (sweep->kind != META_LINKS &&
	     meta_write(meta, settle, NULL, e) < 0))
		return -1;
	for (size_t i = 0; i < sweep->count; i++) {
		if (take.gone[i])
			sweep->dead[kept++] = sweep->dead[i];
	}
	sweep->count = kept;
	return 0;
}

/* ---------------------------------------------------------- incarnations */

/*
 * One statement sees one moment: an id goes from session to blob in one. Found
 * by its digest, a blob is where those of the same directory are; by its id
 * (without "+ 0"), each would be on another page.
 */
static int incarnation_find(struct db *db, const struct digest *digest,
			    uint64_t id, struct err *e)
{
	struct digest_row key = digest_row(digest);
	auto_rows struct rows row;

	return db_find(db,
		       "SELECT 1 WHERE EXISTS (SELECT 1 FROM blob"
		       "  WHERE id + 0 = $1 AND digest = $2)"
		       " OR EXISTS (SELECT 1 FROM session"
		       "  WHERE id = $1)"
		       " OR EXISTS (SELECT 1 FROM state"
		       "  WHERE $1 < spared_below"
		       "  AND epoch <= spared_until)",
		       DB_ARGS(db_number((int64_t)id), db_digest(&key)), &row,
		       e);
}

int meta_incarnation_exists(struct meta *meta, const struct digest *digest,
			    uint64_t id, bool *out, struct err *e)
{
	thread_may_wait("meta_incarnation_exists");
	auto_of(reader) struct reader *reader = reader_take(meta, e);
	if (!reader)
		return -1;

	int found = incarnation_find(reader->db, digest, id, e);
	*out = found == 1;
	return found < 0 ? -1 : 0;
}

/* The snapshot that an open statement holds serves all the others: to make one
   costs more than to look. */
int meta_incarnations_lost(struct meta *meta, struct meta_incarnation *at,
			   size_t *count, struct err *e)
{
	size_t lost = 0;

	thread_may_wait("meta_incarnations_lost");
	auto_of(reader) struct reader *reader = reader_take(meta, e);
	if (!reader)
		return -1;

	auto_rows struct rows snapshot;
	if (db_find(reader->db, "SELECT epoch FROM state", DB_NO_ARGS,
		    &snapshot, e) < 0)
		return -1;
	for (size_t i = 0; i < *count; i++) {
		int found = incarnation_find(reader->db, &at[i].digest,
					     at[i].id, e);

		if (found < 0)
			return -1;
		if (found == 0)
			at[lost++] = at[i];
	}
	*count = lost;
	return 0;
}
