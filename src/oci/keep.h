/*
 * oci/keep.h: rules about which of what was pushed stays, as pure values.
 * docs/keeping.md says what they mean; patterns are those of base/glob.h.
 */
#pragma once
#include "base/buf.h"
#include "oci/name.h"

#define KEEP_PATTERN_ROOM 256

/* A clause that is 0, or "", is not there. Ages in milliseconds. */
struct keep_rule {
	size_t number; /* its place in the configuration */
	char repositories[KEEP_PATTERN_ROOM];
	char tags[KEEP_PATTERN_ROOM];
	int64_t last;
	int64_t pushed_within;
	int64_t pulled_within;
	int64_t untagged_after;
	bool orphans; /* what has a subject that is not here goes likewise */
};

/* The rules that fit one repository. */
struct keep_rules {
	const struct keep_rule **at;
	size_t count;
};

/* Those of `count` rules that fit; `out->at` has room for all. */
void keep_choose(const struct keep_rule *, size_t count, const struct name *,
		 struct keep_rules *out);

/* ------------------------------------------------------------------- tags */

/* Is there a rule about tags, so that one may go? */
bool keep_judges_tags(const struct keep_rules *);
/* So many tags stay because they were pushed last; 0: none does. */
int64_t keep_last(const struct keep_rules *);

struct keep_tag {
	const char *name;
	bool is_recent;	    /* one of the last, as keep_last says */
	int64_t pushed_ago; /* ms */
	int64_t used_ago;   /* since its image was last pulled or pushed */
};
bool keep_tag_stays(const struct keep_rules *, const struct keep_tag *);
/* Why not: "not of the last 10, pushed 41 days ago (keep[0])". */
void keep_tag_why(const struct keep_rules *, const struct keep_tag *,
		  struct buf *out);

/*
 * "sha256-<64 digits>", and perhaps more behind a full stop: so older clients
 * attach what refers to that manifest.
 */
bool keep_is_attached(const char *tag, struct digest *subject_out);

/* -------------------------------------------------------------- manifests */

/* Is there a rule about manifests without a tag? */
bool keep_judges_manifests(const struct keep_rules *);

/* Without a tag, and with nothing that needs it. */
struct keep_manifest {
	bool is_orphan;	  /* it has a subject, which is not here */
	int64_t idle_for; /* ms: not tagged, not pulled, not pushed */
};
bool keep_manifest_stays(const struct keep_rules *,
			 const struct keep_manifest *);
void keep_manifest_why(const struct keep_rules *, const struct keep_manifest *,
		       struct buf *out);
