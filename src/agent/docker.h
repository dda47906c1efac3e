/*
 * agent/docker.h: a dockerd that runs.
 */
#pragma once
#include "agent/host.h"

/* What dockerd says of itself, GET /info. */
struct docker_info {
	char version[32]; /* "20.10.24+dfsg1" */
	int major, minor, patch;
	bool has_containerd_store;
	bool has_mirrors;     /* of Docker Hub, by daemon.json or its options */
	bool has_this_mirror; /* the one that was asked for */
};
int docker_info_parse(struct span json, const char *mirror,
		      struct docker_info *out, struct err *) must_check;

/* Asks it; `mirror` may be null. */
int docker_ask(const struct host *, const char *mirror, struct docker_info *out,
	       struct err *) may_wait must_check;

/* ERR_CONFLICT: it was started with an option that daemon.json may not have. */
int docker_flags_check(const struct host *, struct err *) may_wait must_check;

/*
 * Has it read daemon.json again, and waits until it has the mirror, or has it
 * no more. ERR_TIMEOUT: that does not happen.
 */
enum docker_wanted { DOCKER_HAS, DOCKER_HAS_NOT };
int docker_reload(const struct host *, const char *mirror, enum docker_wanted,
		  struct err *) may_wait must_check;
