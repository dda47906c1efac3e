/*
 * config/config.h: what the operator decides, from one table of keys.
 *
 * A value comes from the defaults, the configuration file, the environment
 * (PRIVATE_REGISTRY_MIRROR_DEFAULT) and the command line (--mirror.default),
 * in rising order, all through one setter. A list is taken whole from the
 * highest place that writes it. Whatever is wrong is ERR_USAGE, with where it
 * stands and the remedy.
 */
#pragma once
#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"

/* PEM files; both or neither. */
struct config_certificate {
	char *certificate; /* with its chain */
	char *key;
};

/* What becomes of a pushed manifest whose blobs are not here? */
enum config_missing { MISSING_REFUSED, MISSING_ACCEPTED };

/* Does whoever connects show a certificate? */
enum config_client { CLIENT_OPTIONAL, CLIENT_REQUIRED };

struct config_listen {
	char *address;	/* ":5000", "10.0.0.1:5000", "[::1]:5000" */
	char *upstream; /* every name is this upstream's; null */
	struct config_certificate tls;	 /* nulls: plain HTTP */
	struct config_certificate *more; /* chosen by the name asked for */
	size_t more_count;
	char *client_ca; /* PEM file; null: clients are not asked */
	enum config_client client;
};

struct config_credential {
	char *username;
	char *password_file;
};

#define READER_CERTIFICATE "cert:"

/* What becomes of a cached tag that upstream has no more. */
enum config_not_found { NOT_FOUND_STALE, NOT_FOUND_PASS };

struct config_upstream {
	char *name;	  /* "docker.io", in no other upstream */
	char **urls;	  /* "https://host", no path, no slash at the end */
	size_t url_count; /* at least 1 */
	char *ca;	  /* PEM file; null: the system's */
	char *client_certificate; /* PEM files; null */
	char *client_key;
	char *proxy; /* a URL, perhaps with a password; null */
	struct config_credential *credentials;
	size_t credential_count; /* 0: anonymous */
	int64_t tag_lifetime_ms;
	enum config_not_found not_found;
	int64_t not_found_lifetime_ms;
	char **allow; /* patterns of repositories there; none: all */
	size_t allow_count;
	char **deny; /* likewise; none: none */
	size_t deny_count;
	/* Who may have what comes from there: each of ip_network_parse, or
	   behind READER_CERTIFICATE a name. None: nothing is said of it. */
	char **readers;
	size_t reader_count;
	char **platforms; /* that are fetched ahead, "linux/amd64"; none: those
			     that a client fetches */
	size_t platform_count;
};

/* Who may change what is here over the API. */
enum config_access { ACCESS_FULL, ACCESS_READ_ONLY };

/* Tags that stay as they are; both are patterns of base/glob.h. */
struct config_immutable {
	char *repositories;
	char *tags;
};

/* An image that is fetched by itself. */
struct config_prefetch {
	char *image;
	int64_t every_ms; /* of uptime */
};

struct config_quota {
	char *repositories; /* a pattern */
	int64_t size;	    /* bytes of all of them together */
};

/* Of a manifest whose subject is not here. */
enum config_orphans { ORPHANS_KEPT, ORPHANS_REMOVED };

/* Which of what was pushed stays; 0 or null: the clause is not there. */
struct config_keep {
	char *repositories; /* a pattern */
	char *tags;	    /* likewise */
	int64_t last;	    /* tags */
	int64_t pushed_within_ms;
	int64_t pulled_within_ms;
	int64_t untagged_after_ms;
	enum config_orphans orphans;
};

/* How hosts reach this registry. */
struct config_advertise {
	char *url;	/* "https://registry.example:5443" */
	char *upstream; /* every name there is this upstream's; null */
};

/* Who knows of this registry, and what it says of itself there. */
struct config_cluster {
	char **etcd; /* URLs of its endpoints; none: there is none */
	size_t etcd_count;
	char *prefix; /* of all keys; ends in '/' */
	char *ca;     /* PEM file, to trust there; null: the system's */
	char *client_certificate; /* PEM files; null */
	char *client_key;
	char *username; /* both or neither */
	char *password_file;
	int64_t lease_ms;		    /* whole seconds */
	struct config_advertise *advertise; /* none: what it listens on */
	size_t advertise_count;
	char *advertise_ca; /* PEM file, for hosts to trust; null */
	char *zone;	    /* null: none */
	int64_t weight;
};

/* What the agent points a host at. */
struct config_agent {
	char *registry; /* a URL; null */
	char *hub;	/* likewise: where each name is Docker Hub's */
	char *ca;	/* PEM file, to trust there; null: the system's */
	char *srv;	/* a URL, whose host is a name of DNS; null */
	char *hook;	/* a program; null */
	char *canary;	/* an image; null */
	char *root;	/* below which the host's files are */
	char *name;	/* the host's, in etcd; null: as the kernel says */
};

struct config {
	char *data;
	int64_t user; /* whom root becomes; 0: it stays root */
	int64_t drain_ms;
	int64_t gc_grace_ms;
	enum log_level log_level;
	struct config_listen *listen;
	size_t listen_count;	/* at least 1 */
	char *public_url;	/* how clients know us; null */
	char **trusted_proxies; /* each of ip_network_parse */
	size_t trusted_proxy_count;
	char *mirror_default; /* an upstream's name; "" is nowhere */
	char **local; /* patterns of names that are never an upstream's */
	size_t local_count;
	char **reserved; /* likewise: to which nothing is pushed */
	size_t reserved_count;
	int64_t patience_ms;
	int64_t cache_limit;	 /* bytes of cached blobs; 0: no limit */
	int64_t cache_keep_free; /* bytes that the disk keeps; 0: none */
	struct config_upstream *upstreams; /* docker.io is always there */
	size_t upstream_count;
	int64_t upload_limit; /* uploads at once, at least 1 */
	int64_t blob_limit;   /* bytes of a pushed blob; 0: no limit */
	enum config_missing missing_blobs;
	int64_t verify_every_ms; /* of uptime; 0: never */
	int64_t verify_rate;	 /* bytes a second; 0: no limit */
	enum config_access access;
	struct config_immutable *immutable;
	size_t immutable_count;
	struct config_prefetch *prefetch;
	size_t prefetch_count;
	struct config_quota *quotas;
	size_t quota_count;
	struct config_keep *keep;
	size_t keep_count;
	struct config_cluster cluster;
	struct config_agent agent;
};

/* Where it may be written, in rising order. */
struct config_source {
	const char *path; /* null: PRIVATE_REGISTRY_CONFIG of `env`, or none */
	char *const *env; /* as environ; null: empty */
	const char *const *flags; /* as they are typed: "--drain=1m" */
	size_t flag_count;
};

/*
 * Defaults, then the places in their order, then checks of what must fit
 * together. Relative paths in the file start at the file's directory.
 */
int config_load(const struct config_source *, struct config **out, struct err *)
	may_wait must_check;
void config_close(struct config **);
DEFINE_AUTO(config, config_close)

/*
 * What holds as long as the process runs stays in `next` as it is in `now`,
 * and so does what would need it to change. Where something should have
 * changed, its key is added to `kept`: "data, listen".
 */
void config_keep(struct config *next, const struct config *now,
		 struct buf *kept);

/* All that is wrong with the file alone, a line each; returns how many. */
size_t config_check(const char *path, struct buf *problems) may_wait;

/*
 * Every value that is set, as a file of configuration, with where it was
 * written as a comment behind it.
 */
int config_show(const struct config_source *, struct buf *out, struct err *)
	may_wait must_check;

/* A duration as it is written for keys: "5m". ERR_USAGE, of option `name`. */
int config_duration(const char *name, struct span value, int64_t *ms_out,
		    struct err *) must_check;
/* Likewise a size, "50MiB", or "none", which is 0. */
int config_size(const char *name, struct span value, int64_t *bytes_out,
		struct err *) must_check;

/*
 * All elements of the list that `first` is the first key of, as options:
 * " --keep.0.last=10", a blank in front of each; defaults are left out.
 */
void config_print_list(const struct config *, const char *first, struct buf *);

/* The table as options, in 80 columns: name, form, help, default. */
void config_print_keys(struct buf *);

/* The table in Markdown: the last section of docs/configuration.md. */
void config_print_page(struct buf *);
