/*
 * agent/journal.h: what stood on the host before we came.
 *
 * One file an entry, and one entry for each path that the agent has changed, or
 * is about to. It is durable before the change, and goes after the undo. Bytes
 * that do not match their own checksum are set aside, and nothing is done on
 * their word.
 */
#pragma once
#include <stdint.h>

#include "agent/host.h"
#include "oci/digest.h"

struct entry {
	char *path;    /* of host_read */
	char *kind;    /* struct kind's name, or ENTRY_DIRECTORY */
	char *engine;  /* whose wish it was; "": of an older program */
	int64_t since; /* clock_wall_s */

	/* What was there; of a directory: nothing was. */
	bool existed;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	bool apart; /* of struct host_file: it may not be mounted */
	struct buf original;

	/* Digests of what we wrote, and of what we were about to write. */
	struct digest ours[2];
	/*
	 * Of a kind that remembers; others: "". All that we wrote there before
	 * and that may still stand somewhere, and what was written last.
	 */
	char *elements[2];
};
#define ENTRY_DIRECTORY "directory"

struct entry *entry_make(const char *path, const char *kind,
			 const char *engine);
void entry_free(struct entry **);
DEFINE_AUTO(entry, entry_free)
bool entry_is_directory(const struct entry *);
/* Is it what we wrote there? */
bool entry_is_ours(const struct entry *, struct span text);
/* Adds the words of both elements, each once, but for those of `other`. */
void entry_words(const struct entry *, struct span other, struct buf *out);

struct journal;

/*
 * Of a directory that is there, or null: then it is empty. A line for each
 * entry that was damaged is added to `damage`; a writer has set it aside.
 */
enum journal_use { JOURNAL_READ, JOURNAL_WRITE };
int journal_open(const char *path, enum journal_use, struct journal **out,
		 struct buf *damage, struct err *) may_wait must_check;
void journal_close(struct journal **);
DEFINE_AUTO(journal, journal_close)

/* By path, the longest first, so that what lies in a directory precedes it. */
size_t journal_count(const struct journal *);
const struct entry *journal_at(const struct journal *, size_t index);
const struct entry *journal_find(const struct journal *, const char *path);

/*
 * Durable when this returns 0, in the place of another entry of that path. The
 * journal takes the entry.
 */
int journal_keep(struct journal *, struct entry **, struct err *)
	may_wait must_check;
/* The entry is gone, and may not be used any more. */
int journal_drop(struct journal *, const struct entry *, struct err *)
	may_wait must_check;
