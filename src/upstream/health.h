/*
 * upstream/health.h: whether an upstream answers, for whoever asks how it is.
 */
#pragma once
#include "base/thread.h"
#include "upstream/upstream.h"

struct health {
	pthread_mutex_t lock; /* guards all below */
	int64_t answered_ms;  /* clock_ms; 0: never */
	int64_t failed_ms;
	char why[sizeof(((struct err *)0)->message)];
};

void health_open(struct health *);
void health_close(struct health *);

/* How a question at one address ended; null: it was answered. */
void health_note(struct health *, const struct err *);
