/*
 * Lists as upstreams gave them. Each is one row, replaced as a whole, so that
 * nobody sees half of it; all together have a bound, and the one goes first
 * that was confirmed the longest ago.
 */
#include "base/clock.h"
#include "meta/inside.h"

#define LISTS_BYTES ((int64_t)64 * 1024 * 1024) /* all together */
#define LISTS_COUNT 10000

void meta_list_free(struct meta_list *list)
{
	buf_free(&list->lines);
}

struct list_verb {
	const struct repository *repository;
	struct digest_row subject; /* empty: tags */
	struct span lines;
};

static struct digest_row subject_row(const struct digest *subject)
{
	return subject ? digest_row(subject) : (struct digest_row){ 0 };
}

static int lists_trim(struct db *db, struct err *e)
{
	return db_do(db,
		     "DELETE FROM list WHERE id IN (SELECT id FROM"
		     " (SELECT id, SUM(size) OVER newest AS bytes,"
		     "  row_number() OVER newest AS place FROM list"
		     "  WINDOW newest AS (ORDER BY checked DESC, id DESC))"
		     " AS aged WHERE bytes > $1 OR place > $2)",
		     DB_ARGS(db_number(LISTS_BYTES), db_number(LISTS_COUNT)),
		     e);
}

static int list_put(struct db *db, void *arg, struct err *e)
{
	const struct list_verb *verb = arg;
	int64_t repository = 0;
	int found = repository_find(db, verb->repository, &repository, e);

	/* Whoever asks for names at random leaves nothing behind. */
	if (found < 0 || (found == 0 && verb->lines.len == 0))
		return found;
	if (repository_need(db, verb->repository, &repository, e) < 0 ||
	    db_do(db,
		  "INSERT INTO list (repository, subject, checked, size, lines)"
		  " VALUES ($1, $2, $3, $4, $5)"
		  " ON CONFLICT (repository, subject) DO UPDATE SET"
		  " checked = excluded.checked, size = excluded.size,"
		  " lines = excluded.lines",
		  DB_ARGS(db_number(repository), db_digest(&verb->subject),
			  db_number(clock_wall_s()),
			  db_number((int64_t)verb->lines.len),
			  db_bytes(verb->lines)),
		  e) < 0)
		return -1;
	return lists_trim(db, e);
}

int meta_list_put(struct meta *meta, const struct repository *repository,
		  const struct digest *subject, struct span lines,
		  struct err *e)
{
	struct list_verb verb = { repository, subject_row(subject), lines };

	return meta_write_soon(meta, list_put, &verb, e);
}

int meta_list_peek(struct meta *meta, const struct repository *repository,
		   const struct digest *subject, struct meta_list *out,
		   struct err *e)
{
	struct digest_row row = subject_row(subject);
	auto_of(reader) struct reader *reader = reader_take(meta, e);
	if (!reader)
		return -1;

	auto_rows struct rows rows;
	int found =
		db_find(reader->db,
			"SELECT checked, lines FROM list"
			" WHERE repository ="
			" (SELECT id FROM repository"
			"  WHERE upstream = $1 AND name = $2)"
			" AND subject = $3",
			DB_ARGS(db_text(repository->upstream),
				db_text(repository->name.s), db_digest(&row)),
			&rows, e);
	if (found < 0)
		return -1;
	if (found == 0)
		return err_set(e, ERR_NOT_FOUND, "no list of %s is here",
			       repository_text(repository).s);
	out->checked = row_number(&rows, 0);
	buf_clear(&out->lines);
	buf_add(&out->lines, row_bytes(&rows, 1));
	return 0;
}
