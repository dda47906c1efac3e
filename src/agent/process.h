/*
 * agent/process.h: programs that run on the host.
 */
#pragma once
#include "agent/host.h"

struct process {
	pid_t pid;
	int fd; /* of it: no other process can come to be behind that */
};

struct processes {
	struct process *at;
	size_t count;
};
void processes_free(struct processes *);
#define auto_processes auto_with(processes_free)

/*
 * Those of our own user whose program's file has that name, and to which
 * `directory` is the very one that the host has: a container's are not the
 * host's, nor are those of another root. One that ends meanwhile is none.
 */
int processes_find(const struct host *, const char *program,
		   const char *directory, struct processes *out, struct err *)
	may_wait must_check;
/* Is that process such a one? */
bool process_is(const struct host *, pid_t, const char *program,
		const char *directory) may_wait;

/* Adds its words, or its variables, each followed by a NUL. */
enum process_list { PROCESS_WORDS, PROCESS_VARIABLES };
int process_read(const struct process *, enum process_list, struct buf *out,
		 struct err *) may_wait must_check;

/* Since the host's start; -1: it has ended. */
int64_t process_started_ms(const struct process *) may_wait;
/* The same clock, now. */
int64_t process_clock_ms(void);

/*
 * GET of a path, from whoever listens at a socket that lies where the process
 * sees it. ERR_UPSTREAM: it does not answer 200.
 */
int process_ask(const struct process *, const char *socket, const char *path,
		struct buf *out, struct err *) may_wait must_check;
