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
#include "oci/keep.h"
#include "oci/name.h"

struct meta;

/* ------------------------------------------------------------- of changes */

/*
 * A tag that fits, once it is there, is moved or dropped by no verb, nor is
 * the manifest that it points at, nor what that names: ERR_DENIED.
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

/* ---------------------------------------------------------------- keeping */

/* A local repository that somebody has pushed to. */
struct meta_place {
	int64_t id; /* 0: there are no more */
	struct repository repository;
};
/* The next one behind `after` (0: the first). */
int meta_place_next(struct meta *, int64_t after, struct meta_place *out,
		    struct err *) may_wait must_check;

enum meta_surplus { META_TAGS, META_MANIFESTS };

/* What no rule keeps; `why` is in the arena of the page. */
struct meta_gone {
	int64_t id;
	int64_t manifest; /* of a tag */
	int64_t turn;	  /* likewise: when it was pushed */
	struct tag tag;	  /* likewise; else empty */
	struct digest digest;
	const char *why;
};

/*
 * A walk over what one repository has too much of, by its rules: begun with
 * the first four set and all else 0. Each look fills the next page; `more` says
 * whether there is anything behind it. An immutable tag is never on one.
 */
#define META_GONE 128
struct meta_keep {
	enum meta_surplus kind;
	const struct meta_place *place;
	const struct keep_rules *rules;
	struct arena *arena;
	struct meta_gone gone[META_GONE];
	size_t count;
	bool more;
	int64_t last;	       /* tag that was looked at */
	struct digest last_of; /* manifest, likewise */
};
int meta_keep_look(struct meta *, struct meta_keep *, struct err *)
	may_wait must_check;

/*
 * Removes what is on the page and still may go: nobody has pushed, moved or
 * pulled it since, and nothing needs it; only that stays on the page. What is
 * needed only by something that goes itself is removed by a later walk.
 */
int meta_keep_take(struct meta *, struct meta_keep *, struct err *)
	may_wait must_check;
