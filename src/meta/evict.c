/*
 * What is cached gives way, an image at a time, the least recently used first:
 * its blobs, unless something else needs them, then its manifest and tags. An
 * index goes after all that it names and that was not used since. Whatever
 * another image needs was used with that one, so ages can be compared without
 * following names. Blobs that no image needs go before all else.
 *
 * Each step looks and removes in one transaction, and a page of them takes a
 * few milliseconds: a push that links a blob comes before it or after.
 */
#include "meta/inside.h"

#define DEPTH 8 /* of indexes in indexes */

#define LINKED_LOCALLY                                        \
	"EXISTS (SELECT 1 FROM link"                          \
	" JOIN repository ON repository.id = link.repository" \
	" WHERE link.digest = blob.digest AND repository.upstream = '')"

/* By a manifest of an upstream's repository, but for number $1. */
#define NAMED_BY_OTHERS                                        \
	"EXISTS (SELECT 1 FROM named AS other"                 \
	" JOIN repository ON repository.id = other.repository" \
	" WHERE other.digest = blob.digest AND other.kind < 3" \
	" AND other.manifest <> $1 AND repository.upstream <> '')"

static int cached_bytes(struct db *db, int64_t *out, struct err *e)
{
	auto_rows struct rows row;
	int found = db_find(db, "SELECT cached_bytes FROM state", DB_NO_ARGS,
			    &row, e);

	if (found == 1)
		*out = row_number(&row, 0);
	return found < 0 ? -1 : 0;
}

int meta_cached_peek(struct meta *meta, int64_t *bytes_out, struct err *e)
{
	auto_of(reader) struct reader *reader = reader_take(meta, e);

	return reader ? cached_bytes(reader->db, bytes_out, e) : -1;
}

/* ----------------------------------------------------------------- blobs */

/* The steps below return 1 if there was something to do, 0, or -1. */

static int blob_read(const struct rows *row, struct meta_evicted *out,
		     struct err *e)
{
	out->id = (uint64_t)row_number(row, 1);
	out->size = row_number(row, 2);
	return digest_from_row(row_bytes(row, 0), &out->digest, e);
}

/* The next place of the page holds it. */
static int blob_evict(struct db *db, struct meta_evict *page, struct err *e)
{
	const struct meta_evicted *blob = &page->blobs[page->count];
	struct digest_row digest = digest_row(&blob->digest);

	if (db_do(db, "DELETE FROM link WHERE digest = $1",
		  DB_ARGS(db_digest(&digest)), e) < 0 ||
	    db_do(db, "DELETE FROM blob WHERE digest = $1",
		  DB_ARGS(db_digest(&digest)), e) < 0)
		return -1;
	page->count++;
	page->freed += blob->size;
	return 1;
}

/* A join would be a walk through all blobs, to each its loose one, if any. */
static int loose_find(struct db *db, struct meta_evicted *out, bool *needed_out,
		      struct err *e)
{
	auto_rows struct rows row;
	int found = db_find(db,
			    "SELECT blob.digest, blob.id, blob.size,"
			    " CASE WHEN " LINKED_LOCALLY " OR " NAMED_BY_OTHERS
			    " THEN 1 ELSE 0 END"
			    " FROM blob WHERE digest ="
			    " (SELECT digest FROM loose LIMIT 1)",
			    DB_ARGS(db_number(0)), &row, e);

	if (found <= 0)
		return found;
	*needed_out = row_number(&row, 3);
	return blob_read(&row, out, e) < 0 ? -1 : 1;
}

static int loose_settle(struct db *db, const struct digest *digest,
			struct err *e)
{
	struct digest_row key = digest_row(digest);

	return db_do(db, "DELETE FROM loose WHERE digest = $1",
		     DB_ARGS(db_digest(&key)), e) < 0 ?
		       -1 :
		       1;
}

/* A blob that came without a manifest goes, or has one by now. */
static int loose_step(struct db *db, struct meta_evict *page, struct err *e)
{
	struct meta_evicted *blob = &page->blobs[page->count];
	bool needed = false;
	int found = loose_find(db, blob, &needed, e);

	if (found <= 0)
		return found;
	return needed ? loose_settle(db, &blob->digest, e) :
			blob_evict(db, page, e);
}

static int named_find(struct db *db, int64_t manifest, struct meta_evicted *out,
		      struct err *e)
{
	auto_rows struct rows row;
	int found = db_find(db,
			    "SELECT blob.digest, blob.id, blob.size FROM named"
			    " JOIN blob ON blob.digest = named.digest"
			    " WHERE named.manifest = $1 AND named.kind < 3"
			    " AND NOT " LINKED_LOCALLY
			    " AND NOT " NAMED_BY_OTHERS " LIMIT 1",
			    DB_ARGS(db_number(manifest)), &row, e);

	if (found <= 0)
		return found;
	return blob_read(&row, out, e) < 0 ? -1 : 1;
}

/* -------------------------------------------------------------- manifests */

static int number_find(struct db *db, const char *sql, struct db_args args,
		       int64_t *out, struct err *e)
{
	auto_rows struct rows row;
	int found = db_find(db, sql, args, &row, e);

	if (found == 1)
		*out = row_number(&row, 0);
	return found;
}

/* Of what it names, something that was not used since. */
static int child_find(struct db *db, int64_t manifest, int64_t *out,
		      struct err *e)
{
	return number_find(db,
			   "SELECT child.id FROM named"
			   " JOIN manifest AS child"
			   " ON child.repository = named.repository"
			   " AND child.digest = named.digest"
			   " JOIN stamp ON stamp.manifest = child.id"
			   " WHERE named.manifest = $1 AND named.kind = 3"
			   " AND stamp.used <= (SELECT used FROM stamp"
			   "  WHERE manifest = $1) LIMIT 1",
			   DB_ARGS(db_number(manifest)), out, e);
}

/* The oldest image, and what of it goes next: it, or something below it. */
static int oldest_find(struct db *db, int64_t *image_out, int64_t *next_out,
		       struct err *e)
{
	int found = number_find(db,
				"SELECT manifest FROM stamp WHERE cached = 1"
				" ORDER BY used, manifest LIMIT 1",
				DB_NO_ARGS, image_out, e);

	*next_out = *image_out;
	for (int depth = 0; found == 1 && depth < DEPTH; depth++) {
		int64_t child = 0;
		int below = child_find(db, *next_out, &child, e);

		if (below <= 0)
			return below < 0 ? -1 : 1;
		*next_out = child;
	}
	return found;
}

/* Its blobs are gone, or needed elsewhere: its repository has lost them. */
static int manifest_evict(struct db *db, int64_t manifest, struct err *e)
{
	if (db_do(db,
		  "DELETE FROM link WHERE repository ="
		  " (SELECT repository FROM manifest WHERE id = $1)"
		  " AND digest IN"
		  " (SELECT digest FROM named WHERE manifest = $1)"
		  " AND NOT EXISTS (SELECT 1 FROM named AS other"
		  "  WHERE other.digest = link.digest"
		  "  AND other.repository = link.repository"
		  "  AND other.manifest <> $1)",
		  DB_ARGS(db_number(manifest)), e) < 0)
		return -1;
	/* Its tags and its stamp follow. */
	return db_do(db, "DELETE FROM manifest WHERE id = $1",
		     DB_ARGS(db_number(manifest)), e);
}

static int image_step(struct db *db, struct meta_evict *page, struct err *e)
{
	int64_t image = 0, next = 0;
	int found = oldest_find(db, &image, &next, e);

	if (found <= 0)
		return found;
	page->midway = true;
	found = named_find(db, next, &page->blobs[page->count], e);
	if (found == 1)
		return blob_evict(db, page, e);
	if (found < 0 || manifest_evict(db, next, e) < 0)
		return -1;
	page->manifests++;
	page->midway = next != image;
	return 1;
}

/* ------------------------------------------------------------------- page */

static int step(struct db *db, struct meta_evict *page, struct err *e)
{
	int64_t cached = 0;
	int done = cached_bytes(db, &cached, e);

	if (done < 0 || (cached <= 0 && !page->midway))
		return done;
	done = page->midway ? 0 : loose_step(db, page, e);
	return done == 0 ? image_step(db, page, e) : done;
}

static bool is_done(const struct meta_evict *page)
{
	return page->freed >= page->wanted && !page->midway;
}

static int evict(struct db *db, void *arg, struct err *e)
{
	struct meta_evict *page = arg;
	int done = 1;

	page->count = page->manifests = 0;
	page->freed = 0;
	page->midway = page->goes_on;
	for (int i = 0; i < META_EVICTED && !is_done(page) && done > 0; i++)
		done = step(db, page, e);
	page->more = done > 0 && !is_done(page);
	return done < 0 ? -1 : 0;
}

int meta_evict(struct meta *meta, struct meta_evict *page, struct err *e)
{
	int failed = meta_write(meta, evict, page, e);

	if (!failed)
		page->goes_on = page->midway;
	return failed;
}
