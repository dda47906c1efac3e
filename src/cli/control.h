/*
 * cli/control.h: how a verb reaches the process that serves.
 *
 * By a socket in the data directory, called "control". It asks nobody for a
 * password: only who runs the registry, and root, are heard, and they may do
 * everything to its files anyway. A request is a line, and so is each part of
 * the answer. One request after another.
 */
#pragma once
#include "base/attr.h"
#include "base/cleanup.h"
#include "base/err.h"

/* Takes the lines of an answer, without their newline. */
struct saying {
	void (*line)(void *arg, const char *text);
	void *arg;
};

/* Answers one request; may take its time. */
typedef int (*control_answer)(const char *request, const struct saying *,
			      void *arg, struct err *);

struct control;

/* Answers from now on, on a thread of its own. */
int control_open(const char *data, control_answer, void *arg,
		 struct control **out, struct err *) may_wait must_check;
/* The answer under way comes to its end, but nobody hears it any more. */
void control_close(struct control **) may_wait;
DEFINE_AUTO(control, control_close)

/*
 * Asks, and passes on the lines as they come. ERR_UNAVAILABLE if nobody
 * answers there; otherwise it ends as the answer did.
 */
int control_ask(const char *data, const char *request, const struct saying *,
		struct err *) may_wait must_check;
