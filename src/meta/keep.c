/*
 * What rules do not keep, found and removed a page at a time.
 *
 * A look reads, and so holds nobody up. What it found is judged once more in
 * the transaction that removes it, which is short; there nothing counts as
 * going that is still there. So an index goes before what it names, and a
 * subject before what refers to it, each in a walk of its own.
 */
#include "meta/inside.h"

#define LOOK_ROWS 512
#define HOLDERS 64 /* that are looked at for one; what has more stays */

/* A look or a take. */
struct judge {
	struct db *db;
	struct meta *meta; /* of a take; else null */
	const struct meta_keep *keep;
	int64_t now;  /* registry time, ms */
	int64_t turn; /* of the oldest recent tag */
	int left;     /* holders that may still be looked at for this one */
};

/* The functions below return 1 if it may go, 0 if it stays, or -1. */

static int number_find(struct db *db, const char *sql, struct db_args args,
		       int64_t *out, struct err *e)
{
	auto_rows struct rows row;
	int found = db_find(db, sql, args, &row, e);

	if (found == 1)
		*out = row_number(&row, 0);
	return found;
}

/* Tags that are attached to something are not counted. */
static int newest_find(struct judge *judge, struct err *e)
{
	int64_t last = keep_last(judge->keep->rules);

	judge->turn = last ? INT64_MIN : INT64_MAX;
	if (!last)
		return 0;
	return number_find(judge->db,
			   "SELECT turn FROM tag WHERE repository = $1"
			   " AND name NOT LIKE 'sha256-"
			   "________________________________"
			   "________________________________%'"
			   " ORDER BY turn DESC LIMIT 1 OFFSET $2",
			   DB_ARGS(db_number(judge->keep->place->id),
				   db_number(last - 1)),
			   &judge->turn, e) < 0 ?
		       -1 :
		       0;
}

static int judge_open(struct judge *judge, struct err *e)
{
	if (number_find(judge->db, "SELECT ran_ms FROM state", DB_NO_ARGS,
			&judge->now, e) < 0)
		return -1;
	return judge->keep->kind == META_TAGS ? newest_find(judge, e) : 0;
}

static const char *text_of(const struct judge *judge, const struct buf *text)
{
	return arena_text(judge->keep->arena, buf_span(text));
}

/* ------------------------------------------------------------------- tags */

/* Columns of a tag, for tag_read. */
#define TAG_COLUMNS                                             \
	"SELECT tag.id, tag.name, tag.manifest, tag.turn,"      \
	" manifest.digest, tag.pushed * 1000, stamp.used"       \
	" FROM tag JOIN manifest ON manifest.id = tag.manifest" \
	" JOIN stamp ON stamp.manifest = tag.manifest"

/* 1: it is attached to what is here; 0; -1. */
static int attached_look(const struct judge *judge, const char *name,
			 bool *attached_out, struct err *e)
{
	struct digest subject;
	int64_t id;

	*attached_out = keep_is_attached(name, &subject);
	return *attached_out ? manifest_find(judge->db, judge->keep->place->id,
					     &subject, &id, e) :
			       0;
}

static int tag_spared(const struct judge *judge, const char *name,
		      struct keep_tag *facts, struct err *e)
{
	bool attached;
	int spared = attached_look(judge, name, &attached, e);

	if (attached)
		facts->is_recent = false;
	if (spared != 0)
		return spared;
	return tag_is_immutable(judge->db, &judge->keep->place->repository,
				name, e);
}

static int tag_judge(const struct judge *judge, const struct rows *row,
		     struct meta_gone *out, struct err *e)
{
	struct keep_tag facts = {
		.name = out->tag.s,
		.is_recent = row_number(row, 3) >= judge->turn,
		.pushed_ago = judge->now - row_number(row, 5),
		.used_ago = judge->now - row_number(row, 6),
	};
	auto_buf struct buf why = { 0 };

	out->id = row_number(row, 0);
	out->manifest = row_number(row, 2);
	out->turn = row_number(row, 3);
	span_copy(row_text(row, 1), out->tag.s, sizeof(out->tag.s));
	if (digest_from_row(row_bytes(row, 4), &out->digest, e) < 0)
		return -1;
	int spared = tag_spared(judge, out->tag.s, &facts, e);
	if (spared != 0)
		return spared < 0 ? -1 : 0;
	if (keep_tag_stays(judge->keep->rules, &facts))
		return 0;
	keep_tag_why(judge->keep->rules, &facts, &why);
	out->why = text_of(judge, &why);
	return 1;
}

static int tags_look(struct judge *judge, struct meta_keep *keep, struct err *e)
{
	auto_rows struct rows row;
	size_t seen = 0;
	int found =
		db_find(judge->db,
			TAG_COLUMNS " WHERE tag.repository = $1"
				    " AND tag.turn > $2"
				    " ORDER BY tag.turn LIMIT $3",
			DB_ARGS(db_number(keep->place->id),
				db_number(keep->last), db_number(LOOK_ROWS)),
			&row, e);

	for (; found == 1 && keep->count < META_GONE; seen++) {
		int goes = tag_judge(judge, &row, &keep->gone[keep->count], e);

		if (goes < 0)
			return -1;
		keep->count += (size_t)goes;
		keep->last = row_number(&row, 3);
		found = rows_next(&row, e);
	}
	keep->more = found == 1 || seen == LOOK_ROWS;
	return found < 0 ? -1 : 0;
}

static bool just_used(const struct judge *judge, int64_t tag, int64_t manifest)
{
	return use_noted(judge->meta, (uint64_t)tag * 2 + 1) ||
	       use_noted(judge->meta, (uint64_t)manifest * 2);
}

static int tag_take(struct judge *judge, const struct meta_gone *gone,
		    struct err *e)
{
	struct meta_gone now = { 0 };
	int goes = 0;

	{
		auto_rows struct rows row;
		int found = db_find(judge->db, TAG_COLUMNS " WHERE tag.id = $1",
				    DB_ARGS(db_number(gone->id)), &row, e);

		if (found == 1)
			goes = tag_judge(judge, &row, &now, e);
		if (found < 0 || goes < 0)
			return -1;
	}
	if (!goes || now.manifest != gone->manifest || now.turn != gone->turn ||
	    just_used(judge, now.id, now.manifest))
		return 0;
	return db_do(judge->db, "DELETE FROM tag WHERE id = $1",
		     DB_ARGS(db_number(now.id)), e) < 0 ?
		       -1 :
		       1;
}

/* -------------------------------------------------------------- manifests */

/* What is known of one before its holders are looked at. */
struct untagged {
	int64_t id;
	bool is_tagged;
	bool has_subject;
	int64_t idle_since;
};

#define MANIFEST_COLUMNS                                         \
	"SELECT manifest.id, manifest.digest, stamp.used,"       \
	" stamp.untagged,"                                       \
	" CASE WHEN manifest.subject IS NULL THEN 0 ELSE 1 END," \
	" CASE WHEN EXISTS (SELECT 1 FROM tag"                   \
	"  WHERE tag.manifest = manifest.id) THEN 1 ELSE 0 END"  \
	" FROM manifest JOIN stamp ON stamp.manifest = manifest.id"

static void untagged_read(const struct rows *row, struct untagged *out)
{
	int64_t used = row_number(row, 2), untagged = row_number(row, 3);

	*out = (struct untagged){
		.id = row_number(row, 0),
		.is_tagged = row_number(row, 5),
		.has_subject = row_number(row, 4),
		.idle_since = used > untagged ? used : untagged,
	};
}

/* Indexes that name it, and its subject, if they are here. */
static int holders_find(const struct judge *judge, int64_t manifest,
			int64_t holders[HOLDERS], size_t *count_out,
			struct err *e)
{
	auto_rows struct rows row;
	int found = db_find(judge->db,
			    "SELECT named.manifest FROM manifest"
			    " JOIN named ON named.digest = manifest.digest"
			    " AND named.repository = manifest.repository"
			    " WHERE manifest.id = $1"
			    " UNION ALL SELECT subject.id FROM manifest"
			    " JOIN manifest AS subject"
			    " ON subject.repository = manifest.repository"
			    " AND subject.digest = manifest.subject"
			    " WHERE manifest.id = $1",
			    DB_ARGS(db_number(manifest)), &row, e);

	for (*count_out = 0; found == 1 && *count_out < HOLDERS;) {
		holders[(*count_out)++] = row_number(&row, 0);
		found = rows_next(&row, e);
	}
	return found;
}

static int manifest_goes(struct judge *judge, const struct untagged *manifest,
			 struct keep_manifest *facts, struct err *e);

static int one_goes(struct judge *judge, int64_t id, struct err *e)
{
	struct untagged manifest;
	struct keep_manifest ignored;

	{
		auto_rows struct rows row;
		int found = db_find(judge->db,
				    MANIFEST_COLUMNS " WHERE manifest.id = $1",
				    DB_ARGS(db_number(id)), &row, e);

		if (found <= 0)
			return found;
		untagged_read(&row, &manifest);
	}
	return manifest_goes(judge, &manifest, &ignored, e);
}

/*
 * Do all that hold it go as well? In a take, they have to be gone. What cannot
 * be seen by a few looks goes after them, in a later walk.
 */
static int holders_go(struct judge *judge, int64_t manifest, struct err *e)
{
	int64_t holders[HOLDERS];
	size_t count;
	int more = holders_find(judge, manifest, holders, &count, e);
	int goes = 1;

	if (more < 0)
		return -1;
	if (more || (count > 0 && judge->meta))
		return 0;
	for (size_t i = 0; i < count && goes == 1; i++)
		goes = judge->left-- > 0 ? one_goes(judge, holders[i], e) : 0;
	return goes;
}

static int manifest_goes(struct judge *judge, const struct untagged *manifest,
			 struct keep_manifest *facts, struct err *e)
{
	*facts = (struct keep_manifest){
		.is_orphan = manifest->has_subject,
		.idle_for = judge->now - manifest->idle_since,
	};
	if (manifest->is_tagged ||
	    keep_manifest_stays(judge->keep->rules, facts))
		return 0;
	return holders_go(judge, manifest->id, e);
}

static int manifest_judge(struct judge *judge, const struct rows *row,
			  struct meta_gone *out, struct err *e)
{
	struct untagged manifest;
	struct keep_manifest facts;
	auto_buf struct buf why = { 0 };

	untagged_read(row, &manifest);
	*out = (struct meta_gone){ .id = manifest.id };
	if (digest_from_row(row_bytes(row, 1), &out->digest, e) < 0)
		return -1;
	judge->left = HOLDERS;
	int goes = manifest_goes(judge, &manifest, &facts, e);
	if (goes != 1)
		return goes;
	keep_manifest_why(judge->keep->rules, &facts, &why);
	out->why = text_of(judge, &why);
	return 1;
}

static int manifests_look(struct judge *judge, struct meta_keep *keep,
			  const struct digest_row *last, struct err *e)
{
	auto_rows struct rows row;
	size_t seen = 0;
	int found = db_find(judge->db,
			    MANIFEST_COLUMNS " WHERE manifest.repository = $1"
					     " AND manifest.digest > $2"
					     " ORDER BY manifest.digest"
					     " LIMIT $3",
			    DB_ARGS(db_number(keep->place->id), db_digest(last),
				    db_number(LOOK_ROWS)),
			    &row, e);

	for (; found == 1 && keep->count < META_GONE; seen++) {
		struct meta_gone *gone = &keep->gone[keep->count];
		int goes = manifest_judge(judge, &row, gone, e);

		if (goes < 0)
			return -1;
		keep->last_of = gone->digest;
		keep->count += (size_t)goes;
		found = rows_next(&row, e);
	}
	keep->more = found == 1 || seen == LOOK_ROWS;
	return found < 0 ? -1 : 0;
}

static int manifest_take(struct judge *judge, const struct meta_gone *gone,
			 struct err *e)
{
	int goes = one_goes(judge, gone->id, e);

	if (goes != 1 || use_noted(judge->meta, (uint64_t)gone->id * 2))
		return goes < 0 ? -1 : 0;
	return manifest_remove(judge->db, judge->keep->place->id, gone->id, e) <
			       0 ?
		       -1 :
		       1;
}

/* ------------------------------------------------------------------ pages */

int meta_keep_look(struct meta *meta, struct meta_keep *keep, struct err *e)
{
	struct digest_row last = { .len = 0 }; /* before the first */

	thread_may_wait("meta_keep_look");
	auto_of(reader) struct reader *reader = reader_take(meta, e);
	if (!reader)
		return -1;

	struct judge judge = { .db = reader->db, .keep = keep };
	if (keep->more)
		last = digest_row(&keep->last_of);
	keep->count = 0;
	if (judge_open(&judge, e) < 0)
		return -1;
	return keep->kind == META_TAGS ? tags_look(&judge, keep, e) :
					 manifests_look(&judge, keep, &last, e);
}

struct keep_take {
	struct meta *meta;
	const struct meta_keep *keep;
	bool gone[META_GONE];
};

static int keep_take(struct db *db, void *arg, struct err *e)
{
	struct keep_take *take = arg;
	const struct meta_keep *keep = take->keep;
	struct judge judge = { .db = db, .meta = take->meta, .keep = keep };

	if (judge_open(&judge, e) < 0)
		return -1;
	for (size_t i = 0; i < keep->count; i++) {
		int gone = keep->kind == META_TAGS ?
				   tag_take(&judge, &keep->gone[i], e) :
				   manifest_take(&judge, &keep->gone[i], e);

		if (gone < 0)
			return -1;
		take->gone[i] = gone;
	}
	return 0;
}

int meta_keep_take(struct meta *meta, struct meta_keep *keep, struct err *e)
{
	struct keep_take take = { .meta = meta, .keep = keep };
	size_t kept = 0;

	if (keep->count == 0)
		return 0;
	if (meta_write(meta, keep_take, &take, e) < 0)
		return -1;
	for (size_t i = 0; i < keep->count; i++) {
		if (take.gone[i])
			keep->gone[kept++] = keep->gone[i];
	}
	keep->count = kept;
	return 0;
}

int meta_place_next(struct meta *meta, int64_t after, struct meta_place *out,
		    struct err *e)
{
	thread_may_wait("meta_place_next");
	auto_of(reader) struct reader *reader = reader_take(meta, e);
	if (!reader)
		return -1;

	auto_rows struct rows row;
	int found = db_find(reader->db,
			    "SELECT id, name FROM repository WHERE id > $1"
			    " AND upstream = '' AND taken = 1"
			    " ORDER BY id LIMIT 1",
			    DB_ARGS(db_number(after)), &row, e);
	*out = (struct meta_place){ 0 };
	if (found != 1)
		return found;
	out->id = row_number(&row, 0);
	span_copy(row_text(&row, 1), out->repository.name.s,
		  sizeof(out->repository.name.s));
	return 0;
}
