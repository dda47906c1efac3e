/*
 * Manifests that are here: found by tag or digest, and dropped.
 */
#include "meta/inside.h"

#define KEPT_MOST (8 * 1024) /* bytes of a manifest that is remembered */

static int manifest_unknown(const struct repository *repository,
			    const struct reference *reference, struct err *e)
{
	return err_set(e, ERR_MANIFEST_UNKNOWN, "no manifest %s in %s",
		       reference_text(reference).s,
		       repository_text(repository).s);
}

/* --------------------------------------------------------------- reading */

/* clang-format off */
/* Is a blob not here that this manifest names? */
#define A_BLOB_IS_MISSING(manifest)					\
	" EXISTS (SELECT 1 FROM named AS part"				\
	"  WHERE part.manifest = " manifest " AND part.kind = 1"	\
	"  AND NOT EXISTS"						\
	"   (SELECT 1 FROM blob WHERE blob.digest = part.digest))"

/* Of an index, however deep: is an image below it here whole? */
#define AN_IMAGE_IS_WHOLE						\
	" EXISTS (WITH RECURSIVE below (id) AS"				\
	"  (SELECT manifest.id UNION SELECT child.id FROM below"	\
	"   JOIN named ON named.manifest = below.id AND named.kind = 3"	\
	"   JOIN manifest AS child ON child.digest = named.digest"	\
	"    AND child.repository = named.repository)"			\
	"  SELECT 1 FROM below WHERE below.id <> manifest.id"		\
	"  AND EXISTS (SELECT 1 FROM named AS part"			\
	"   WHERE part.manifest = below.id AND part.kind = 1)"		\
	"  AND NOT" A_BLOB_IS_MISSING("below.id") ")"

/* meta_manifest.lacks */
#define LACKS								\
	" CASE WHEN repository.upstream = '' THEN 0"			\
	" WHEN" A_BLOB_IS_MISSING("manifest.id") " THEN 1"		\
	" WHEN NOT EXISTS (SELECT 1 FROM named"				\
	"  WHERE named.manifest = manifest.id AND named.kind = 3)"	\
	" THEN 0"							\
	" WHEN" AN_IMAGE_IS_WHOLE " THEN 0 ELSE 1 END"
/* clang-format on */

static int manifest_read(const struct rows *row, struct arena *arena,
			 struct meta_manifest *out, struct err *e)
{
	out->media_type = arena_copy(arena, row_text(row, 1));
	out->bytes = arena_copy(arena, row_bytes(row, 2));
	out->checked = row_number(row, 3);
	out->use = (uint64_t)row_number(row, 4);
	out->lacks = row_number(row, 5) != 0;
	return digest_from_row(row_bytes(row, 0), &out->digest, e);
}

static int by_tag(struct db *db, const struct repository *repository,
		  const struct tag *tag, struct rows *out, struct err *e)
{
	return db_find(db,
		       "SELECT manifest.digest, manifest.media_type,"
		       " manifest.bytes, tag.checked, tag.id * 2 + 1," LACKS
		       " FROM repository"
		       " JOIN tag ON tag.repository = repository.id"
		       " JOIN manifest ON manifest.id = tag.manifest"
		       " WHERE repository.upstream = $1"
		       " AND repository.name = $2 AND tag.name = $3"
		       " AND manifest.damaged = 0",
		       DB_ARGS(db_text(repository->upstream),
			       db_text(repository->name.s), db_text(tag->s)),
		       out, e);
}

static int by_digest(struct db *db, const struct repository *repository,
		     const struct digest *digest, struct rows *out,
		     struct err *e)
{
	struct digest_row key = digest_row(digest);

	return db_find(db,
		       "SELECT manifest.digest, manifest.media_type,"
		       " manifest.bytes, 0, manifest.id * 2," LACKS
		       " FROM repository"
		       " JOIN manifest ON manifest.repository = repository.id"
		       " WHERE repository.upstream = $1"
		       " AND repository.name = $2 AND manifest.digest = $3"
		       " AND manifest.damaged = 0",
		       DB_ARGS(db_text(repository->upstream),
			       db_text(repository->name.s), db_digest(&key)),
		       out, e);
}

static int manifest_look_up(struct db *db, const struct repository *repository,
			    const struct reference *reference,
			    struct arena *arena, struct meta_manifest *out,
			    struct err *e)
{
	auto_rows struct rows row;
	int found =
		reference->kind == REFERENCE_TAG ?
			by_tag(db, repository, &reference->tag, &row, e) :
			by_digest(db, repository, &reference->digest, &row, e);

	if (found < 0)
		return -1;
	if (found == 0)
		return manifest_unknown(repository, reference, e);
	return manifest_read(&row, arena, out, e);
}

/* As a value it is the struct, and behind it the texts of its spans. */
static void manifest_keep(struct recent *recent, const struct recent_key *key,
			  const struct meta_manifest *found)
{
	if (found->bytes.len > KEPT_MOST)
		return;
	struct buf *value = recent_keep(recent, key);
	buf_add(value, span_make((const char *)found, sizeof(*found)));
	buf_add(value, found->media_type);
	buf_add(value, found->bytes);
}

static bool manifest_recall(const struct recent *recent,
			    const struct recent_key *key, struct arena *arena,
			    struct meta_manifest *out)
{
	struct span value = recent_find(recent, key);

	if (!value.at)
		return false;
	memcpy(out, value.at, sizeof(*out));
	value = span_from(value, sizeof(*out));
	out->media_type =
		arena_copy(arena, span_make(value.at, out->media_type.len));
	value = span_from(value, out->media_type.len);
	out->bytes = arena_copy(arena, value);
	return true;
}

int meta_manifest_peek(struct meta *meta, const struct repository *repository,
		       const struct reference *reference, struct arena *arena,
		       struct meta_manifest *out, struct err *e)
{
	struct reference_text text = reference_text(reference);
	struct recent_key key = recent_key(repository, span_of(text.s));
	auto_of(reader) struct reader *reader = reader_take(meta, e);

	if (!reader)
		return -1;
	if (manifest_recall(&reader->recent, &key, arena, out))
		return 0;
	if (manifest_look_up(reader->db, repository, reference, arena, out, e) <
	    0)
		return -1;
	manifest_keep(&reader->recent, &key, out);
	return 0;
}

int manifest_find(struct db *db, int64_t repository,
		  const struct digest *digest, int64_t *id_out, struct err *e)
{
	struct digest_row key = digest_row(digest);
	auto_rows struct rows row;
	int found = db_find(db,
			    "SELECT id FROM manifest"
			    " WHERE repository = $1 AND digest = $2",
			    DB_ARGS(db_number(repository), db_digest(&key)),
			    &row, e);

	if (found == 1)
		*id_out = row_number(&row, 0);
	return found;
}

/* ------------------------------------------------------------------ drop */

struct manifest_drop {
	const struct repository *repository;
	const struct digest *digest;
	const struct meta_guard *guard;
};

static int blobs_release(struct db *db, int64_t repository, int64_t manifest,
			 struct err *e)
{
	return db_do(db,
		     "UPDATE link SET touched = (SELECT epoch FROM state)"
		     " WHERE repository = $1 AND digest IN"
		     " (SELECT digest FROM named WHERE manifest = $2)",
		     DB_ARGS(db_number(repository), db_number(manifest)), e);
}

int manifest_remove(struct db *db, int64_t repository, int64_t id,
		    struct err *e)
{
	if (blobs_release(db, repository, id, e) < 0)
		return -1;
	/* Its tags, and what it names, follow. */
	return db_do(db, "DELETE FROM manifest WHERE id = $1",
		     DB_ARGS(db_number(id)), e);
}

static int manifest_drop(struct db *db, void *arg, struct err *e)
{
	const struct manifest_drop *drop = arg;
	struct reference reference = reference_to_digest(drop->digest);
	int64_t repository, id;
	int found = repository_find(db, drop->repository, &repository, e);

	if (found == 1 &&
	    guard_check(db, repository, &reference, drop->guard, e) < 0)
		return -1;
	if (found == 1)
		found = manifest_find(db, repository, drop->digest, &id, e);
	if (found < 0)
		return -1;
	if (found == 0)
		return manifest_unknown(drop->repository, &reference, e);
	if (rules_check_tags(db, drop->repository, id, e) < 0)
		return -1;
	return manifest_remove(db, repository, id, e);
}

int meta_manifest_drop(struct meta *meta, const struct repository *repository,
		       const struct digest *digest,
		       const struct meta_guard *guard, struct err *e)
{
	struct manifest_drop drop = { repository, digest, guard };

	return meta_write(meta, manifest_drop, &drop, e);
}
