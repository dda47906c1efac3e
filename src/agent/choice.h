/*
 * agent/choice.h: which of several registries a host uses. Pure.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CHOICE_SURE = 3,  /* answers in a row, before another one is left */
	CHOICE_CALM = 10, /* likewise, for one that was left itself */
	CHOICE_GONE = 3,  /* probes in a row that failed */
	CHOICE_NONE = -1  /* the host is to be as it was */
};

struct candidate {
	const char *id;
	const char *zone; /* null: it does not say */
	int64_t weight;
	bool listed;  /* somebody names it: a key in etcd, or DNS */
	bool leased;  /* likewise, and would soon not if it was dead */
	bool leaving; /* it says so itself, whether it answers or not */
	bool full;    /* it says that its disk is */
	bool fell;    /* it was left because it did not answer */
	int answers;  /* in a row, 0 after a failure */
	int failures; /* likewise, 0 after an answer */
};

/*
 * The position of the one to use, of those that answer: of this host's zone
 * before others, then the one with the most weight, then one that is not full,
 * then the present one, then the first by id. The present one (or CHOICE_NONE)
 * is left for a better one that has answered CHOICE_SURE times (CHOICE_CALM, if
 * it fell), or, if it does not answer, for any that does. If none answers it
 * stays, as long as it is leased; if it is not, until CHOICE_GONE probes have
 * failed. One that is leaving is as none.
 */
int choose(const struct candidate *, size_t count, const char *zone,
	   int present);
