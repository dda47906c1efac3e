/*
 * What a quota's repositories hold is counted along by triggers, in the
 * transaction of each change, whatever of it is undone: so a push needs no
 * sum. Which repositories these are is found when the quota or the repository
 * is made.
 */
#include "meta/inside.h"

#include "base/glob.h"

static bool fits(struct span pattern, const char *name)
{
	return glob_match(pattern, span_of(name));
}

static int refuse_size(const struct rows *row, int64_t size, struct err *e)
{
	double room = (double)row_number(row, 1) / 1e6;
	double bytes = (double)row_number(row, 2) / 1e6;

	return err_set(e, ERR_DENIED,
		       "%.80s may hold %.1f MB and holds %.1f MB: there is no "
		       "room for %.1f MB more",
		       row_text(row, 0).at, room, bytes, (double)size / 1e6);
}

int quota_check(struct db *db, const struct repository *repository,
		const struct digest *digest, int64_t size, struct err *e)
{
	struct digest_row key = { .len = 0 };

	if (!repository_is_local(repository))
		return 0;
	if (digest)
		key = digest_row(digest);

	auto_rows struct rows row;
	int found = db_find(db,
			    "SELECT repositories, room, bytes FROM quota"
			    " WHERE bytes + $1 > room AND NOT EXISTS"
			    " (SELECT 1 FROM link JOIN quota_member"
			    "  ON quota_member.repository = link.repository"
			    "  WHERE link.digest = $2"
			    "  AND quota_member.quota = quota.id)",
			    DB_ARGS(db_number(size), db_digest(&key)), &row, e);
	while (found == 1) {
		if (fits(row_text(&row, 0), repository->name.s))
			return refuse_size(&row, size, e);
		found = rows_next(&row, e);
	}
	return found;
}

int meta_room_peek(struct meta *meta, const struct repository *repository,
		   const struct digest *digest, int64_t size, struct err *e)
{
	auto_of(reader) struct reader *reader = reader_take(meta, e);

	return reader ? quota_check(reader->db, repository, digest, size, e) :
			-1;
}

static int member_add(struct db *db, int64_t repository, int64_t quota,
		      struct err *e)
{
	return db_do(db,
		     "INSERT INTO quota_member (repository, quota)"
		     " VALUES ($1, $2)",
		     DB_ARGS(db_number(repository), db_number(quota)), e);
}

int quota_join(struct db *db, const struct repository *repository, int64_t id,
	       struct err *e)
{
	if (!repository_is_local(repository))
		return 0;

	auto_rows struct rows row;
	int found = db_find(db, "SELECT id, repositories FROM quota",
			    DB_NO_ARGS, &row, e);
	while (found == 1) {
		if (fits(row_text(&row, 1), repository->name.s) &&
		    member_add(db, id, row_number(&row, 0), e) < 0)
			return -1;
		found = rows_next(&row, e);
	}
	return found;
}

/* ----------------------------------------------------------------- setting */

static int members_find(struct db *db, int64_t quota, const char *pattern,
			struct err *e)
{
	auto_rows struct rows row;
	int found = db_find(db,
			    "SELECT id, name FROM repository"
			    " WHERE upstream = ''",
			    DB_NO_ARGS, &row, e);

	while (found == 1) {
		if (fits(span_of(pattern), row_text(&row, 1).at) &&
		    member_add(db, row_number(&row, 0), quota, e) < 0)
			return -1;
		found = rows_next(&row, e);
	}
	return found;
}

static int quota_sum(struct db *db, int64_t quota, struct err *e)
{
	return db_do(db,
		     "UPDATE quota SET bytes ="
		     " (SELECT COALESCE(SUM(size), 0) FROM blob"
		     "  WHERE digest IN (SELECT link.digest FROM link"
		     "   JOIN quota_member"
		     "   ON quota_member.repository = link.repository"
		     "   WHERE quota_member.quota = $1))"
		     " + (SELECT COALESCE(SUM(length(bytes)), 0)"
		     "  FROM manifest WHERE repository IN"
		     "  (SELECT repository FROM quota_member"
		     "   WHERE quota = $1))"
		     " WHERE id = $1",
		     DB_ARGS(db_number(quota)), e);
}

static int64_t quota_id(struct db *db, const char *pattern, struct err *e)
{
	auto_rows struct rows row;
	int found = db_find(db, "SELECT id FROM quota WHERE repositories = $1",
			    DB_ARGS(db_text(pattern)), &row, e);

	return found == 1 ? row_number(&row, 0) : found;
}

static int quota_set(struct db *db, const struct meta_quota *quota,
		     struct err *e)
{
	int64_t id = quota_id(db, quota->repositories, e);

	if (id < 0)
		return -1;
	if (id > 0)
		return db_do(db,
			     "UPDATE quota SET room = $1"
			     " WHERE id = $2 AND room <> $1",
			     DB_ARGS(db_number(quota->size), db_number(id)), e);
	if (db_do(db, "INSERT INTO quota (repositories, room) VALUES ($1, $2)",
		  DB_ARGS(db_text(quota->repositories), db_number(quota->size)),
		  e) < 0)
		return -1;
	id = quota_id(db, quota->repositories, e);
	if (id < 0 || members_find(db, id, quota->repositories, e) < 0)
		return -1;
	return quota_sum(db, id, e);
}

static bool has_quota(const struct meta_rules *rules, struct span pattern)
{
	for (size_t i = 0; i < rules->quota_count; i++)
		if (span_is(pattern, rules->quotas[i].repositories))
			return true;
	return false;
}

/* What is there and not among the rules goes. */
static int quotas_prune(struct db *db, const struct meta_rules *rules,
			struct err *e)
{
	auto_rows struct rows row;
	int found = db_find(db, "SELECT repositories, id FROM quota",
			    DB_NO_ARGS, &row, e);

	while (found == 1) {
		if (!has_quota(rules, row_text(&row, 0)) &&
		    db_do(db, "DELETE FROM quota WHERE id = $1",
			  DB_ARGS(db_number(row_number(&row, 1))), e) < 0)
			return -1;
		found = rows_next(&row, e);
	}
	return found;
}

int quotas_set(struct db *db, const struct meta_rules *rules, struct err *e)
{
	if (quotas_prune(db, rules, e) < 0)
		return -1;
	for (size_t i = 0; i < rules->quota_count; i++)
		if (quota_set(db, &rules->quotas[i], e) < 0)
			return -1;
	return 0;
}
