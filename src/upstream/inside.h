/*
 * upstream/inside.h: what an upstream is to the files of this room.
 */
#pragma once
#include "base/metrics.h"
#include "upstream/standing.h"

struct upstream {
	atomic_uint references;
	char *name;
	char *pseudonym;	   /* or null */
	struct standing *standing; /* a reference */
	struct client *client;
	struct metric_owner *metrics;
	int64_t silence_ms;
	int64_t pace_ms;
	int64_t answer_ms;
	int64_t give_up_ms;
};

/* One exchange, counted, and logged with its reason, as private-registry. */
int upstream_exchange(struct upstream *, const struct client_request *,
		      const char *reason, struct client_result *out,
		      struct err *) may_wait must_check;

/* What a status means that is no answer; returns -1. A 404 is `unknown`. */
int upstream_refused(int status, enum err_kind unknown, struct err *);
