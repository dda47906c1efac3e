/*
 * meta/instance.h: who this registry is. Part of meta/meta.h.
 */
#pragma once
#include "base/attr.h"

struct meta;

/*
 * What tells this registry from all others: digits that are the same after a
 * restart, and others in a backup. Where they cannot be kept, or read, they are
 * of this call alone.
 */
struct meta_instance {
	char s[17]; /* 16 hexadecimal digits */
};
void meta_instance(struct meta *, struct meta_instance *out) may_wait;
