/*
 * oci/manifest.h: what a manifest says. image-spec, manifest.md and
 * image-index.md; Docker's schema 2 and manifest list.
 *
 * The bytes are kept as they came; this is only what the registry needs to
 * know of them.
 */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "oci/digest.h"
#include "oci/platform.h"

#define MANIFEST_MAX (4 * 1024 * 1024) /* bytes; a push above is refused */
#define MEDIA_TYPE_MAX 127

enum manifest_kind { MANIFEST_IMAGE, MANIFEST_INDEX };

struct descriptor {
	/* an index names manifests, and in BuildKit's caches also layers */
	enum { DESCRIPTOR_CONFIG, DESCRIPTOR_LAYER, DESCRIPTOR_MANIFEST } role;
	struct digest digest;
	int64_t size;		  /* bytes */
	struct platform platform; /* that an index says of a manifest */
	bool foreign;		  /* non-distributable: it may be missing */
	bool missing; /* said by a store, not by the manifest: it is not here */
};

struct manifest {
	enum manifest_kind kind;
	char media_type[MEDIA_TYPE_MAX + 1];
	char artifact_type[MEDIA_TYPE_MAX + 1]; /* an image's is otherwise its
						   config's type; "" if none */
	struct span annotations; /* those that are texts: a JSON object in the
				    arena; SPAN_NONE if none */
	struct span bytes;	 /* borrowed */
	struct digest digest;	 /* of the bytes */
	struct descriptor *descriptors; /* in the arena */
	size_t count;
	bool has_subject;
	struct digest subject;
};

/*
 * Parses and checks. `media_type` is the Content-Type without parameters, or
 * SPAN_NONE when there was none. The digest is computed with `algorithm`.
 * Where neither the manifest nor the header gives a type, it is OCI's for the
 * members that are there. ERR_MANIFEST_INVALID with what is wrong and where;
 * ERR_TOO_LARGE.
 */
int manifest_parse(struct span bytes, struct span media_type,
		   enum digest_algorithm, struct arena *, struct manifest *out,
		   struct err *) may_wait must_check;

/*
 * Adds the descriptor with which an index lists this manifest, as JSON: what
 * it is, its artifact type and its annotations. More than 2 MiB of these are
 * left out. distribution-spec, "Listing Referrers".
 */
#define ANNOTATIONS_DESCRIBED (2 * 1024 * 1024)
void manifest_describe(const struct manifest *, struct buf *out);

/* RFC 6838, section 4.2, without parameters; at most MEDIA_TYPE_MAX. */
bool is_media_type(struct span);

/* Everything a registry may be asked for; for the Accept header. Static. */
const char *manifest_accept(void);
