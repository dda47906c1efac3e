/*
 * Lists as upstreams gave them. Each is one row, and its lines lie in pieces
 * behind it; it is replaced as a whole, so that nobody sees half of it. All
 * together have a bound, and the one goes first that was confirmed the longest
 * ago.
 */
#include "base/clock.h"
#include "meta/inside.h"

#define LISTS_BYTES ((int64_t)64 * 1024 * 1024) /* all together */
#define LISTS_COUNT 10000
#define PIECE ((size_t)64 * 1024) /* bytes, unless one line has more */

void meta_list_free(struct meta_list *list)
{
	buf_free(&list->lines);
}

/* ---------------------------------------------------------------- writing */

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

/* Anew: it has no piece. */
static int list_make(struct db *db, int64_t repository,
		     const struct list_verb *verb, int64_t *id_out,
		     struct err *e)
{
	auto_rows struct rows row = { 0 };

	if (db_do(db, "DELETE FROM list WHERE repository = $1 AND subject = $2",
		  DB_ARGS(db_number(repository), db_digest(&verb->subject)),
		  e) < 0)
		return -1;
	int found = db_find(db,
			    "INSERT INTO list"
			    " (repository, subject, checked, size)"
			    " VALUES ($1, $2, $3, $4) RETURNING id",
			    DB_ARGS(db_number(repository),
				    db_digest(&verb->subject),
				    db_number(clock_wall_s()),
				    db_number((int64_t)verb->lines.len)),
			    &row, e);

	if (found == 1)
		*id_out = row_number(&row, 0);
	return found < 0 ? -1 : 0;
}

/* Cuts a piece off, its last line, and counts its lines. */
static struct span piece_cut(struct span *rest, struct span *last_out,
			     int64_t *count_out)
{
	struct span all = *rest;

	*count_out = 0;
	do {
		*last_out = span_cut(rest, '\n');
		++*count_out;
	} while (rest->len > 0 && (size_t)(rest->at - all.at) < PIECE);
	return span_make(all.at, all.len - rest->len);
}

static int pieces_put(struct db *db, int64_t list, const struct list_verb *verb,
		      struct err *e)
{
	bool sorted = verb->subject.len == 0;
	struct span rest = verb->lines;
	int64_t before = 0, count;

	while (rest.len > 0) {
		struct span last;
		struct span piece = piece_cut(&rest, &last, &count);

		if (db_do(db,
			  "INSERT INTO piece (list, before, last, lines)"
			  " VALUES ($1, $2, $3, $4)",
			  DB_ARGS(db_number(list), db_number(before),
				  db_bytes(sorted ? last : SPAN("")),
				  db_bytes(piece)),
			  e) < 0)
			return -1;
		before += count;
	}
	return 0;
}

static int list_put(struct db *db, void *arg, struct err *e)
{
	const struct list_verb *verb = arg;
	int64_t repository = 0, list = 0;
	int found = repository_find(db, verb->repository, &repository, e);

	/* Whoever asks for names at random leaves nothing behind. */
	if (found < 0 || (found == 0 && verb->lines.len == 0))
		return found;
	if (repository_need(db, verb->repository, &repository, e) < 0 ||
	    list_make(db, repository, verb, &list, e) < 0 ||
	    pieces_put(db, list, verb, e) < 0)
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

/* ---------------------------------------------------------------- reading */

#define OF_LIST                                                          \
	" WHERE list.repository ="                                       \
	" (SELECT id FROM repository WHERE upstream = $2 AND name = $3)" \
	" AND list.subject = $4"
#define PIECES                                                                \
	"SELECT list.checked, list.size, piece.before, piece.lines FROM list" \
	" LEFT JOIN piece ON piece.list = list.id"

/* From the piece on in which the part begins; a row without one: none does. */
static int tags_find(struct db *db, const struct repository *repository,
		     const struct meta_list *list, struct rows *out,
		     struct err *e)
{
	struct digest_row none = { 0 };
	struct span after = span_of(list->after ? list->after : "");

	return db_find(db,
		       PIECES " AND piece.last > $1" OF_LIST
			      " ORDER BY piece.last",
		       DB_ARGS(db_bytes(after), db_text(repository->upstream),
			       db_text(repository->name.s), db_digest(&none)),
		       out, e);
}

static int referrers_find(struct db *db, const struct repository *repository,
			  const struct digest *subject,
			  const struct meta_list *list, struct rows *out,
			  struct err *e)
{
	struct digest_row row = digest_row(subject);

	return db_find(db,
		       PIECES " AND piece.before >= (SELECT MAX(first.before)"
			      "  FROM piece AS first WHERE first.list = list.id"
			      "  AND first.before <= $1)" OF_LIST
			      " ORDER BY piece.before",
		       DB_ARGS(db_number(list->place),
			       db_text(repository->upstream),
			       db_text(repository->name.s), db_digest(&row)),
		       out, e);
}

/* The first piece is read whatever it has: the part may begin at its end. */
static int pieces_read(struct rows *row, struct meta_list *out, struct err *e)
{
	size_t first = row_bytes(row, 3).len;
	int found = first > 0;

	out->before = row_number(row, 2);
	while (found == 1 &&
	       (out->lines.len == 0 || out->lines.len - first < out->room)) {
		buf_add(&out->lines, row_bytes(row, 3));
		found = rows_next(row, e);
	}
	out->more = found == 1;
	return found < 0 ? -1 : 0;
}

int meta_list_peek(struct meta *meta, const struct repository *repository,
		   const struct digest *subject, struct meta_list *out,
		   struct err *e)
{
	auto_of(reader) struct reader *reader = reader_take(meta, e);
	if (!reader)
		return -1;

	auto_rows struct rows row;
	int found = subject ? referrers_find(reader->db, repository, subject,
					     out, &row, e) :
			      tags_find(reader->db, repository, out, &row, e);
	if (found < 0)
		return -1;
	if (found == 0)
		return err_set(e, ERR_NOT_FOUND, "no list of %s is here",
			       repository_text(repository).s);
	out->checked = row_number(&row, 0);
	out->size = row_number(&row, 1);
	buf_clear(&out->lines);
	return pieces_read(&row, out, e);
}
