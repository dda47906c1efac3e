/*
 * Blobs in memory, for tests: each one an anonymous file of its own, opened
 * anew for each reader.
 */
#include <stdio.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <sys/sendfile.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/thread.h"
#include "blob/backend.h"

struct mem_blob {
	struct digest digest;
	uint64_t id;
	int64_t size;
	int fd;
	LIST_ENTRY(mem_blob) link;
};

struct blob_mem {
	struct blob_store store;
	pthread_mutex_t lock;
	LIST_HEAD(, mem_blob) blobs;
};

static struct blob_mem *mem_of(struct blob_store *store)
{
	return (struct blob_mem *)store;
}

/* With the lock held. */
static struct mem_blob *mem_find(struct blob_mem *mem,
				 const struct digest *digest, uint64_t id)
{
	struct mem_blob *blob;

	LIST_FOREACH(blob, &mem->blobs, link)
	{
		if (blob->id == id && digest_eq(&blob->digest, digest))
			return blob;
	}
	return NULL;
}

static void mem_forget(struct mem_blob *blob)
{
	LIST_REMOVE(blob, link);
	close(blob->fd);
	free(blob);
}

/* A copy of the whole file `from` in memory. */
static int mem_copy(int from, int64_t size, struct err *e)
{
	auto_fd int to = memfd_create("blob", MFD_CLOEXEC);
	off_t offset = 0;

	if (to < 0)
		return err_sys(e, "memfd");
	while (offset < size) {
		ssize_t done =
			sendfile(to, from, &offset, (size_t)(size - offset));

		if (done <= 0)
			return err_sys(e, "memfd");
	}
	return steal_fd(&to);
}

static int mem_commit(struct blob_store *store, const struct digest *digest,
		      uint64_t id, int fd, struct err *e)
{
	struct blob_mem *mem = mem_of(store);
	int64_t size;

	if (io_size(fd, &size, e) < 0)
		return -1;
	int copy = mem_copy(fd, size, e);
	if (copy < 0)
		return -1;

	struct mem_blob *blob = mem_alloc(sizeof(*blob));
	*blob = (struct mem_blob){
		.digest = *digest,
		.id = id,
		.size = size,
		.fd = copy,
	};
	hold_mutex(&mem->lock);
	struct mem_blob *before = mem_find(mem, digest, id);
	if (before)
		mem_forget(before);
	LIST_INSERT_HEAD(&mem->blobs, blob, link);
	return 0;
}

static int mem_peek(struct blob_store *store, const struct digest *digest,
		    uint64_t id, struct blob_place *out, struct err *e)
{
	struct blob_mem *mem = mem_of(store);
	char path[32];

	hold_mutex(&mem->lock);
	const struct mem_blob *blob = mem_find(mem, digest, id);
	if (!blob)
		return blob_missing(digest, id, e);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", blob->fd);
	out->kind = BLOB_AT_FILE;
	out->size = blob->size;
	out->fd = open(path, O_RDONLY | O_CLOEXEC);
	return out->fd < 0 ? err_sys(e, "%s", path) : 0;
}

static int mem_delete(struct blob_store *store, const struct digest *digest,
		      uint64_t id, struct err *e)
{
	struct blob_mem *mem = mem_of(store);

	(void)e;
	hold_mutex(&mem->lock);
	struct mem_blob *blob = mem_find(mem, digest, id);
	if (blob)
		mem_forget(blob);
	return 0;
}

/* What is there now, without its files; `visit` may change it. */
static size_t mem_look(struct blob_mem *mem, struct mem_blob **out)
{
	const struct mem_blob *blob;
	size_t count = 0;

	hold_mutex(&mem->lock);
	LIST_FOREACH(blob, &mem->blobs, link)
	{
		*out = mem_grow(*out, (count + 1) * sizeof(**out));
		(*out)[count++] = *blob;
	}
	return count;
}

static int mem_list(struct blob_store *store, blob_visit visit, void *arg,
		    struct err *e)
{
	auto_free struct mem_blob *blobs = NULL;
	size_t count = mem_look(mem_of(store), &blobs);

	for (size_t i = 0; i < count; i++) {
		if (visit(&blobs[i].digest, blobs[i].id, blobs[i].size, arg,
			  e) < 0)
			return -1;
	}
	return 0;
}

static int mem_strays(struct blob_store *store, blob_stray visit, void *arg,
		      struct err *e)
{
	(void)store, (void)visit, (void)arg, (void)e;
	return 0;
}

static int mem_copy_in(struct blob_store *store, const struct digest *digest,
		       uint64_t id, const struct blob_source *source,
		       enum blob_way *out, struct err *e)
{
	*out = BLOB_COPIED;
	return mem_commit(store, digest, id, source->fd, e);
}

static int mem_settle_in(struct blob_store *store, struct err *e)
{
	(void)store, (void)e;
	return 0;
}

static void mem_close(struct blob_store *store)
{
	struct blob_mem *mem = mem_of(store);

	while (!LIST_EMPTY(&mem->blobs))
		mem_forget(LIST_FIRST(&mem->blobs));
	pthread_mutex_destroy(&mem->lock);
	free(mem);
}

static const struct blob_backend mem_backend = {
	.commit = mem_commit,
	.peek = mem_peek,
	.delete = mem_delete,
	.set_aside = mem_delete,
	.list = mem_list,
	.strays = mem_strays,
	.copy = mem_copy_in,
	.settle = mem_settle_in,
	.close = mem_close,
};

struct blob_store *blob_mem_open(void)
{
	struct blob_mem *mem = mem_alloc(sizeof(*mem));

	mem->store.backend = &mem_backend;
	pthread_mutex_init(&mem->lock, NULL);
	LIST_INIT(&mem->blobs);
	return &mem->store;
}
