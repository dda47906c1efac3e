/*
 * Referrers: manifests with a subject, under that subject. What a list shows
 * of each is made once, when it is put, so that a list of thousands is a walk
 * through neighbouring rows.
 */
#include "meta/inside.h"

int referrer_put(struct db *db, int64_t repository, int64_t id,
		 const struct manifest *manifest, struct err *e)
{
	struct digest_row subject = digest_row(&manifest->subject);
	auto_buf struct buf descriptor = { 0 };

	manifest_describe(manifest, &descriptor);
	return db_do(db,
		     "INSERT INTO referrer (repository, subject, manifest,"
		     " artifact_type, descriptor) VALUES ($1, $2, $3, $4, $5)"
		     " ON CONFLICT (repository, subject, manifest)"
		     " DO UPDATE SET artifact_type = excluded.artifact_type,"
		     " descriptor = excluded.descriptor",
		     DB_ARGS(db_number(repository), db_digest(&subject),
			     db_number(id), db_text(manifest->artifact_type),
			     db_text(descriptor.at)),
		     e);
}

/* --------------------------------------------------------------- old ones */

/* What cannot be read now could not be put now, either: it is left out. */
static int row_fill(struct db *db, const struct rows *row, struct err *e)
{
	auto_of(arena) struct arena *arena = arena_open();
	struct manifest manifest;
	struct digest digest;
	struct err ignored;

	if (digest_from_row(row_bytes(row, 2), &digest, &ignored) < 0 ||
	    manifest_parse(row_bytes(row, 4), row_text(row, 3),
			   digest.algorithm, arena, &manifest, &ignored) < 0 ||
	    !manifest.has_subject)
		return 0;
	return referrer_put(db, row_number(row, 1), row_number(row, 0),
			    &manifest, e);
}

int referrers_fill(struct db *db, struct err *e)
{
	auto_rows struct rows rows;
	int found = db_find(db,
			    "SELECT id, repository, digest, media_type, bytes"
			    " FROM manifest WHERE subject IS NOT NULL",
			    DB_NO_ARGS, &rows, e);

	while (found == 1) {
		if (row_fill(db, &rows, e) < 0)
			return -1;
		found = rows_next(&rows, e);
	}
	return found;
}

/* ----------------------------------------------------------------- listing */

static bool is_wanted(struct span artifact_type,
		      const struct meta_referrers *list)
{
	for (size_t i = 0; i < list->type_count; i++)
		if (span_eq(artifact_type, list->types[i]))
			return true;
	return list->type_count == 0;
}

void meta_referrer_add(struct meta_referrers *list, int64_t place,
		       struct span artifact_type, struct span descriptor,
		       struct buf *out)
{
	if (!is_wanted(artifact_type, list))
		return;
	list->more = list->count > 0 &&
		     out->len + 1 + descriptor.len > list->room;
	if (list->more)
		return;
	if (list->count++ > 0)
		buf_add(out, SPAN(","));
	buf_add(out, descriptor);
	list->after = place;
}

int meta_referrers_peek(struct meta *meta, const struct repository *repository,
			struct meta_referrers *list, struct buf *out,
			struct err *e)
{
	struct digest_row subject = digest_row(&list->subject);
	auto_of(reader) struct reader *reader = reader_take(meta, e);
	if (!reader)
		return -1;

	auto_rows struct rows rows;
	int found =
		db_find(reader->db,
			"SELECT manifest, descriptor, artifact_type"
			" FROM referrer WHERE repository ="
			" (SELECT id FROM repository"
			"  WHERE upstream = $1 AND name = $2)"
			" AND subject = $3 AND manifest > $4"
			" ORDER BY manifest",
			DB_ARGS(db_text(repository->upstream),
				db_text(repository->name.s),
				db_digest(&subject), db_number(list->after)),
			&rows, e);

	list->count = 0;
	list->more = false;
	while (found == 1 && !list->more) {
		meta_referrer_add(list, row_number(&rows, 0),
				  row_text(&rows, 2), row_text(&rows, 1), out);
		if (!list->more)
			found = rows_next(&rows, e);
	}
	return found < 0 ? -1 : 0;
}
