/*
 * The operator's rules stand in the database, so that the transaction of a
 * change can ask them, whoever's process it runs in.
 */
#include "meta/inside.h"

#include "base/glob.h"

static bool fits(struct span pattern, const char *text)
{
	return glob_match(pattern, span_of(text));
}

/* ------------------------------------------------------- what may not be */

/* 1: it is; 0: it is not; -1. */
int tag_is_immutable(struct db *db, const struct repository *repository,
		     const char *tag, struct err *e)
{
	auto_rows struct rows row;
	int found = db_find(db, "SELECT repositories, tags FROM immutable",
			    DB_NO_ARGS, &row, e);

	while (found == 1) {
		if (fits(row_text(&row, 0), repository->name.s) &&
		    fits(row_text(&row, 1), tag))
			return 1;
		found = rows_next(&row, e);
	}
	return found;
}

static int refuse_tag(const struct repository *repository, const char *tag,
		      struct err *e)
{
	return err_set(e, ERR_DENIED,
		       "the tag %s of %.80s is immutable: it is neither moved "
		       "nor deleted",
		       tag, repository->name.s);
}

static int tag_check(struct db *db, const struct repository *repository,
		     const char *tag, struct err *e)
{
	int is = tag_is_immutable(db, repository, tag, e);

	return is > 0 ? refuse_tag(repository, tag, e) : is;
}

/* 1: it points at something else; 0: it does not, or is not there; -1. */
static int tag_would_move(struct db *db, const struct tag_place *place,
			  int64_t manifest, struct err *e)
{
	auto_rows struct rows row;

	return db_find(db,
		       "SELECT 1 FROM tag WHERE repository = $1"
		       " AND name = $2 AND manifest <> $3",
		       DB_ARGS(db_number(place->id), db_text(place->tag->s),
			       db_number(manifest)),
		       &row, e);
}

int rules_check_move(struct db *db, const struct tag_place *place,
		     int64_t manifest, struct err *e)
{
	int moves = repository_is_local(place->repository) ?
			    tag_would_move(db, place, manifest, e) :
			    0;

	return moves > 0 ? tag_check(db, place->repository, place->tag->s, e) :
			   moves;
}

int rules_check_tags(struct db *db, const struct repository *repository,
		     int64_t manifest, struct err *e)
{
	if (!repository_is_local(repository))
		return 0;

	auto_rows struct rows row;
	int found = db_find(
		db,
		"WITH RECURSIVE above (id) AS (SELECT $1 UNION"
		" SELECT named.manifest FROM above"
		" JOIN manifest ON manifest.id = above.id"
		" JOIN named ON named.digest = manifest.digest"
		" AND named.repository = manifest.repository"
		" AND named.kind = 3)"
		" SELECT tag.name FROM above JOIN tag ON tag.manifest = above.id",
		DB_ARGS(db_number(manifest)), &row, e);
	while (found == 1) {
		if (tag_check(db, repository, row_text(&row, 0).at, e) < 0)
			return -1;
		found = rows_next(&row, e);
	}
	return found;
}

/* ----------------------------------------------------------------- setting */

static bool has_immutable(const struct meta_rules *rules, const struct rows *at)
{
	for (size_t i = 0; i < rules->immutable_count; i++) {
		const struct meta_immutable *one = &rules->immutable[i];

		if (span_is(row_text(at, 0), one->repositories) &&
		    span_is(row_text(at, 1), one->tags))
			return true;
	}
	return false;
}

/* What is there and not among the rules goes. */
static int immutable_prune(struct db *db, const struct meta_rules *rules,
			   struct err *e)
{
	auto_rows struct rows row;
	int found = db_find(db, "SELECT repositories, tags FROM immutable",
			    DB_NO_ARGS, &row, e);

	while (found == 1) {
		if (!has_immutable(rules, &row) &&
		    db_do(db,
			  "DELETE FROM immutable"
			  " WHERE repositories = $1 AND tags = $2",
			  DB_ARGS(db_text(row_text(&row, 0).at),
				  db_text(row_text(&row, 1).at)),
			  e) < 0)
			return -1;
		found = rows_next(&row, e);
	}
	return found;
}

static int immutable_set(struct db *db, const struct meta_immutable *one,
			 struct err *e)
{
	return db_do(db,
		     "INSERT INTO immutable (repositories, tags)"
		     " VALUES ($1, $2)"
		     " ON CONFLICT (repositories, tags) DO NOTHING",
		     DB_ARGS(db_text(one->repositories), db_text(one->tags)),
		     e);
}

static int rules_set(struct db *db, void *arg, struct err *e)
{
	const struct meta_rules *rules = arg;

	if (quotas_set(db, rules, e) < 0 || immutable_prune(db, rules, e) < 0)
		return -1;
	for (size_t i = 0; i < rules->immutable_count; i++)
		if (immutable_set(db, &rules->immutable[i], e) < 0)
			return -1;
	return 0;
}

int meta_rules_set(struct meta *meta, const struct meta_rules *rules,
		   struct err *e)
{
	struct meta_rules copy = *rules;

	return meta_write(meta, rules_set, &copy, e);
}
