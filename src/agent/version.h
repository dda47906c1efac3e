/*
 * agent/version.h: which version of an engine is on a host, as its program
 * says.
 */
#pragma once
#include "agent/engine.h"

/* So that a program that has told is not asked again before it is another one.
 */
struct version_memory {
	ino_t number;
	struct timespec changed;
	char text[64];
};

/* Lives as the memory does; null: nobody knows. The engine is on the host. */
const char *engine_version(const struct host *, const struct engine *,
			   struct version_memory *) may_wait;

/*
 * The first word that is one: "20.10.24+dfsg1" of "Docker version
 * 20.10.24+dfsg1, build 297e128". SPAN_NONE. Pure.
 */
struct span version_find(struct span said);
