/*
 * oci/digest.h: the name of content. image-spec, descriptor.md, "Digests".
 *
 * A digest is checked once, when it is parsed, and trusted after.
 */
#pragma once
#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

enum digest_algorithm { DIGEST_SHA256, DIGEST_SHA512, DIGEST_ALGORITHMS };

struct digest {
	enum digest_algorithm algorithm;
	uint8_t bytes[64]; /* unused bytes are zero */
};

/* "sha256:" and 64 digits, or "sha512:" and 128; room for the longer. */
#define DIGEST_TEXT_MAX 136

struct digest_text {
	char s[DIGEST_TEXT_MAX];
};

/* ERR_DIGEST_INVALID; ERR_UNSUPPORTED for sha384 and blake3. */
int digest_parse(struct span, struct digest *out, struct err *) must_check;
struct digest_text digest_text(const struct digest *);
/* Only the digits. */
struct digest_text digest_hex(const struct digest *);
bool digest_eq(const struct digest *, const struct digest *);
size_t digest_size(enum digest_algorithm); /* bytes: 32, 64 */
const char *digest_algorithm_text(enum digest_algorithm);
/* "sha512" → DIGEST_SHA512; false if unknown. */
bool digest_algorithm_parse(struct span, enum digest_algorithm *out);
