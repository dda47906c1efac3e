/*
 * "<algorithm>:<digits>", with one table of algorithms.
 */
#include "oci/digest.h"

#include <string.h>

#include "base/hex.h"

static const struct {
	const char *name;
	size_t size; /* bytes */
} algorithms[DIGEST_ALGORITHMS] = {
	[DIGEST_SHA256] = { "sha256", 32 },
	[DIGEST_SHA512] = { "sha512", 64 },
};

/* Well known, but not computed here. */
static const char *const others[] = { "sha384", "blake3" };

size_t digest_size(enum digest_algorithm algorithm)
{
	return algorithms[algorithm].size;
}

const char *digest_algorithm_text(enum digest_algorithm algorithm)
{
	return algorithms[algorithm].name;
}

bool digest_algorithm_parse(struct span span, enum digest_algorithm *out)
{
	for (size_t i = 0; i < DIGEST_ALGORITHMS; i++) {
		if (span_is(span, algorithms[i].name)) {
			*out = (enum digest_algorithm)i;
			return true;
		}
	}
	return false;
}

static bool algorithm_is_other(struct span span)
{
	for (size_t i = 0; i < array_size(others); i++)
		if (span_is(span, others[i]))
			return true;
	return false;
}

int digest_parse(struct span span, struct digest *out, struct err *e)
{
	struct span digits = span;
	struct span name = span_cut(&digits, ':');

	*out = (struct digest){ 0 };
	if (digits.at && algorithm_is_other(name))
		return err_set(e, ERR_UNSUPPORTED,
			       "digests by %.*s are not supported",
			       SPAN_ARG(name));
	if (!digest_algorithm_parse(name, &out->algorithm) ||
	    !hex_parse(digits, out->bytes, digest_size(out->algorithm)))
		return err_set(e, ERR_DIGEST_INVALID, "\"%.*s\" is no digest",
			       SPAN_ARG(span));
	return 0;
}

struct digest_text digest_text(const struct digest *digest)
{
	struct digest_text text;
	char *end = stpcpy(text.s, digest_algorithm_text(digest->algorithm));

	*end++ = ':';
	hex_print(digest->bytes, digest_size(digest->algorithm), end);
	return text;
}

struct digest_text digest_hex(const struct digest *digest)
{
	struct digest_text text;

	hex_print(digest->bytes, digest_size(digest->algorithm), text.s);
	return text;
}

bool digest_eq(const struct digest *a, const struct digest *b)
{
	return a->algorithm == b->algorithm &&
	       memcmp(a->bytes, b->bytes, digest_size(a->algorithm)) == 0;
}
