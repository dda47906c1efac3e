/*
 * base/growing.h: a file that is read while it is being written.
 *
 * One writer, any number of readers, each at its own pace. The writer says
 * how far the file may be read and, once, how it ended. Readers that serve
 * sockets never wait: each reactor has a bell (an eventfd) and asks for it to
 * be rung at the next change. Readers on workers wait with a deadline.
 *
 * No wake is lost: a reader first asks for the bell, then reads the length
 * again; the writer first stores the length, then takes the bells.
 *
 * Reference counted; all calls are safe from any thread.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/cleanup.h"
#include "base/err.h"

struct growing;

enum growing_state {
	GROWING,	/* more may come */
	GROWING_WHOLE,	/* everything is there and verified */
	GROWING_BROKEN, /* no more will come */
};

/* Takes `fd`. `size` in bytes, -1 while unknown. One reference. */
struct growing *growing_open(int fd, int64_t size);
struct growing *growing_keep(struct growing *);
void growing_drop(struct growing **); /* gives back one reference */
DEFINE_AUTO(growing, growing_drop)

/*
 * The writer. Bells ring at most every 256 KiB or 10 ms, and always at the
 * end. For what came last before a silence none may ring, so readers look by
 * themselves now and then. After the end nothing changes any more.
 */
void growing_extend(struct growing *, int64_t length);
void growing_finish(struct growing *, int64_t length);
void growing_break(struct growing *, const struct err *why);

/*
 * The readers. Never wait. Who reads the state first and then the length,
 * has seen everything when the state was not GROWING.
 */
int growing_fd(const struct growing *);		/* borrowed, for pread */
int64_t growing_size(const struct growing *);	/* of the whole, or -1 */
int64_t growing_length(const struct growing *); /* readable now */
enum growing_state growing_state(const struct growing *);
/* Why it broke; only in GROWING_BROKEN. */
void growing_why(const struct growing *, struct err *out);

/*
 * A bell of a reactor: adds 1 to `eventfd`, which is non-blocking and stays
 * the caller's. At most GROWING_BELLS in a process, given back at the
 * reactor's end.
 */
enum { GROWING_BELLS = 64 };
unsigned growing_bell_open(int eventfd);
void growing_bell_close(unsigned bell);
/* Ring `bell` once at the next change after this call. */
void growing_watch(struct growing *, unsigned bell);

/*
 * Waits until more than `length` bytes are readable or it has ended; false at
 * the deadline (clock_ms).
 */
bool growing_wait(struct growing *, int64_t length, int64_t deadline_ms)
	may_wait;
