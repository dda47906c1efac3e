/*
 * The promises of store.h, handed to the backend that keeps them.
 */
#include "base/thread.h"
#include "blob/backend.h"

int blob_commit(struct blob_store *store, const struct digest *digest,
		uint64_t id, int fd, struct err *e)
{
	thread_may_wait("blob_commit");
	return store->backend->commit(store, digest, id, fd, e);
}

int blob_peek(struct blob_store *store, const struct digest *digest,
	      uint64_t id, struct blob_place *place_out, struct err *e)
{
	return store->backend->peek(store, digest, id, place_out, e);
}

int blob_delete(struct blob_store *store, const struct digest *digest,
		uint64_t id, struct err *e)
{
	thread_may_wait("blob_delete");
	return store->backend->delete (store, digest, id, e);
}

int blob_set_aside(struct blob_store *store, const struct digest *digest,
		   uint64_t id, struct err *e)
{
	thread_may_wait("blob_set_aside");
	return store->backend->set_aside(store, digest, id, e);
}

int blob_list(struct blob_store *store, blob_visit visit, void *arg,
	      struct err *e)
{
	thread_may_wait("blob_list");
	return store->backend->list(store, visit, arg, e);
}

int blob_strays(struct blob_store *store, blob_stray visit, void *arg,
		struct err *e)
{
	thread_may_wait("blob_strays");
	return store->backend->strays(store, visit, arg, e);
}

int blob_copy(struct blob_store *store, const struct digest *digest,
	      uint64_t id, const struct blob_source *source, enum blob_way *out,
	      struct err *e)
{
	thread_may_wait("blob_copy");
	return store->backend->copy(store, digest, id, source, out, e);
}

int blob_settle(struct blob_store *store, struct err *e)
{
	thread_may_wait("blob_settle");
	return store->backend->settle(store, e);
}

void blob_close(struct blob_store **pointer)
{
	struct blob_store *store = steal_ptr(pointer);

	store->backend->close(store);
}

int blob_missing(const struct digest *digest, uint64_t id, struct err *e)
{
	return err_set(e, ERR_NOT_FOUND, "no file of blob %s, incarnation %llu",
		       digest_text(digest).s, (unsigned long long)id);
}
