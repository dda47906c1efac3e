/*
 * agent/inside.h: what the files of this room share.
 */
#pragma once
#include "agent/engine.h"
#include "agent/journal.h"
#include "agent/report.h"

struct agent {
	struct host host;
	enum agent_use use;
	int lock; /* -1: AGENT_TELL */
	struct journal *journal;
	bool docker_refused; /* what we wrote: it is not written again */
};

/* What is there, but for all that the entry knows to be ours. */
void entry_take(const struct entry *, const struct kind *, struct span text,
		struct buf *out);
/* Takes it back, and the entry with it: agent/undo.c */
int entry_undo(struct agent *, const struct entry *, struct err *)
	may_wait must_check;

/* Makes one wish true: agent/apply.c. */
void wish_apply(struct agent *, const struct wish *, struct agent_report *)
	may_wait;
/* Takes back all that the plan does not wish for; null: all. agent/undo.c */
void undo_others(struct agent *, const struct plan *, struct agent_report *)
	may_wait;

/*
 * dockerd has what a wish has written, or it is taken back:
 * agent/dockerd.c
 */
void docker_settle(struct agent *, const struct wish *, struct agent_report *)
	may_wait;
/*
 * Before daemon.json is put back: dockerd forgets what is ours. The entry may
 * become another one.
 */
int docker_release(struct agent *, const struct entry **, struct err *)
	may_wait must_check;
