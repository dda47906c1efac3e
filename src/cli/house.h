/*
 * cli/house.h: the rooms, put together.
 */
#pragma once
#include <stdatomic.h>

#include "api/api.h"
#include "cli/enrol.h"
#include "cli/fresh.h"
#include "cli/gc.h"
#include "cli/keep.h"

/* All doors as the engine wants them; what they say is the configuration's. */
struct doors {
	struct http_door *at;
	struct http_certificate *certificates; /* of all doors */
};

struct house {
	char *const *args;	     /* that made the configuration */
	const struct config *config; /* the one that holds now */
	struct version *first;	     /* the one of the start, kept to the end */
	struct meta_instance instance;
	char pseudonym[64]; /* ours in Via */
	struct store *store;
	struct gc_place sweeps;
	struct control *control; /* null: there is none */
	struct mirror_upstream *upstreams;
	struct mirror *mirror;
	struct fresh *fresh;
	int64_t began_ms;   /* clock_ms */
	struct doors doors; /* of the start */
	struct doors now;   /* of the last reload */
	struct http *http;
	atomic_bool open; /* any thread may ask `http` whether it answers */
	struct api api;
	struct cluster_options etcd;
	struct presence *presence; /* null: etcd does not know of it */
	bool warned; /* of an address that is told; its thread's own */
};

/*
 * Opens everything in the order of the floors. Takes the configuration, which
 * `args` made. What cannot open says so before a port is bound; house_close is
 * needed in any case.
 */
int house_open(struct house *, struct config *, char *const *args, struct err *)
	may_wait must_check;
void house_close(struct house *) may_wait;

/*
 * The configuration is read again from where it came, and all that can change
 * does: for requests that come, while those under way end as they began. On an
 * error nothing changes. Logs what it did.
 */
int house_reload(struct house *, struct err *) may_wait must_check;

int open_upstream(const struct house *, const struct config_upstream *,
		  struct upstream **out, struct err *) may_wait must_check;
void set_cache(struct store *, const struct config *);
void set_verify(struct store *, const struct config *);
/* What is refused, and what is kept; logs it if that cannot be written. */
void set_rules(struct store *, const struct config *) may_wait;
void doors_describe(const struct config *, struct doors *out);
void doors_free(struct doors *);
