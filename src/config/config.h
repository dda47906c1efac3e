/*
 * config/config.h: what the operator decides, from one table of keys.
 *
 * A value comes from the defaults, the configuration file, the environment
 * (PRIVATE_REGISTRY_MIRROR_DEFAULT) and the command line (--mirror.default),
 * in rising order, all through one setter. Whatever is wrong is ERR_USAGE,
 * with where it stands and the remedy.
 */
#pragma once
#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"

struct config_listen {
	char *address;			/* "0.0.0.0:5000" */
	char *upstream;			/* every name is this upstream's; null */
	char *certificate;		/* PEM file; null: plain HTTP */
	char *key;			/* PEM file */
};

struct config_upstream {
	char *name;			/* "docker.io" */
	char **urls;
	size_t url_count;
	char *ca;			/* null: the system's */
	char *username;			/* null: anonymous */
	char *password_file;
	int64_t tag_lifetime_ms;
};

struct config {
	char *data;
	int64_t drain_ms;
	enum log_level log_level;
	struct config_listen *listen;
	size_t listen_count;
	char *mirror_default;		/* "" is nowhere */
	int64_t patience_ms;
	struct config_upstream *upstreams;	/* docker.io is there by default */
	size_t upstream_count;
	int64_t upload_limit;		/* uploads at once */
};

/*
 * Defaults, then `path` (null: no file), then the environment `env` (as
 * environ), then `flags` ("mirror.default=ghcr.io"), then checks what must
 * fit together.
 */
int config_load(const char *path, char *const *env, const char *const *flags,
		size_t flag_count, struct config **out, struct err *)
	may_wait must_check;
void config_close(struct config **);
DEFINE_AUTO(config, config_close)

/* The table, as --help shows it: name, default, help. */
void config_print_keys(struct buf *);
