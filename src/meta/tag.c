/*
 * Tags: names that move from manifest to manifest.
 */
#include "meta/inside.h"

#include "base/clock.h"

static int tag_unknown(const struct repository *repository, const char *name,
		       struct err *e)
{
	return err_set(e, ERR_MANIFEST_UNKNOWN, "no manifest %s in %s", name,
		       repository_text(repository).s);
}

int tag_point(struct db *db, int64_t repository, const struct tag *tag,
	      int64_t manifest, struct err *e)
{
	return db_do(db,
		     "INSERT INTO tag"
		     " (repository, name, manifest, checked, pushed, turn)"
		     " VALUES ($1, $2, $3, $4, " REGISTRY_TIME ","
		     "  (SELECT COALESCE(MAX(turn), 0) + 1 FROM tag"
		     "   WHERE repository = $1))"
		     " ON CONFLICT (repository, name) DO UPDATE SET"
		     " manifest = excluded.manifest,"
		     " checked = excluded.checked,"
		     " pushed = excluded.pushed, turn = excluded.turn",
		     DB_ARGS(db_number(repository), db_text(tag->s),
			     db_number(manifest), db_number(clock_wall_s())),
		     e);
}

struct tag_verb {
	const struct repository *repository;
	const struct tag *tag;
	const struct digest *digest; /* of a confirmation */
	const struct meta_guard *guard;
};

/* ------------------------------------------------------------------ drop */

static int tag_drop(struct db *db, void *arg, struct err *e)
{
	const struct tag_verb *verb = arg;
	struct reference reference = { .kind = REFERENCE_TAG,
				       .tag = *verb->tag };
	int64_t repository = 0, gone = 0;
	int found = repository_find(db, verb->repository, &repository, e);
	struct tag_place place = { verb->repository, repository, verb->tag };

	if (found < 0)
		return -1;
	if (found == 1) {
		if (guard_check(db, repository, &reference, verb->guard, e) <
			    0 ||
		    rules_check_move(db, &place, 0, e) < 0)
			return -1;
		gone = db_change(db,
				 "DELETE FROM tag"
				 " WHERE repository = $1 AND name = $2",
				 DB_ARGS(db_number(repository),
					 db_text(verb->tag->s)),
				 e);
	}
	if (gone == 0)
		return tag_unknown(verb->repository, verb->tag->s, e);
	return gone < 0 ? -1 : 0;
}

int meta_tag_drop(struct meta *meta, const struct repository *repository,
		  const struct tag *tag, const struct meta_guard *guard,
		  struct err *e)
{
	struct tag_verb verb = { repository, tag, NULL, guard };

	return meta_write(meta, tag_drop, &verb, e);
}

/* --------------------------------------------------------------- confirm */

static int tag_confirm(struct db *db, void *arg, struct err *e)
{
	const struct tag_verb *verb = arg;
	int64_t repository, manifest;
	int found = repository_find(db, verb->repository, &repository, e);

	if (found == 1)
		found = manifest_find(db, repository, verb->digest, &manifest,
				      e);
	if (found < 0)
		return -1;
	if (found == 0)
		return tag_unknown(verb->repository,
				   digest_text(verb->digest).s, e);
	return tag_point(db, repository, verb->tag, manifest, e);
}

int meta_tag_confirm(struct meta *meta, const struct repository *repository,
		     const struct tag *tag, const struct digest *digest,
		     struct err *e)
{
	struct tag_verb verb = { repository, tag, digest, NULL };

	return meta_write(meta, tag_confirm, &verb, e);
}

/* ------------------------------------------------------------------ list */

int names_read(struct rows *rows, struct meta_page *page, struct err *e)
{
	int found;

	page->names =
		arena_alloc(page->arena, page->limit * sizeof(*page->names));
	page->count = 0;
	while ((found = rows_next(rows, e)) > 0 && page->count < page->limit)
		page->names[page->count++] =
			arena_text(page->arena, row_text(rows, 0));
	page->more = found > 0;
	return found < 0 ? -1 : 0;
}

/* 1: its number; 0: nothing was ever put there; -1. */
static int listed_find(struct db *db, const struct repository *repository,
		       int64_t *id_out, struct err *e)
{
	auto_rows struct rows row;
	int found = db_find(db,
			    "SELECT id FROM repository"
			    " WHERE upstream = $1 AND name = $2 AND taken = 1",
			    DB_ARGS(db_text(repository->upstream),
				    db_text(repository->name.s)),
			    &row, e);

	if (found == 1)
		*id_out = row_number(&row, 0);
	return found;
}

int meta_tags_peek(struct meta *meta, const struct repository *repository,
		   struct meta_page *page, struct err *e)
{
	int64_t id = 0;
	auto_of(reader) struct reader *reader = reader_take(meta, e);
	if (!reader)
		return -1;

	int found = listed_find(reader->db, repository, &id, e);
	if (found < 0)
		return -1;
	if (found == 0)
		return err_set(e, ERR_NAME_UNKNOWN, "no repository %s",
			       repository_text(repository).s);

	auto_rows struct rows rows;
	if (db_query(reader->db,
		     "SELECT name FROM tag WHERE repository = $1"
		     " AND name > $2 ORDER BY name LIMIT $3",
		     DB_ARGS(db_number(id),
			     db_text(page->after ? page->after : ""),
			     db_number((int64_t)page->limit + 1)),
		     &rows, e) < 0)
		return -1;
	return names_read(&rows, page, e);
}
