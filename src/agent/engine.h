/*
 * agent/engine.h: what is to stand on a host, engine by engine.
 *
 * An engine looks at the host and wishes for files; agent/apply.c alone
 * changes any. So each engine has the same journal, order and undo.
 */
#pragma once
#include "agent/agent.h"
#include "agent/host.h"
#include "agent/kind.h"
#include "client/client.h"

/* A target, taken apart once. */
struct target {
	struct client_url url;
	char address[300]; /* "10.0.0.5:5000" */
	const char *scheme;
	bool secure;
	char hub[320];		 /* "http://10.0.0.5:5001"; "": none */
	const char *hub_address; /* the end of it */
	const struct agent_target *given;
};
int target_parse(const struct agent_target *, struct target *out, struct err *)
	must_check;

struct wish {
	const char *engine;
	const struct kind *kind;
	char *path;
	struct buf element;
	bool is_true; /* it is as wished for: agent/apply.c */
	bool is_off;  /* nothing of it is to stay */
};

/* Wishes, in the order in which they are to be made true. */
struct plan {
	const char *engine; /* whose wishes are being made */
	unsigned permits;   /* of agent_permit */
	/* Of these nothing is known now: what is on the host for them stays. */
	const char *kept[AGENT_ENGINES];
	size_t kept_count;
	struct wish *at;
	size_t count;
	struct agent_report *report;
};
void plan_free(struct plan *);
/*
 * A file of ours: its element, which begins as it has to, to be added to before
 * the next wish.
 */
struct buf *plan_file(struct plan *, const char *path_format, ...)
	printf_like(2, 3);
struct wish *plan_wish(struct plan *, const struct kind *, const char *path);
/* It is not known what the engine wants: what there is for it stays. */
void plan_keep(struct plan *);
/* Does that hold for it? If one is not known (""), for any. */
bool plan_keeps(const struct plan *, const char *engine);
/* Something that the operator decided otherwise, and that stays so. */
void plan_conflict(struct plan *, const char *format, ...) printf_like(2, 3);
/* Something to know, and perhaps to do. */
void plan_note(struct plan *, const char *format, ...) printf_like(2, 3);
/* Something that will be done later, without anybody's help. */
void plan_pending(struct plan *, const char *format, ...) printf_like(2, 3);

struct engine {
	const char *name;
	/* It is on this host if one of these is; none: always. */
	const char *signs[8];
	int (*plan)(const struct host *, const struct target *, struct plan *,
		    struct err *);
};

/* docker login, shells and units: agent/environment.c */
int environment_plan(const struct host *, const struct target *, struct plan *,
		     struct err *) may_wait must_check;
/* Podman, Buildah, Skopeo, CRI-O: agent/containers.c */
int containers_plan(const struct host *, const struct target *, struct plan *,
		    struct err *) may_wait must_check;
int containerd_plan(const struct host *, const struct target *, struct plan *,
		    struct err *) may_wait must_check;
int k3s_plan(const struct host *, const struct target *, struct plan *,
	     struct err *) may_wait must_check;
int rke2_plan(const struct host *, const struct target *, struct plan *,
	      struct err *) may_wait must_check;
int buildkit_plan(const struct host *, const struct target *, struct plan *,
		  struct err *) may_wait must_check;
int docker_plan(const struct host *, const struct target *, struct plan *,
		struct err *) may_wait must_check;

/*
 * Wishes for a ca.crt, if there is one, and a hosts.toml for the registry
 * itself and for each upstream, below the directory `certs`. Containerd's
 * library reads these, and whoever has that inside.
 */
int hosts_plan(const struct host *, const struct target *, const char *certs,
	       struct plan *, struct err *) may_wait must_check;

/* Tells of engines that would ask the registry by a proxy: agent/proxies.c */
void proxies_note(const struct host *, const struct target *, struct plan *)
	may_wait;

/* Of all engines that are on the host; one that fails keeps what it has. */
void plan_make(const struct host *, const struct target *, struct plan *)
	may_wait;
/* The table of engines, to its end: null. */
const struct engine *engine_at(size_t index);
bool engine_is_on(const struct host *, const struct engine *) may_wait;

/* ------------------------------------------------- pure, of foreign files */

/*
 * Does this registries.conf, of version 2, say something of that registry? A
 * place that only looks like it counts as well.
 */
bool containers_names(struct span toml, const char *registry);

/*
 * Of the words of a podman, each with a NUL behind it: does it serve others,
 * where (SPAN_NONE: where it usually does), and will one with that answer to
 * GET /version go on after a SIGHUP?
 */
bool podman_serves(struct span words);
struct span podman_socket(struct span words);
bool podman_survives(struct span answer);

/*
 * Would a program in Go, with these variables (each with a NUL behind it), ask
 * that URL by a proxy?
 */
bool proxy_is_asked(struct span variables, const struct client_url *);

/*
 * The value of config_path in containerd's configuration; SPAN_NONE: it has
 * none, or an empty one.
 */
struct span containerd_config_path(struct span toml);
/* The FILE of -c FILE or --config FILE; SPAN_NONE. */
struct span containerd_config_file(struct span words);
/* Does registries.yaml of k3s and RKE2 have an entry for that registry? */
bool rancher_names(struct span yaml, const char *registry);
/* Is the plugin for Kubernetes not disabled there? */
bool containerd_has_cri(struct span toml);
