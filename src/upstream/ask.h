/*
 * upstream/ask.h: one question to the other registry: with what it wants to
 * know of us, and along its redirects.
 *
 * The Authorization header goes along only while every redirect stays on the
 * scheme, host and port of the address; once away it never returns.
 */
#pragma once
#include "upstream/inside.h"

struct ask {
	struct upstream *upstream;
	const struct upstream_question *question;
	const char *method;
	const char *path;	     /* "/v2/library/nginx/manifests/1" */
	struct client_header header; /* one more; name null: none */
	enum err_kind unknown;	     /* what a 404 means */
	enum err_kind unsupported;   /* a 400, 405, 406, 501; 0: no more
					than they say */
	bool is_blob;		     /* counts against no budget */
	int64_t deadline_ms;	     /* clock_ms for all of it; 0: none */

	/*
	 * The answer: 200, 206 or 416. A -1 ends the question with that
	 * error. `on_body` may be null.
	 */
	int (*on_head)(const struct client_head *, void *arg, struct err *);
	int (*on_body)(struct span, void *arg, struct err *);
	void *arg;
};

/*
 * At one address, whose answer has to begin within `patience_ms`, whatever it
 * takes to get there, and may then be silent for as long at most.
 */
int ask_at(const struct ask *, size_t address, int64_t patience_ms,
	   struct err *) may_wait must_check;

/*
 * At each address in turn until one answers, within the time of an answer;
 * sets the deadline. The error is that of the last one.
 */
int ask_each(struct ask *, struct err *) may_wait must_check;
