/*
 * oci/hash.h: bytes to digest, piece by piece or at once.
 */
#pragma once
#include "base/cleanup.h"
#include "oci/digest.h"

struct hash;

struct hash *hash_open(enum digest_algorithm);
void hash_close(struct hash **);
DEFINE_AUTO(hash, hash_close)

void hash_add(struct hash *, struct span);
/* The digest of what was added so far; more may be added after. */
struct digest hash_digest(const struct hash *);

struct digest hash_of(enum digest_algorithm, struct span);
