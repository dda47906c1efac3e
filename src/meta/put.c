/*
 * A manifest on its way in, with what it names. Where something is pushed, all
 * that an image names must be linked at the moment of its put, and what is
 * named is safe from sweeps until the manifest is dropped.
 */
#include "meta/inside.h"

/* As the schema has it. */
enum named_kind { NAMED_BLOB = 1, NAMED_FOREIGN = 2, NAMED_MANIFEST = 3 };

static enum named_kind kind_of(const struct descriptor *descriptor)
{
	if (descriptor->role == DESCRIPTOR_MANIFEST)
		return NAMED_MANIFEST;
	return descriptor->foreign ? NAMED_FOREIGN : NAMED_BLOB;
}

static int manifest_insert(struct db *db, int64_t repository,
			   const struct manifest *manifest, struct err *e)
{
	struct digest_row digest = digest_row(&manifest->digest);
	struct digest_row subject = digest_row(&manifest->subject);

	return db_do(db,
		     "INSERT INTO manifest (repository, digest, media_type,"
		     " artifact_type, subject, bytes)"
		     " VALUES ($1, $2, $3, $4, $5, $6)"
		     " ON CONFLICT (repository, digest)"
		     " DO UPDATE SET media_type = excluded.media_type,"
		     " bytes = excluded.bytes, damaged = 0",
		     DB_ARGS(db_number(repository), db_digest(&digest),
			     db_text(manifest->media_type),
			     db_text(manifest->artifact_type),
			     manifest->has_subject ? db_digest(&subject) :
						     db_null(),
			     db_bytes(manifest->bytes)),
		     e);
}

/* ------------------------------------------------------- what it names */

/* Named both as a blob that must be here and as one that may be missing, it
   must be here. */
static int named_insert(struct db *db, int64_t repository, int64_t manifest,
			const struct descriptor *descriptor, struct err *e)
{
	struct digest_row digest = digest_row(&descriptor->digest);

	return db_do(db,
		     "INSERT INTO named"
		     " (digest, repository, manifest, kind, size)"
		     " VALUES ($1, $2, $3, $4, $5)"
		     " ON CONFLICT (digest, repository, manifest)"
		     " DO UPDATE SET kind = excluded.kind"
		     " WHERE excluded.kind < named.kind",
		     DB_ARGS(db_digest(&digest), db_number(repository),
			     db_number(manifest),
			     db_number(kind_of(descriptor)),
			     db_number(descriptor->size)),
		     e);
}

/* Holds on to the blob. 1: it is here; 0: it is not; -1. */
static int blob_hold(struct db *db, int64_t repository,
		     const struct digest *digest, int64_t *size_out,
		     struct err *e)
{
	struct meta_blob blob;
	int held = link_settle(db, repository, digest, e);

	if (held <= 0)
		return held;
	if (blob_find(db, digest, &blob, e) < 0)
		return -1;
	*size_out = blob.size;
	return blob.damage == DAMAGE_NONE;
}

static int manifest_size(struct db *db, int64_t repository,
			 const struct digest *digest, int64_t *size_out,
			 struct err *e)
{
	struct digest_row key = digest_row(digest);
	auto_rows struct rows row;
	int found = db_find(db,
			    "SELECT length(bytes) FROM manifest"
			    " WHERE repository = $1 AND digest = $2",
			    DB_ARGS(db_number(repository), db_digest(&key)),
			    &row, e);

	if (found == 1)
		*size_out = row_number(&row, 0);
	return found;
}

/*
 * Is it here, and as large as its descriptor says? What an index names by a
 * type that nobody knows may be a blob or a manifest.
 */
static int named_check(struct db *db, int64_t repository,
		       enum manifest_kind named_by,
		       struct descriptor *descriptor, struct err *e)
{
	const struct digest *digest = &descriptor->digest;
	int64_t size = descriptor->size;
	int here = 0;

	if (descriptor->role != DESCRIPTOR_MANIFEST)
		here = blob_hold(db, repository, digest, &size, e);
	if (here == 0 && named_by == MANIFEST_INDEX)
		here = manifest_size(db, repository, digest, &size, e);
	if (here < 0)
		return -1;
	descriptor->missing = !here && !descriptor->foreign;
	if (size == descriptor->size)
		return 0;
	return err_set(e, ERR_SIZE_INVALID,
		       "%s has %lld bytes, and not %lld as the manifest says",
		       digest_text(digest).s, (long long)size,
		       (long long)descriptor->size);
}

/* All of it is looked at, so that the client hears of all that is missing. */
static int named_put(struct db *db, int64_t repository, int64_t id,
		     const struct meta_put *put, struct err *e)
{
	const struct manifest *manifest = put->manifest;
	const struct descriptor *missing = NULL;

	for (size_t i = 0; i < manifest->count; i++) {
		struct descriptor *at = &manifest->descriptors[i];

		if (repository_is_local(put->repository) &&
		    named_check(db, repository, manifest->kind, at, e) < 0)
			return -1;
		if (at->missing && !missing)
			missing = at;
		if (named_insert(db, repository, id, at, e) < 0)
			return -1;
	}
	if (!missing || put->accept_missing || manifest->kind == MANIFEST_INDEX)
		return 0;
	return err_set(e, ERR_MANIFEST_BLOB_UNKNOWN,
		       "the manifest names blob %s, which is not here",
		       digest_text(&missing->digest).s);
}

/* ----------------------------------------------------------- all of it */

static int repository_take(struct db *db, int64_t repository, struct err *e)
{
	return db_do(db,
		     "UPDATE repository SET taken = 1"
		     " WHERE id = $1 AND taken = 0",
		     DB_ARGS(db_number(repository)), e);
}

static int tag_put(struct db *db, const struct tag_place *place,
		   int64_t manifest, struct err *e)
{
	if (rules_check_move(db, place, manifest, e) < 0)
		return -1;
	return tag_point(db, place->id, place->tag, manifest, e);
}

static int tags_point(struct db *db, int64_t repository, int64_t manifest,
		      const struct meta_put *put, struct err *e)
{
	struct tag_place place = { put->repository, repository,
				   &put->reference->tag };

	if (put->reference->kind == REFERENCE_TAG &&
	    tag_put(db, &place, manifest, e) < 0)
		return -1;
	for (size_t i = 0; i < put->tag_count; i++) {
		place.tag = &put->tags[i];
		if (tag_put(db, &place, manifest, e) < 0)
			return -1;
	}
	return 0;
}

/* Is there room for it, if it is new? */
static int room_check(struct db *db, int64_t repository,
		      const struct meta_put *put, struct err *e)
{
	const struct manifest *manifest = put->manifest;
	int64_t id;
	int found = manifest_find(db, repository, &manifest->digest, &id, e);

	if (found != 0)
		return found < 0 ? -1 : 0;
	return quota_check(db, put->repository, NULL,
			   (int64_t)manifest->bytes.len, e);
}

static int manifest_put(struct db *db, void *arg, struct err *e)
{
	const struct meta_put *put = arg;
	const struct manifest *manifest = put->manifest;
	int64_t repository, id = 0;

	if (repository_need(db, put->repository, &repository, e) < 0 ||
	    guard_check(db, repository, put->reference, put->guard, e) < 0 ||
	    room_check(db, repository, put, e) < 0 ||
	    repository_take(db, repository, e) < 0 ||
	    manifest_insert(db, repository, manifest, e) < 0 ||
	    manifest_find(db, repository, &manifest->digest, &id, e) < 0 ||
	    named_put(db, repository, id, put, e) < 0 ||
	    stamp_put(db, put->repository, id, e) < 0 ||
	    stamp_use(db, id, e) < 0)
		return -1;
	if (manifest->has_subject &&
	    referrer_put(db, repository, id, manifest, e) < 0)
		return -1;
	return tags_point(db, repository, id, put, e);
}

int meta_manifest_put(struct meta *meta, const struct meta_put *put,
		      struct err *e)
{
	struct meta_put copy = *put;

	return meta_write(meta, manifest_put, &copy, e);
}
