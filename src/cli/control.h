/*
 * cli/control.h: how a verb reaches the process that serves.
 *
 * By a socket in the data directory, called "control". It asks nobody for a
 * password: only who runs the registry, and root, are heard, and they may do
 * everything to its files anyway. A request is a line, and so is each part of
 * the answer. Several may ask at once: what one waits for may take hours.
 */
#pragma once
#include <stdbool.h>

#include "base/attr.h"
#include "base/cleanup.h"
#include "base/err.h"

/*
 * Takes the lines of an answer, without their newline. False: nobody hears
 * them any more, so what is done for the answer's sake alone may end.
 */
struct saying {
	bool (*line)(void *arg, const char *text);
	void *arg;
};

/* Answers one request, on a thread of its own; may take its time. */
typedef int (*control_answer)(const char *request, const struct saying *,
			      void *arg, struct err *);

struct control;

/* Answers from now on. */
int control_open(const char *data, control_answer, void *arg,
		 struct control **out, struct err *) may_wait must_check;
/* Answers under way come to their end, but nobody hears them any more. */
void control_close(struct control **) may_wait;
DEFINE_AUTO(control, control_close)

/*
 * Asks, and passes on the lines as they come. ERR_UNAVAILABLE if nobody
 * answers there; otherwise it ends as the answer did.
 */
int control_ask(const char *data, const char *request, const struct saying *,
		struct err *) may_wait must_check;
