/*
 * What lies beside the blobs and arrivals, and nothing knows it. A crash
 * leaves such, and a sweep removes it; what has no name of ours was put there
 * by somebody, and stays.
 */
#include <stdio.h>
#include <sys/stat.h>

#include "base/io.h"
#include "store/scrub.h"

/* Somebody is at that arrival, and may be just tidying up. */
static bool is_held(struct store *store, uint64_t id)
{
	auto_free uint64_t *ids = NULL;
	size_t count = uploads_held(&store->uploads, &ids);

	while (count > 0 && ids[count - 1] != id)
		count--;
	return count > 0;
}

/* Whoever sweeps or evicts may be just about to remove it. */
static bool is_there(struct store *store, const struct digest *digest,
		     uint64_t id)
{
	pass_await(&store->collector.pass);
	return file_is_left(store, digest, id);
}

static int blob_file_look(const struct digest *digest, uint64_t id,
			  int64_t size, void *arg, struct err *e)
{
	struct scrub *scrub = arg;
	struct store_finding finding = {
		.kind = FOUND_FILE,
		.digest = digest,
		.size = size,
	};
	bool exists;

	if (scrub_pause(&scrub->pace, 0, e) < 0 ||
	    meta_incarnation_exists(scrub->store->meta, digest, id, &exists,
				    e) < 0)
		return -1;
	if (!exists && !is_held(scrub->store, id) &&
	    is_there(scrub->store, digest, id))
		scrub_tell(scrub, &finding);
	return 0;
}

static int stray_look(const char *path, int64_t size, void *arg, struct err *e)
{
	struct scrub *scrub = arg;
	struct store_finding finding = {
		.kind = FOUND_FILE,
		.path = path,
		.size = size,
	};

	scrub_tell(scrub, &finding);
	return scrub_pause(&scrub->pace, 0, e);
}

static int arrival_look(const char *name, void *arg, struct err *e)
{
	struct scrub *scrub = arg;
	struct store *store = scrub->store;
	int64_t id = span_decimal(span_of(name));
	bool exists = false;
	char path[300];
	struct stat st;

	if (id >= 0 &&
	    meta_session_exists(store->meta, (uint64_t)id, &exists, e) < 0)
		return -1;
	if (exists || (id >= 0 && is_held(store, (uint64_t)id)) ||
	    fstatat(store->arrivals, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	snprintf(path, sizeof(path), "incoming/%s", name);
	return stray_look(path, st.st_size, scrub, e);
}

int scrub_files(struct scrub *scrub, struct err *e)
{
	struct blob_store *blobs = scrub->store->blobs;

	if (dir_each(scrub->store->data, "incoming", arrival_look, scrub, e) <
		    0 ||
	    blob_list(blobs, blob_file_look, scrub, e) < 0)
		return -1;
	return blob_strays(blobs, stray_look, scrub, e);
}
