/*
 * agent/agent.h: points the container engines of this host at a registry, and
 * puts everything back.
 *
 * What stood there is in a journal before it is changed; see docs/agent.md.
 * Everything here may block, and belongs to one thread.
 */
#pragma once
#include <stdint.h>

#include "agent/canary.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"

/* The registry that engines shall ask. Nothing in it has a control character.
 */
struct agent_target {
	const char *url; /* "http://10.0.0.5:5000", of client_url_parse */
	const char *hub; /* likewise: where each name is Docker Hub's; null */
	struct span ca;	 /* PEM, to trust there; SPAN_NONE: the system's */
	const char *const *upstreams; /* that it mirrors: "docker.io" */
	size_t upstream_count;
};

enum agent_state { AGENT_POINTED, AGENT_PENDING, AGENT_CONFLICT, AGENT_FAILED };
enum { AGENT_ENGINES = 16, AGENT_NAME = 31 };

/* What became of each file, a line each, for people. */
struct agent_report {
	struct buf text;
	struct buf news;   /* the same, without what is as it was */
	struct buf errors; /* the same, of conflicts and failures alone */
	struct buf diff;   /* of AGENT_TELL */
	struct {
		char name[AGENT_NAME + 1];
		enum agent_state state; /* the worst that was said of it */
	} engines[AGENT_ENGINES];	/* of which something was said */
	size_t engine_count;
	size_t changes;
	size_t conflicts; /* somebody else has his say there: left alone */
	size_t failures;
	size_t pending; /* what is done later, without anybody's help */
};
void agent_report_free(struct agent_report *);
#define auto_report auto_with(agent_report_free)

struct agent;

/*
 * AGENT_TELL changes nothing on the host. For AGENT_CHANGE one process at a
 * time has a host: ERR_BUSY. What of the journal was damaged is added to
 * `damage`, a line each.
 */
enum agent_use { AGENT_TELL, AGENT_CHANGE };
int agent_open(const char *root, enum agent_use, struct agent **out,
	       struct buf *damage, struct err *) may_wait must_check;
void agent_close(struct agent **);
/* What it may do beside: any of these. Nothing, if that is not said. */
enum {
	AGENT_RESTART_BUILDKITD = 1 << 0, /* whenever it is pointed, or not */
	AGENT_ENABLE_CONTAINERD = 1 << 1  /* set config_path, and restart it */
};
void agent_permit(struct agent *, unsigned permits);
DEFINE_AUTO(agent, agent_close)

/* ERR_USAGE if there is no such target. */
int agent_apply(struct agent *, const struct agent_target *,
		struct agent_report *, struct err *) may_wait must_check;
/* The host is as it was, but for what its operator has changed since. */
void agent_withdraw(struct agent *, struct agent_report *) may_wait;

/*
 * GET /v2/ of a registry, with an answer within a second. The client is one
 * that trusts its authority. The answer has to come from that instance; null:
 * from anybody.
 */
struct client;
int agent_probe(struct client *, const char *url, const char *instance,
		struct err *) may_wait must_check;

/* Where an agent learns of registries: the first of three that is there. */
struct cluster_options;
struct agent_source {
	const struct cluster_options *etcd; /* those that it has; null */
	const char *srv; /* those that DNS names: the scheme and the name, as in
			    "http://_registry._tcp.lan"; null */
	const struct agent_target *registry; /* this one; beside `srv`: what
						all of them are like, no URL */
	const char *zone;		     /* of this host; null */
	const char *name;   /* likewise, in etcd; null: as the kernel says */
	int64_t lease_s;    /* how long etcd has this host after its agent */
	const char *canary; /* an image that comes through it first; null */
	const char *hook;   /* of agent_hook, after each change; null */
};

/*
 * Runs the command `path` for the registry that the host is pointed at (null:
 * none): REGISTRY=host:port and REGISTRY_URL are in its environment. ERR_IO,
 * ERR_TIMEOUT: it is killed after 30 s.
 */
int agent_hook(const char *path, const char *url, struct err *)
	may_wait must_check;

/*
 * Points the host at the registry that is the best now, which is `url_out`, to
 * be freed. ERR_UNAVAILABLE: none answers, nothing was changed.
 */
int agent_once(struct agent *, const struct agent_source *, char **url_out,
	       struct agent_report *, struct err *) may_wait must_check;

/*
 * Probes registries again and again, and chooses one of them as agent/choice.h
 * says: engines are pointed at it, and if there is none the host is as it was.
 * Ends at SIGTERM or SIGINT, which this thread has blocked, with SIGHUP and
 * SIGUSR1; what is applied stays. SIGHUP makes it look at the host at once. For
 * AGENT_TELL it does the same, but leaves the host as it is. With etcd the
 * cluster is told of this host meanwhile.
 */
int agent_watch(struct agent *, const struct agent_source *, struct err *)
	may_wait must_check;

/*
 * What `agent status` tells from now on: one line, and then a report's text.
 */
int agent_keep_status(struct agent *, const char *line,
		      const struct agent_report *, struct err *)
	may_wait must_check;

/*
 * What was kept last, and whether an agent runs. ERR_NOT_FOUND: none ever did.
 */
int agent_status(const char *root, struct buf *out, struct err *)
	may_wait must_check;
/* Ends the agent that runs, if there is one. ERR_TIMEOUT. */
int agent_end_other(const char *root, struct err *) may_wait must_check;
