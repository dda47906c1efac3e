/*
 * Another store with a fault in front: the call that is due fails, before the
 * store behind was asked, or after it has done its work; or something else
 * happens there first, which is how a race is walked through step by step.
 */
#include <errno.h>

#include "base/mem.h"
#include "base/thread.h"
#include "blob/backend.h"

struct blob_faulty {
	struct blob_store store;
	struct blob_store *inner;
	pthread_mutex_t lock;
	struct blob_fault next; /* nth 0: none */
};

static struct blob_faulty *faulty_of(struct blob_store *store)
{
	return (struct blob_faulty *)store;
}

/* Counts a call, and says in `due_out` what befalls it: nth 1, or nothing. */
static struct blob_store *fault_meet(struct blob_store *store,
				     enum blob_verb verb,
				     struct blob_fault *due_out)
{
	struct blob_faulty *faulty = faulty_of(store);

	hold_mutex(&faulty->lock);
	*due_out = (struct blob_fault){ 0 };
	if (faulty->next.verb == verb && faulty->next.nth > 0) {
		if (faulty->next.nth == 1)
			*due_out = faulty->next;
		faulty->next.nth--;
	}
	return faulty->inner;
}

static int fault_happen(const struct blob_fault *due, bool after, struct err *e)
{
	if (due->nth == 0 || due->after != after)
		return 0;
	if (due->meanwhile)
		due->meanwhile(due->arg);
	if (due->kind == ERR_NONE)
		return 0;
	err_set(e, due->kind, "a fault that was asked for");
	e->sys = due->kind == ERR_IO ? EIO : 0;
	return -1;
}

static int faulty_commit(struct blob_store *store, const struct digest *digest,
			 uint64_t id, int fd, struct err *e)
{
	struct blob_fault due;
	struct blob_store *inner = fault_meet(store, BLOB_COMMIT, &due);

	if (fault_happen(&due, false, e) < 0 ||
	    blob_commit(inner, digest, id, fd, e) < 0)
		return -1;
	return fault_happen(&due, true, e);
}

static int faulty_peek(struct blob_store *store, const struct digest *digest,
		       uint64_t id, struct blob_place *out, struct err *e)
{
	struct blob_fault due;
	struct blob_store *inner = fault_meet(store, BLOB_PEEK, &due);

	due.after = false;
	if (fault_happen(&due, false, e) < 0)
		return -1;
	return blob_peek(inner, digest, id, out, e);
}

static int faulty_delete(struct blob_store *store, const struct digest *digest,
			 uint64_t id, struct err *e)
{
	struct blob_fault due;
	struct blob_store *inner = fault_meet(store, BLOB_DELETE, &due);

	if (fault_happen(&due, false, e) < 0 ||
	    blob_delete(inner, digest, id, e) < 0)
		return -1;
	return fault_happen(&due, true, e);
}

static int faulty_set_aside(struct blob_store *store,
			    const struct digest *digest, uint64_t id,
			    struct err *e)
{
	struct blob_fault due;
	struct blob_store *inner = fault_meet(store, BLOB_SET_ASIDE, &due);

	if (fault_happen(&due, false, e) < 0 ||
	    blob_set_aside(inner, digest, id, e) < 0)
		return -1;
	return fault_happen(&due, true, e);
}

static int faulty_list(struct blob_store *store, blob_visit visit, void *arg,
		       struct err *e)
{
	struct blob_fault due;
	struct blob_store *inner = fault_meet(store, BLOB_LIST, &due);

	if (fault_happen(&due, false, e) < 0 ||
	    blob_list(inner, visit, arg, e) < 0)
		return -1;
	return fault_happen(&due, true, e);
}

static int faulty_strays(struct blob_store *store, blob_stray visit, void *arg,
			 struct err *e)
{
	return blob_strays(faulty_of(store)->inner, visit, arg, e);
}

static int faulty_copy(struct blob_store *store, const struct digest *digest,
		       uint64_t id, const struct blob_source *source,
		       enum blob_way *out, struct err *e)
{
	struct blob_fault due;
	struct blob_store *inner = fault_meet(store, BLOB_COPY, &due);

	if (fault_happen(&due, false, e) < 0 ||
	    blob_copy(inner, digest, id, source, out, e) < 0)
		return -1;
	return fault_happen(&due, true, e);
}

static int faulty_settle(struct blob_store *store, struct err *e)
{
	return blob_settle(faulty_of(store)->inner, e);
}

static void faulty_close(struct blob_store *store)
{
	struct blob_faulty *faulty = faulty_of(store);

	blob_close(&faulty->inner);
	pthread_mutex_destroy(&faulty->lock);
	free(faulty);
}

static const struct blob_backend faulty_backend = {
	.commit = faulty_commit,
	.peek = faulty_peek,
	.delete = faulty_delete,
	.set_aside = faulty_set_aside,
	.list = faulty_list,
	.strays = faulty_strays,
	.copy = faulty_copy,
	.settle = faulty_settle,
	.close = faulty_close,
};

struct blob_store *blob_fault_open(struct blob_store *inner)
{
	struct blob_faulty *faulty = mem_alloc(sizeof(*faulty));

	faulty->store.backend = &faulty_backend;
	faulty->inner = inner;
	pthread_mutex_init(&faulty->lock, NULL);
	return &faulty->store;
}

void blob_fault_set(struct blob_store *store, const struct blob_fault *fault)
{
	struct blob_faulty *faulty = faulty_of(store);

	hold_mutex(&faulty->lock);
	faulty->next = *fault;
}
