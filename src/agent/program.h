/*
 * agent/program.h: a program, run to its end, and no longer than it may.
 */
#pragma once
#include "agent/host.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"

enum { PROGRAM_OUTPUT = 4096 }; /* bytes of it; the rest is thrown away */

struct program {
	const char *const *words;     /* its path first, null last */
	const char *const *variables; /* all that it has; null last */
	const struct host *host;      /* whose files it sees; null: ours */
	int64_t most_ms;	      /* then it is killed, with its children */
};

/*
 * Adds what it says, on standard output and on standard error. ERR_TIMEOUT;
 * ERR_IO: it could not be run, or ended with another status than 0.
 */
int program_run(const struct program *, struct buf *out, struct err *)
	may_wait must_check;
