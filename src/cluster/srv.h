/*
 * cluster/srv.h: where DNS says that a service is (RFC 2782). Part of
 * cluster/cluster.h.
 */
#pragma once
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

enum { SRV_TARGETS = 32 }; /* what is above is left out */

struct srv_target {
	char host[256];	   /* "registry.example", lower case, not empty */
	unsigned port;	   /* 1 … 65535 */
	unsigned priority; /* less is better */
	unsigned weight;   /* of one priority, more is better */
};

struct srv_list {
	struct srv_target targets[SRV_TARGETS]; /* best first */
	size_t count; /* 0: there is no such service */
};

/*
 * `name` is like "_registry._tcp.example". ERR_UNAVAILABLE: whoever knows
 * cannot be asked now. At most some 10 s.
 */
int srv_find(const char *name, struct srv_list *out, struct err *)
	may_wait must_check;

/* The same from an answer of DNS, which nobody trusts. Pure. ERR_UPSTREAM. */
int srv_parse(struct span answer, struct srv_list *out, struct err *)
	must_check;
