/*
 * agent/inside.h: what the files of this room share.
 */
#pragma once
#include "agent/engine.h"
#include "agent/journal.h"
#include "agent/report.h"

/* For a service that reads something of ours when it starts. */
enum { AGENT_SERVICES = 4 };
struct agent_news {
	struct buf ours; /* that was there when it was looked at last */
	int64_t ms;	 /* when that was new, of process_clock_ms; 0: never */
	int64_t restarted_ms; /* for that; likewise */
};

struct agent {
	struct host host;
	enum agent_use use;
	int lock; /* -1: AGENT_TELL */
	struct journal *journal;
	bool docker_refused; /* what we wrote: it is not written again */
	bool damaged;	     /* the journal, of which nobody was told yet */

	unsigned permits; /* of agent_permit, but for what went wrong */
	struct agent_news news[AGENT_SERVICES]; /* agent/services.c */
};

/* The path of an authority's file, which others of that engine name. */
bool is_authority(const char *path);

/*
 * The record of the registry that this host is about to be pointed at, for the
 * next start; "": of none. For AGENT_TELL nothing. agent/agent.c
 */
int registry_keep(struct agent *, struct span record, struct err *)
	may_wait must_check;
/* Adds what was kept. */
int registry_kept(struct agent *, struct buf *record_out, struct err *)
	may_wait must_check;

/* What is there, but for all that the entry knows to be ours. */
void entry_take(const struct entry *, const struct kind *, struct span text,
		struct buf *out);
/* ERR_NOT_FOUND: the file system of its file is not mounted. */
int entry_reach(const struct entry *, const struct host_file *, struct err *)
	must_check;
/*
 * Can what became of the file be judged at all? ERR_CONFLICT: nobody can read
 * it; ERR_NOT_FOUND: its file system is not mounted.
 */
int entry_check(const struct entry *, const struct host_file *, struct err *)
	must_check;
/* Takes it back, and the entry with it: agent/undo.c */
int entry_undo(struct agent *, const struct entry *, struct err *)
	may_wait must_check;

/* Takes back all that the plan does not wish for; null: all. agent/undo.c */
void undo_others(struct agent *, const struct plan *, struct agent_report *)
	may_wait;

/*
 * Who has read a file of ours before it became what it is reads it again, or
 * will at a later call: agent/services.c
 */
void services_settle(struct agent *, struct agent_report *) may_wait;
void services_forget(struct agent *);

/*
 * dockerd has what a wish has written, or it is taken back:
 * agent/dockerd.c
 */
void docker_settle(struct agent *, struct wish *, struct agent_report *)
	may_wait;
/*
 * Before daemon.json is put back: dockerd forgets what is ours. The entry may
 * become another one. DOCKER_HOLDS: it refuses what is in the file, so that is
 * to be put back, but the entry stays; DOCKER_BUSY: all is to stay.
 */
enum docker_grip { DOCKER_FREE, DOCKER_HOLDS, DOCKER_BUSY };
enum docker_grip docker_release(struct agent *, const struct entry **,
				struct err *) may_wait must_check;
/*
 * After that: -1, if one has started meanwhile that has read ours, or may have.
 */
int docker_released(struct agent *, const struct entry *, struct err *)
	may_wait must_check;
