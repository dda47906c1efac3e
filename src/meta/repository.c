/*
 * Repositories. A row is made by the first thing that happens in one; a name
 * is taken only by a manifest.
 */
#include "meta/inside.h"

static int taken_find(struct db *db, const struct name *local, bool *taken_out,
		      struct err *e)
{
	auto_rows struct rows row;
	int found = db_find(db,
			    "SELECT taken FROM repository"
			    " WHERE upstream = '' AND name = $1",
			    DB_ARGS(db_text(local->s)), &row, e);

	if (found < 0)
		return -1;
	*taken_out = found && row_number(&row, 0);
	return 0;
}

int meta_repository_peek(struct meta *meta, const struct name *local,
			 bool *taken_out, struct err *e)
{
	struct repository repository = { .name = *local };
	struct recent_key key = recent_key(&repository, SPAN(""));
	auto_of(reader) struct reader *reader = reader_take(meta, e);
	if (!reader)
		return -1;

	struct span known = recent_find(&reader->recent, &key);
	if (known.at) {
		*taken_out = span_is(known, "taken");
		return 0;
	}
	if (taken_find(reader->db, local, taken_out, e) < 0)
		return -1;
	buf_add(recent_keep(&reader->recent, &key),
		*taken_out ? SPAN("taken") : SPAN("free"));
	return 0;
}

int repository_find(struct db *db, const struct repository *repository,
		    int64_t *id_out, struct err *e)
{
	auto_rows struct rows row;
	int found = db_find(db,
			    "SELECT id FROM repository"
			    " WHERE upstream = $1 AND name = $2",
			    DB_ARGS(db_text(repository->upstream),
				    db_text(repository->name.s)),
			    &row, e);

	if (found == 1)
		*id_out = row_number(&row, 0);
	return found;
}

int repository_need(struct db *db, const struct repository *repository,
		    int64_t *id_out, struct err *e)
{
	int found = repository_find(db, repository, id_out, e);

	if (found != 0)
		return found < 0 ? -1 : 0;
	if (db_do(db,
		  "INSERT INTO repository (upstream, name) VALUES ($1, $2)"
		  " ON CONFLICT (upstream, name) DO NOTHING",
		  DB_ARGS(db_text(repository->upstream),
			  db_text(repository->name.s)),
		  e) < 0)
		return -1;
	if (repository_find(db, repository, id_out, e) < 0)
		return -1;
	return quota_join(db, repository, *id_out, e);
}

int meta_repositories_peek(struct meta *meta, const char *upstream,
			   struct meta_page *page, struct err *e)
{
	auto_of(reader) struct reader *reader = reader_take(meta, e);
	if (!reader)
		return -1;

	auto_rows struct rows rows;
	if (db_query(reader->db,
		     "SELECT name FROM repository"
		     " WHERE upstream = $1 AND taken = 1 AND name > $2"
		     " ORDER BY name LIMIT $3",
		     DB_ARGS(db_text(upstream),
			     db_text(page->after ? page->after : ""),
			     db_number((int64_t)page->limit + 1)),
		     &rows, e) < 0)
		return -1;
	return names_read(&rows, page, e);
}
