/*
 * cli/say.h: what a verb tells while it works, in lines, and how far it is.
 *
 * It may be at work in the process that serves, and its words then come over
 * the control socket: so both are lines, and whoever prints them knows which
 * is which.
 */
#pragma once
#include <stdint.h>

#include "cli/control.h"

/* "57.3 MB" */
struct size_text {
	char s[24];
};
struct size_text size_text(int64_t bytes);

/* "3 h 12 min": the two largest units of it. */
struct time_text {
	char s[32];
};
struct time_text time_text(int64_t ms);

/* One line, without a newline; as `line` of the saying. */
bool say_line(const struct saying *, const char *format, ...) printf_like(2, 3);

/* How far something is. Zero but for `saying`. */
struct progress {
	const struct saying *saying;
	int64_t said_ms; /* clock_ms */
};
/*
 * So much of `all` is done. To be called as often as one likes. False: nobody
 * hears it any more.
 */
bool progress_say(struct progress *, int64_t done, int64_t all);

/*
 * To standard output: lines as they are, progress as a bar on a terminal, and
 * elsewhere as a line every ten seconds.
 */
struct screen {
	struct saying saying;
	bool is_terminal;
	bool has_bar; /* it stands where the next line begins */
	int64_t said_ms;
};
void screen_open(struct screen *);
/* No bar stays behind. */
void screen_close(struct screen *);
