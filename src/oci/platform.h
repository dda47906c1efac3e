/*
 * oci/platform.h: for which machines an image is. image-spec, image-index.md,
 * "platform".
 */
#pragma once
#include <stdbool.h>

#include "base/span.h"

/* "" is not said. */
struct platform {
	char os[16];
	char architecture[16];
	char variant[16];
};

/*
 * In the usual spelling: aarch64 is arm64, x86_64 is amd64; a variant that is
 * the architecture's usual one (v8 of arm64, v7 of arm) is not said. What is
 * too long to be any becomes all empty.
 */
struct platform platform_make(struct span os, struct span architecture,
			      struct span variant);

/* "linux/amd64", "linux/arm/v6". False if it is neither two parts nor three. */
bool platform_parse(struct span, struct platform *out);

/* Nothing is the same as what is not said. */
bool platform_eq(const struct platform *, const struct platform *);
