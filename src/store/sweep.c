/*
 * One pass over everything: arrivals, links, blobs, files.
 *
 * Rows first, their files after: when a row is gone for good, only the file
 * of exactly that incarnation goes, and whoever stores the same content again
 * has another one. Files that nothing knows are what a crash left in between.
 *
 * Whoever is at an arrival holds it, and what is held is touched before
 * sessions are looked at: so age finds only what was left alone.
 */
#include <errno.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "store/inside.h"

#define REMOVERS 4

struct pass {
	struct store *store;
	struct removers *removers; /* of blobs */
	const struct store_sweep *how;
	const struct meta_horizon *horizon;
	struct store_swept *out;
	struct pace pace;
	struct err first; /* what could not be removed, if anything */
	int failed;	  /* the whole, and why */
	struct err why;
};

static void add(const struct pass *pass, struct store_count *count,
		const struct store_dead *dead)
{
	count->number++;
	count->bytes += dead->size;
	if (pass->how->tell)
		pass->how->tell(dead, pass->how->arg);
}

/* A file that stays is tried again at the next pass, which finds it. */
static void removed(struct pass *pass, int result, const struct err *e)
{
	if (result < 0 && pass->first.kind == ERR_NONE)
		pass->first = *e;
}

/* ------------------------------------------------------- what was removed */

static void arrival_gone(struct pass *pass, const struct meta_dead *dead)
{
	struct store *store = pass->store;
	struct arrival_name name = arrival_name(dead->id);
	struct stat st = { 0 };
	struct err e;
	struct store_dead what = {
		.kind = dead->has_digest ? DEAD_FETCH : DEAD_UPLOAD,
		.repository = &dead->repository,
		.digest = dead->has_digest ? &dead->digest : NULL,
	};

	if (fstatat(store->arrivals, name.s, &st, AT_SYMLINK_NOFOLLOW) == 0)
		what.size = st.st_size;
	add(pass, &pass->out->arrivals, &what);
	if (pass->how->dry)
		return;
	uploads_expire(&store->uploads, dead->id);
	removed(pass, io_unlink_at(store->arrivals, name.s, &e), &e);
}

static void link_gone(const struct pass *pass, const struct meta_dead *dead)
{
	struct store_dead what = {
		.kind = DEAD_LINK,
		.repository = &dead->repository,
		.digest = &dead->digest,
	};

	add(pass, &pass->out->links, &what);
}

static void file_remove(const struct pass *pass, const struct digest *digest,
			uint64_t id)
{
	if (!pass->how->dry)
		removers_run(pass->removers, digest, id);
}

static void blob_gone(const struct pass *pass, const struct meta_dead *dead)
{
	struct store_dead what = {
		.kind = DEAD_BLOB,
		.digest = &dead->digest,
		.size = dead->size,
	};

	add(pass, &pass->out->blobs, &what);
	file_remove(pass, &dead->digest, dead->id);
}

static void gone(struct pass *pass, enum meta_kind kind,
		 const struct meta_dead *dead)
{
	switch (kind) {
	case META_SESSIONS:
		return arrival_gone(pass, dead);
	case META_LINKS:
		return link_gone(pass, dead);
	case META_BLOBS:
		return blob_gone(pass, dead);
	}
}

/* --------------------------------------------------------------- rows */

static int rest(struct pass *pass, enum rest times, struct err *e)
{
	return collector_rest(&pass->store->collector, times, &pass->pace, e);
}

/* A page is one sync, so it is filled first. */
static int page_fill(struct pass *pass, struct meta_sweep *sweep, struct err *e)
{
	sweep->count = 0;
	do {
		if (meta_sweep_look(pass->store->meta, sweep, e) < 0 ||
		    rest(pass, REST_LOOKED, e) < 0)
			return -1;
	} while (sweep->more && sweep->count < META_PAGE);
	return 0;
}

static int page_sweep(struct pass *pass, struct meta_sweep *sweep,
		      struct err *e)
{
	if (page_fill(pass, sweep, e) < 0)
		return -1;
	if (!pass->how->dry && meta_sweep_take(pass->store->meta, sweep, e) < 0)
		return -1;
	for (size_t i = 0; i < sweep->count; i++) {
		gone(pass, sweep->kind, &sweep->dead[i]);
		if (rest(pass, REST_CHANGED, e) < 0)
			return -1;
	}
	return 0;
}

static int rows_sweep(struct pass *pass, enum meta_kind kind, struct err *e)
{
	auto_free struct meta_sweep *sweep = mem_alloc(sizeof(*sweep));

	sweep->kind = kind;
	sweep->horizon = *pass->horizon;
	do {
		if (page_sweep(pass, sweep, e) < 0)
			return -1;
	} while (sweep->more);
	pass->out->waiting.number += sweep->waiting;
	pass->out->waiting.bytes += sweep->waiting_bytes;
	return 0;
}

static int held_touch(struct store *store, struct err *e)
{
	auto_free uint64_t *ids = NULL;
	size_t count = uploads_held(&store->uploads, &ids);

	return count ? meta_session_touch(store->meta, ids, count, e) : 0;
}

/* ----------------------------------------------------------------- files */

#define GATHERED 64

/* Files of blobs that are looked up together. */
struct gathered {
	struct pass *pass;
	struct meta_incarnation at[GATHERED];
	size_t count;
};

static void blob_file_sweep(struct pass *pass,
			    const struct meta_incarnation *lost)
{
	struct store_dead what = {
		.kind = DEAD_FILE,
		.digest = &lost->digest,
		.size = lost->size,
	};

	if (!file_is_left(pass->store, &lost->digest, lost->id))
		return;
	add(pass, &pass->out->files, &what);
	file_remove(pass, &lost->digest, lost->id);
}

/* Of the files that were gathered, those that nothing knows go. */
static int gathered_sweep(struct gathered *files, struct err *e)
{
	struct pass *pass = files->pass;
	struct store *store = pass->store;

	if (meta_incarnations_lost(store->meta, files->at, &files->count, e) <
	    0)
		return -1;
	for (size_t i = 0; i < files->count; i++)
		blob_file_sweep(pass, &files->at[i]);
	enum rest times = files->count ? REST_CHANGED : REST_LOOKED;
	files->count = 0;
	return rest(pass, times, e);
}

static int blob_file_gather(const struct digest *digest, uint64_t id,
			    int64_t size, void *arg, struct err *e)
{
	struct gathered *files = arg;

	files->at[files->count++] =
		(struct meta_incarnation){ *digest, id, size };
	return files->count < GATHERED ? 0 : gathered_sweep(files, e);
}

static int blob_files_sweep(struct pass *pass, struct err *e)
{
	struct gathered files = { .pass = pass };

	if (blob_list(pass->store->blobs, blob_file_gather, &files, e) < 0)
		return -1;
	return gathered_sweep(&files, e);
}

static int arrival_file_sweep(const char *name, void *arg, struct err *e)
{
	struct pass *pass = arg;
	struct store *store = pass->store;
	int64_t id = span_decimal(span_of(name));
	struct store_dead what = { .kind = DEAD_FILE, .arrival = name };
	struct stat st;
	bool exists;

	if (id < 0)
		return 0; /* not ours: it stays */
	if (meta_session_exists(store->meta, (uint64_t)id, &exists, e) < 0)
		return -1;
	if (exists || fstatat(store->arrivals, name, &st, AT_SYMLINK_NOFOLLOW))
		return 0;
	what.size = st.st_size;
	add(pass, &pass->out->files, &what);
	if (!pass->how->dry)
		removed(pass, io_unlink_at(store->arrivals, name, e), e);
	return 0;
}

static int arrival_files_sweep(struct pass *pass, struct err *e)
{
	return dir_each(pass->store->data, "incoming", arrival_file_sweep, pass,
			e);
}

/* ------------------------------------------------------------------ pass */

static int pass_end(const struct pass *pass, struct err *e)
{
	if (pass->first.kind == ERR_NONE)
		return 0;
	*e = pass->first;
	return -1;
}

int sweep_leftovers(struct store *store, struct err *e)
{
	static const struct store_sweep how;
	struct store_swept ignored = { 0 };
	struct pass pass = { .store = store, .how = &how, .out = &ignored };

	if (arrival_files_sweep(&pass, e) < 0)
		return -1;
	return pass_end(&pass, e);
}

static int pass_run(struct pass *pass, struct err *e)
{
	if (held_touch(pass->store, e) < 0 ||
	    rows_sweep(pass, META_SESSIONS, e) < 0 ||
	    rows_sweep(pass, META_LINKS, e) < 0 ||
	    rows_sweep(pass, META_BLOBS, e) < 0 ||
	    arrival_files_sweep(pass, e) < 0)
		return -1;
	removers_await(pass->removers);
	return blob_files_sweep(pass, e);
}

static void pass_main(void *arg)
{
	struct pass *pass = arg;
	struct err e;

	thread_yields();
	pass->removers = removers_open(pass->store->blobs, REMOVERS);
	pass->pace = pace_begin();
	pass->failed = pass_run(pass, &pass->why);
	removed(pass, removers_close(&pass->removers, &e), &e);
	if (!pass->failed)
		pass->failed = pass_end(pass, &pass->why);
}

/* On a thread of its own, since no thread gets its priority back. */
int sweep_pass(struct store *store, const struct store_sweep *how,
	       const struct meta_horizon *horizon, struct store_swept *out,
	       struct err *e)
{
	struct pass pass = {
		.store = store,
		.how = how,
		.horizon = horizon,
		.out = out,
	};
	struct thread thread;

	if (!thread_try(&thread, "sweep", pass_main, &pass))
		return err_set(e, ERR_BUSY, "the system has no thread left");
	thread_join(&thread);
	*e = pass.why;
	return pass.failed;
}
