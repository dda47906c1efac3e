/*
 * oci/name.h: repositories, tags and references, as values.
 * distribution-spec, "Pulling manifests".
 */
#pragma once
#include "oci/digest.h"

#define NAME_MAX_LEN 255
#define TAG_MAX_LEN 128

/* [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/…)*, at most 255 characters. */
struct name {
	char s[NAME_MAX_LEN + 1];
};

/* [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127} */
struct tag {
	char s[TAG_MAX_LEN + 1];
};

/*
 * The canonical name of a repository: what is pushed here has no upstream,
 * what is mirrored carries the upstream's name. "app" and
 * "docker.io" + "library/nginx" are two repositories, never the same row.
 */
struct repository {
	char upstream[NAME_MAX_LEN + 1]; /* "" is local */
	struct name name;
};

/* Room for upstream, slash, name and NUL. */
struct repository_text {
	char s[2 * NAME_MAX_LEN + 3];
};

struct reference {
	enum { REFERENCE_TAG, REFERENCE_DIGEST } kind;
	struct tag tag;
	struct digest digest;
};

/* Room for a tag or a digest with NUL. */
struct reference_text {
	char s[DIGEST_TEXT_MAX];
};

int name_parse(struct span, struct name *out, struct err *) must_check;
int tag_parse(struct span, struct tag *out, struct err *) must_check;
/* A digest if it holds a colon, else a tag. */
int reference_parse(struct span, struct reference *out, struct err *)
	must_check;

/* "docker.io/library/nginx", "app" */
struct repository_text repository_text(const struct repository *);
bool repository_is_local(const struct repository *);
bool repository_eq(const struct repository *, const struct repository *);
struct reference_text reference_text(const struct reference *);
struct reference reference_to_digest(const struct digest *);

/*
 * Does the first component of a longer name look like a registry's address
 * ("ghcr.io", "host:5000", "localhost")? As docker and podman decide it, but
 * for capital letters, which are no name's here.
 */
bool name_looks_like_host(struct span first_component);
