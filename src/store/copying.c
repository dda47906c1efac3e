/*
 * Blobs of a snapshot from one place to another, which may have some of them:
 * what is there under its name and with its size is what it should be.
 */
#include <errno.h>
#include <stdio.h>

#include "base/io.h"
#include "store/copying.h"

static int64_t size_there(struct blob_store *to, const struct meta_copy *copy)
{
	struct blob_place place;
	struct err ignored;

	if (blob_peek(to, &copy->digest, copy->blob.id, &place, &ignored) < 0)
		return -1;
	close(place.fd);
	return place.size;
}

static void count(struct store_count *count, const struct meta_copy *copy)
{
	count->number++;
	count->bytes += copy->blob.size;
}

void copying_lost(struct copying *copying, const struct meta_copy *copy)
{
	count(&copying->out->lost, copy);
	copying->done += copy->blob.size;
}

static int missing(struct copying *copying, const struct meta_copy *copy,
		   struct err *e)
{
	if (copying->missing)
		return copying->missing(copying, copy, e);
	copying_lost(copying, copy);
	return 0;
}

/* ---------------------------------------------------------------- damage */

/* 1: the copy is what its digest says; 0: it is not; -1: nobody knows. */
static int copy_judge(struct copying *copying, const struct meta_copy *copy,
		      struct err *e)
{
	static const struct store_verify how;
	struct store *store = copying->store;
	struct scrub_pace pace = { .scrubber = &store->scrubber, .how = &how };
	struct digest found = { .algorithm = copy->digest.algorithm };
	struct blob_place place;

	if (blob_peek(copying->to, &copy->digest, copy->blob.id, &place, e) < 0)
		return -1;
	auto_of(reread) struct reread *reread = reread_open();
	int failed = reread_digest(reread, &place, &pace, &found, e);
	close(place.fd);
	return failed ? -1 : digest_eq(&found, &copy->digest);
}

/*
 * It is known to be damaged where it comes from. The copy may be from before
 * that, or another name of the same file.
 */
static int damaged_visited(struct copying *copying,
			   const struct meta_copy *copy, struct err *e)
{
	int sound = copy_judge(copying, copy, e);

	if (sound < 0 && e->kind == ERR_CLOSED)
		return -1;
	if (sound == 1) {
		copying->done += copy->blob.size;
		return 0;
	}
	copying_lost(copying, copy);
	return sound == 0 ? blob_delete(copying->to, &copy->digest,
					copy->blob.id, e) :
			    0;
}

/* ---------------------------------------------------------------- copying */

static bool go_on(int64_t bytes, void *arg)
{
	struct copying *copying = arg;

	copying->done += bytes;
	return copying->how->progress(copying->done, copying->all,
				      copying->how->arg);
}

/* 1: it is there; 0: it is damaged where it comes from; -1. */
static int file_copy(struct copying *copying, const struct meta_copy *copy,
		     int fd, struct err *e)
{
	struct blob_source source = {
		.fd = fd,
		.size = copy->blob.size,
		.may_link = copying->may_link,
		.go_on = go_on,
		.arg = copying,
	};
	int64_t before = copying->done;
	enum blob_way way;
	int failed = blob_copy(copying->to, &copy->digest, copy->blob.id,
			       &source, &way, e);

	copying->done = before;
	if (failed)
		return e->kind == ERR_CORRUPT ? 0 : -1;
	count(&copying->out->added[way], copy);
	return 1;
}

static int blob_bring(struct copying *copying, const struct meta_copy *copy,
		      struct err *e)
{
	struct blob_place place;

	if (blob_peek(copying->from, &copy->digest, copy->blob.id, &place, e) <
	    0)
		return e->kind == ERR_NOT_FOUND ? missing(copying, copy, e) :
						  -1;
	auto_fd int fd = place.fd;
	int done = place.size == copy->blob.size ?
			   file_copy(copying, copy, fd, e) :
			   0;
	if (done == 0)
		copying_lost(copying, copy);
	if (done > 0)
		copying->done += copy->blob.size;
	return done < 0 ? -1 : 0;
}

static int blob_visited(const struct meta_copy *copy, void *arg, struct err *e)
{
	struct copying *copying = arg;

	if (!go_on(0, copying))
		return err_set(e, ERR_CLOSED, "it was told to end");
	int damaged =
		copying->is_damaged ? copying->is_damaged(copying, copy, e) : 0;
	if (damaged < 0)
		return -1;
	if (damaged)
		return damaged_visited(copying, copy, e);
	if (size_there(copying->to, copy) != copy->blob.size)
		return blob_bring(copying, copy, e);
	copying->done += copy->blob.size;
	return 0;
}

int copying_run(struct copying *copying, struct meta_snapshot *snapshot,
		struct err *e)
{
	struct store_copied *out = copying->out;
	struct meta_extent extent;

	if (meta_snapshot_extent(snapshot, &extent, e) < 0)
		return -1;
	out->lost = (struct store_count){ 0 };
	copying->vanished = false;
	copying->done = 0;
	copying->all = extent.bytes;
	if (meta_snapshot_each(snapshot, blob_visited, copying, e) < 0)
		return -1;
	out->blobs.number = extent.blobs - out->lost.number;
	out->blobs.bytes = extent.bytes - out->lost.bytes;
	return blob_settle(copying->to, e);
}

int copying_end(const struct store_copied *copied, struct err *e)
{
	if (copied->lost.number == 0)
		return 0;
	return err_set(e, ERR_CORRUPT,
		       "all is there but %llu blob%s, missing or damaged: "
		       "private-registry verify names %s",
		       (unsigned long long)copied->lost.number,
		       copied->lost.number == 1 ? "" : "s",
		       copied->lost.number == 1 ? "it" : "them");
}

int file_place(int dir, const char *name, const char *name_new, struct err *e)
{
	auto_fd int fd = io_open_at(dir, name, O_RDONLY, e);

	if (fd < 0 || io_sync(fd, e) < 0)
		return -1;
	if (renameat(dir, name, dir, name_new) < 0)
		return err_sys(e, "%s", name_new);
	return io_sync(dir, e);
}
