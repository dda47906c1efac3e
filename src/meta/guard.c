/*
 * Conditions of a change, looked at in its own transaction: between the look
 * and the change nobody else can come.
 */
#include "meta/inside.h"

/* 1: what the reference means now; 0: nothing; -1. */
static int digest_now(struct db *db, int64_t repository,
		      const struct reference *reference, struct digest *out,
		      struct err *e)
{
	int64_t id;

	if (reference->kind == REFERENCE_DIGEST) {
		*out = reference->digest;
		return manifest_find(db, repository, out, &id, e);
	}

	auto_rows struct rows row;
	int found = db_find(db,
			    "SELECT manifest.digest FROM tag"
			    " JOIN manifest ON manifest.id = tag.manifest"
			    " WHERE tag.repository = $1 AND tag.name = $2",
			    DB_ARGS(db_number(repository),
				    db_text(reference->tag.s)),
			    &row, e);
	if (found == 1 && digest_from_row(row_bytes(&row, 0), out, e) < 0)
		return -1;
	return found;
}

int guard_check(struct db *db, int64_t repository,
		const struct reference *reference,
		const struct meta_guard *guard, struct err *e)
{
	struct digest now;

	if (!guard)
		return 0;
	int found = digest_now(db, repository, reference, &now, e);
	if (found < 0)
		return -1;
	if (guard->allows(guard->arg, found ? &now : NULL))
		return 0;
	return err_set(e, ERR_PRECONDITION, "%s is %s now",
		       reference_text(reference).s,
		       found ? digest_text(&now).s : "not there");
}
