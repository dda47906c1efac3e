/*
 * meta/rules.h: what the operator allows of changes to local repositories,
 * and which of what was pushed is to stay. A part of meta/meta.h, which
 * includes it.
 *
 * Patterns are those of base/glob.h.
 */
#pragma once
#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "oci/name.h"

struct meta;

/* ------------------------------------------------------------- of changes */

/*
 * A tag that fits, once it is there, is moved or dropped by no verb, nor is
 * the manifest that it points at: ERR_DENIED.
 */
struct meta_immutable {
	const char *repositories; /* pattern */
	const char *tags;	  /* pattern */
};

/*
 * What the repositories that fit hold together: each blob that one of them
 * links once, and the manifests of each. A verb that adds something with which
 * it would be more is ERR_DENIED.
 */
struct meta_quota {
	const char *repositories; /* pattern; once in a list */
	int64_t size;		  /* bytes */
};

struct meta_rules {
	const struct meta_immutable *immutable;
	size_t immutable_count;
	const struct meta_quota *quotas;
	size_t quota_count;
};

/*
 * These hold from now on, also after a restart, until others are set. A quota
 * with a new pattern is summed up, which takes a second for a million links;
 * where nothing has changed, nothing is written.
 */
int meta_rules_set(struct meta *, const struct meta_rules *, struct err *)
	may_wait must_check;

/*
 * Would so many bytes more fit? `digest` may be null: not known yet, so it is
 * taken for something new. ERR_DENIED, with how much there is.
 */
int meta_room_peek(struct meta *, const struct repository *,
		   const struct digest *, int64_t size, struct err *)
	must_check;
