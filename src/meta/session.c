/*
 * Sessions: arrivals under way. Their ids are never used again, since each may
 * become the incarnation of a blob.
 *
 * A new session waits for no disk: nothing of content is acknowledged yet, and
 * if a loss of power takes its row, its file goes at the next start.
 */
#include "meta/inside.h"

#include <stdio.h>

#include "base/hex.h"

/* ------------------------------------------------------------------- put */

static int session_put(struct db *db, void *arg, struct err *e)
{
	struct meta_session *session = arg;
	struct digest_row digest = digest_row(&session->digest);
	int64_t repository;

	if (repository_need(db, &session->repository, &repository, e) < 0)
		return -1;
	return db_do(db,
		     "INSERT INTO session"
		     " (id, key, repository, digest, size, touched) VALUES"
		     " ($1, $2, $3, $4, $5, (SELECT epoch FROM state))",
		     DB_ARGS(db_number((int64_t)session->id),
			     db_text(session->key), db_number(repository),
			     session->is_fetch ? db_digest(&digest) : db_null(),
			     db_number(session->size)),
		     e);
}

int meta_session_put(struct meta *meta, struct meta_session *session,
		     struct err *e)
{
	uint8_t random[sizeof(session->key) / 2];

	random_bytes(random, sizeof(random));
	hex_print(random, sizeof(random), session->key);
	if (id_take(meta, &session->id, e) < 0)
		return -1;
	return meta_write_soon(meta, session_put, session, e);
}

/* ------------------------------------------------------------------ find */

#define SESSION                                                      \
	"SELECT session.id, session.key, repository.upstream,"       \
	" repository.name, session.digest, session.size,"            \
	" CASE WHEN session.touched < state.epoch THEN 1 ELSE 0 END" \
	" FROM session"                                              \
	" JOIN repository ON repository.id = session.repository"     \
	" CROSS JOIN state "

static int session_read(const struct rows *row, struct meta_session *out,
			struct err *e)
{
	struct span digest = row_bytes(row, 4);

	*out = (struct meta_session){
		.id = (uint64_t)row_number(row, 0),
		.is_fetch = digest.at,
		.size = row_number(row, 5),
	};
	if (!span_copy(row_text(row, 1), out->key, sizeof(out->key)) ||
	    !span_copy(row_text(row, 2), out->repository.upstream,
		       sizeof(out->repository.upstream)) ||
	    !span_copy(row_text(row, 3), out->repository.name.s,
		       sizeof(out->repository.name.s)))
		return err_set(e, ERR_CORRUPT, "database: not a session");
	return out->is_fetch ? digest_from_row(digest, &out->digest, e) : 0;
}

static int upload_unknown(const struct repository *repository, struct err *e)
{
	return err_set(e, ERR_UPLOAD_UNKNOWN, "no such upload in %s",
		       repository_text(repository).s);
}

/* 1, 0, -1; `stale_out`: it has to be touched to be safe from sweeps. */
static int upload_find(struct db *db, const struct meta_session *wanted,
		       struct meta_session *out, bool *stale_out, struct err *e)
{
	auto_rows struct rows row;
	int found = db_find(db,
			    SESSION "WHERE session.key = $1"
				    " AND repository.upstream = $2"
				    " AND repository.name = $3"
				    " AND session.digest IS NULL",
			    DB_ARGS(db_text(wanted->key),
				    db_text(wanted->repository.upstream),
				    db_text(wanted->repository.name.s)),
			    &row, e);

	if (found <= 0)
		return found;
	*stale_out = row_number(&row, 6);
	return session_read(&row, out, e) < 0 ? -1 : 1;
}

/* 1: touched; 0: it was swept meanwhile; -1. */
static int session_renew(struct db *db, uint64_t id, struct err *e)
{
	return (int)db_change(db,
			      "UPDATE session"
			      " SET touched = (SELECT epoch FROM state)"
			      " WHERE id = $1",
			      DB_ARGS(db_number((int64_t)id)), e);
}

static int upload_renew(struct db *db, void *arg, struct err *e)
{
	const struct meta_session *session = arg;
	int found = session_renew(db, session->id, e);

	if (found == 0)
		return upload_unknown(&session->repository, e);
	return found < 0 ? -1 : 0;
}

static int upload_peek(struct meta *meta, const struct meta_session *wanted,
		       struct meta_session *out, bool *stale_out, struct err *e)
{
	auto_of(reader) struct reader *reader = reader_take(meta, e);

	return reader ? upload_find(reader->db, wanted, out, stale_out, e) : -1;
}

int meta_session_find(struct meta *meta, const struct repository *repository,
		      struct span key, struct meta_session *out, struct err *e)
{
	struct meta_session wanted = { .repository = *repository };
	bool stale = false;
	int found = 0;

	thread_may_wait("meta_session_find");
	if (span_copy(key, wanted.key, sizeof(wanted.key)))
		found = upload_peek(meta, &wanted, out, &stale, e);
	if (found < 0)
		return -1;
	if (found == 0)
		return upload_unknown(repository, e);
	return stale ? meta_write_soon(meta, upload_renew, out, e) : 0;
}

static int fetch_unknown(const struct digest *digest, struct err *e)
{
	return err_set(e, ERR_BLOB_UNKNOWN, "no fetch of %s",
		       digest_text(digest).s);
}

static int fetch_renew(struct db *db, void *arg, struct err *e)
{
	const struct meta_session *session = arg;
	int found = session_renew(db, session->id, e);

	if (found == 0)
		return fetch_unknown(&session->digest, e);
	return found < 0 ? -1 : 0;
}

/* As upload_peek. */
static int fetch_peek(struct meta *meta, const struct meta_session *wanted,
		      struct meta_session *out, bool *stale_out, struct err *e)
{
	struct digest_row key = digest_row(&wanted->digest);
	auto_of(reader) struct reader *reader = reader_take(meta, e);
	if (!reader)
		return -1;

	auto_rows struct rows row;
	int found = db_find(reader->db,
			    SESSION "WHERE session.digest = $1"
				    " AND repository.upstream = $2"
				    " ORDER BY session.id DESC LIMIT 1",
			    DB_ARGS(db_digest(&key),
				    db_text(wanted->repository.upstream)),
			    &row, e);
	if (found <= 0)
		return found;
	*stale_out = row_number(&row, 6);
	return session_read(&row, out, e) < 0 ? -1 : 1;
}

int meta_session_find_fetch(struct meta *meta,
			    const struct repository *repository,
			    const struct digest *digest,
			    struct meta_session *out, struct err *e)
{
	struct meta_session wanted = { .repository = *repository,
				       .digest = *digest };
	bool stale = false;

	thread_may_wait("meta_session_find_fetch");
	int found = fetch_peek(meta, &wanted, out, &stale, e);
	if (found < 0)
		return -1;
	if (found == 0)
		return fetch_unknown(digest, e);
	return stale ? meta_write(meta, fetch_renew, out, e) : 0;
}

/* ----------------------------------------------------------------- touch */

struct session_ids {
	const uint64_t *at;
	size_t count;
};

static int session_touch(struct db *db, void *arg, struct err *e)
{
	const struct session_ids *ids = arg;

	for (size_t i = 0; i < ids->count; i++) {
		if (session_renew(db, ids->at[i], e) < 0)
			return -1;
	}
	return 0;
}

int meta_session_touch(struct meta *meta, const uint64_t *ids, size_t count,
		       struct err *e)
{
	struct session_ids touch = { ids, count };

	return meta_write(meta, session_touch, &touch, e);
}

/* ------------------------------------------------------------------- end */

int session_end(struct db *db, uint64_t id, struct err *e)
{
	return db_do(db, "DELETE FROM session WHERE id = $1",
		     DB_ARGS(db_number((int64_t)id)), e);
}

static int session_drop(struct db *db, void *arg, struct err *e)
{
	const struct session_ids *ids = arg;

	for (size_t i = 0; i < ids->count; i++) {
		if (session_end(db, ids->at[i], e) < 0)
			return -1;
	}
	return 0;
}

int meta_session_drop(struct meta *meta, const uint64_t *ids, size_t count,
		      struct err *e)
{
	struct session_ids drop = { ids, count };

	return meta_write(meta, session_drop, &drop, e);
}

/* ------------------------------------------------------------------ list */

int meta_session_exists(struct meta *meta, uint64_t id, bool *out,
			struct err *e)
{
	thread_may_wait("meta_session_exists");
	auto_of(reader) struct reader *reader = reader_take(meta, e);
	if (!reader)
		return -1;

	auto_rows struct rows row;
	int found = db_find(reader->db, "SELECT 1 FROM session WHERE id = $1",
			    DB_ARGS(db_number((int64_t)id)), &row, e);
	*out = found == 1;
	return found < 0 ? -1 : 0;
}

int meta_session_list(struct meta *meta, uint64_t after,
		      struct meta_sessions *out, struct err *e)
{
	int found;

	thread_may_wait("meta_session_list");
	auto_of(reader) struct reader *reader = reader_take(meta, e);
	if (!reader)
		return -1;

	auto_rows struct rows rows;
	if (db_query(reader->db,
		     "SELECT id FROM session WHERE id > $1"
		     " ORDER BY id LIMIT $2",
		     DB_ARGS(db_number((int64_t)after),
			     db_number(array_size(out->ids))),
		     &rows, e) < 0)
		return -1;
	out->count = 0;
	while ((found = rows_next(&rows, e)) > 0)
		out->ids[out->count++] = (uint64_t)row_number(&rows, 0);
	return found;
}
