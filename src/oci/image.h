/*
 * oci/image.h: images as people write them.
 */
#pragma once
#include "oci/name.h"

struct image {
	char name[sizeof(struct repository_text)]; /* "ghcr.io/org/app" */
	struct reference reference;
};

/*
 * NAME, NAME:TAG or NAME@DIGEST; the tag is otherwise "latest", and a digest
 * outweighs a tag. What the name means is the registry's business. ERR_USAGE.
 */
int image_parse(struct span, struct image *out, struct err *) must_check;

/* As it was written, but for a tag beside a digest. */
struct image_text {
	char s[sizeof(struct repository_text) + sizeof(struct reference_text)];
};
struct image_text image_text(const struct image *);
