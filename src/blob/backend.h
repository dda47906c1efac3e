/*
 * blob/backend.h: what a store of blobs is made of. Not for other rooms.
 *
 * A backend's own struct begins with a struct blob_store. Its functions keep
 * the promises of store.h.
 */
#pragma once
#include "blob/store.h"

struct blob_backend {
	int (*commit)(struct blob_store *, const struct digest *, uint64_t id,
		      int fd, struct err *);
	int (*peek)(struct blob_store *, const struct digest *, uint64_t id,
		    struct blob_place *out, struct err *);
	int (*delete)(struct blob_store *, const struct digest *, uint64_t id,
		      struct err *);
	int (*set_aside)(struct blob_store *, const struct digest *,
			 uint64_t id, struct err *);
	int (*list)(struct blob_store *, blob_visit, void *arg, struct err *);
	int (*strays)(struct blob_store *, blob_stray, void *arg, struct err *);
	int (*copy)(struct blob_store *, const struct digest *, uint64_t id,
		    const struct blob_source *, enum blob_way *out,
		    struct err *);
	int (*settle)(struct blob_store *, struct err *);
	void (*close)(struct blob_store *);
};

struct blob_store {
	const struct blob_backend *backend;
};

/* ERR_NOT_FOUND, about that incarnation. */
int blob_missing(const struct digest *, uint64_t id, struct err *);
