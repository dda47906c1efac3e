/*
 * OpenSSL's digests. They fail only when memory is out or the library is
 * broken, and then nothing that we could answer would be true.
 */
#include "oci/hash.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "base/mem.h"

struct hash {
	enum digest_algorithm algorithm;
	EVP_MD_CTX *state;
};

static void must(int done)
{
	if (done != 1)
		abort();
}

static const EVP_MD *hash_function(enum digest_algorithm algorithm)
{
	return algorithm == DIGEST_SHA512 ? EVP_sha512() : EVP_sha256();
}

static EVP_MD_CTX *state_open(void)
{
	EVP_MD_CTX *state = EVP_MD_CTX_new();

	must(state != NULL);
	return state;
}

struct hash *hash_open(enum digest_algorithm algorithm)
{
	struct hash *hash = mem_alloc(sizeof(*hash));

	hash->algorithm = algorithm;
	hash->state = state_open();
	must(EVP_DigestInit_ex(hash->state, hash_function(algorithm), NULL));
	return hash;
}

void hash_close(struct hash **hash)
{
	if (!*hash)
		return;
	EVP_MD_CTX_free((*hash)->state);
	free(*hash);
	*hash = NULL;
}

void hash_add(struct hash *hash, struct span span)
{
	must(EVP_DigestUpdate(hash->state, span.at, span.len));
}

struct digest hash_digest(const struct hash *hash)
{
	struct digest digest = { .algorithm = hash->algorithm };
	EVP_MD_CTX *copy = state_open();

	must(EVP_MD_CTX_copy_ex(copy, hash->state));
	must(EVP_DigestFinal_ex(copy, digest.bytes, NULL));
	EVP_MD_CTX_free(copy);
	return digest;
}

struct digest hash_of(enum digest_algorithm algorithm, struct span span)
{
	struct digest digest = { .algorithm = algorithm };

	must(EVP_Digest(span.at, span.len, digest.bytes, NULL,
			hash_function(algorithm), NULL));
	return digest;
}
