/*
 * upstream/upstream.h: talking to one other registry. distribution-spec,
 * "Pull", and the token flow of its authentication.
 *
 * Names of repositories are sent to the configured addresses only. Credentials
 * go to the host that they were configured for, and to a token realm on the
 * same host; never across a redirect, never to a realm elsewhere (which is
 * asked anonymously).
 *
 * Errors of all verbs: ERR_MANIFEST_UNKNOWN or ERR_BLOB_UNKNOWN (upstream
 * answered 404), ERR_DENIED (401, 403 in the end), ERR_BUSY (429),
 * ERR_UPSTREAM (anything else that is not an answer), ERR_UNAVAILABLE,
 * ERR_TIMEOUT.
 */
#pragma once
#include "base/arena.h"
#include "base/attr.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "oci/manifest.h"
#include "oci/name.h"

struct upstream;

struct upstream_options {
	const char *name;		/* "docker.io" */
	const char *const *urls;	/* tried in order; no path */
	size_t url_count;
	const char *ca;			/* PEM file, or null */
	const char *username;		/* null: anonymous */
	const char *password_file;	/* read at each use; first line */
};

/* Copies the options. Dials nothing. ERR_USAGE. */
int upstream_open(const struct upstream_options *, struct upstream **out,
		  struct err *) may_wait must_check;
void upstream_close(struct upstream **);
DEFINE_AUTO(upstream, upstream_close)

/* Which digest has that tag now? One HEAD (a GET where HEAD has no digest). */
int upstream_head_manifest(struct upstream *, const struct name *,
			   const struct reference *, struct digest *out,
			   struct err *) may_wait must_check;

/*
 * The manifest, at most MANIFEST_MAX bytes, in the arena. By digest its bytes
 * are checked against it: ERR_CORRUPT.
 */
struct upstream_manifest {
	struct span media_type;
	struct span bytes;
};
int upstream_get_manifest(struct upstream *, const struct name *,
			  const struct reference *, struct arena *,
			  struct upstream_manifest *out, struct err *)
	may_wait must_check;

/*
 * Whether the blob is there, and its size (-1 if upstream does not say). One
 * HEAD.
 */
int upstream_head_blob(struct upstream *, const struct name *,
		       const struct digest *, int64_t *size_out, struct err *)
	may_wait must_check;

/*
 * Where a blob's bytes go. `start` is called before the first byte with the
 * size of the whole blob (-1: unknown), once; `restart` when upstream does not
 * resume and the bytes begin again from 0; `write` with each piece in order.
 * A -1 of any of them ends the transfer with that error.
 */
struct upstream_sink {
	int (*start)(void *arg, int64_t size, struct err *);
	int (*restart)(void *arg, struct err *);
	int (*write)(void *arg, struct span, struct err *);
	void *arg;
};

/*
 * Fetches the blob from byte `offset` on. Broken transfers resume by Range, at
 * the next address if need be, with a new token if need be, as long as any
 * attempt brings bytes; after 15 s without progress it gives up. Does not
 * verify the digest.
 */
int upstream_get_blob(struct upstream *, const struct name *,
		      const struct digest *, int64_t offset,
		      const struct upstream_sink *, struct err *)
	may_wait must_check;
