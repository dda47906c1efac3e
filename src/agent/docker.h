/*
 * agent/docker.h: a dockerd that runs.
 */
#pragma once
#include "agent/host.h"
#include "base/ip.h"

#define DOCKER_SOCKET "/run/docker.sock"
enum { DOCKER_NETWORKS_MOST = 64 };

/* What dockerd says of itself, GET /info. */
struct docker_info {
	char version[32]; /* "20.10.24+dfsg1" */
	int major, minor, patch;
	bool has_containerd_store;
	bool has_mirrors; /* of Docker Hub, by daemon.json or its options */
	bool has_ours;	  /* one of those that were asked for */
	/* Where it has no regard for certificates: */
	struct ip_network insecure[DOCKER_NETWORKS_MOST];
	size_t insecure_count;
	bool is_insecure; /* at the address that was asked for, by its name;
			     or there are too many of the above to tell */
};

struct docker_question {
	struct span element; /* of kind_daemon: has it a mirror of these? */
	const char *address; /* "10.0.0.5:5000"; null */
};
int docker_info_parse(struct span json, const struct docker_question *,
		      struct docker_info *out, struct err *) must_check;

/*
 * Asks the one that runs. ERR_NOT_FOUND: none does, and none is asked, since
 * that would start it where systemd listens for it.
 */
int docker_ask(const struct host *, const struct docker_question *,
	       struct docker_info *out, struct err *) may_wait must_check;

bool docker_runs(const struct host *) may_wait;
/*
 * What its program says, for one that does not answer yet: nothing but the
 * version is told.
 */
int docker_version(const struct host *, struct docker_info *out, struct err *)
	may_wait must_check;
/* "20.10.24+dfsg1". ERR_UPSTREAM: it is none. */
int docker_version_parse(struct span text, struct docker_info *out,
			 struct err *) must_check;

/* ERR_CONFLICT: it was started with an option that daemon.json may not have. */
int docker_flags_check(const struct host *, struct err *) may_wait must_check;

/*
 * Has it read daemon.json again, and waits until it has a mirror of the
 * question, or has none more. ERR_CONFLICT: it answers, and that does not
 * happen. Others: nothing is known.
 */
enum docker_wanted { DOCKER_HAS, DOCKER_HAS_NOT };
int docker_reload(const struct host *, const struct docker_question *,
		  enum docker_wanted, struct err *) may_wait must_check;
