/*
 * upstream/standing.h: what is known of a registry that is asked at these
 * addresses, as these accounts. It outlives the connections to it: upstreams
 * that follow each other share it.
 */
#pragma once
#include <stdatomic.h>

#include "client/client.h"
#include "upstream/health.h"
#include "upstream/upstream.h"

struct address {
	char *url; /* no slash at its end */
	struct client_url parsed;
	atomic_bool wants_basic; /* it has asked for Basic */
};

struct standing {
	atomic_uint references;
	struct address *addresses;
	size_t address_count;
	struct tokens *tokens;
	struct accounts *accounts;
	struct health health;
};

/* ERR_USAGE. */
int standing_open(const struct upstream_options *, struct standing **out,
		  struct err *) may_wait must_check;
/* One more reference to it. */
struct standing *standing_keep(struct standing *);
/* Gives back a reference. */
void standing_close(struct standing **);
DEFINE_AUTO(standing, standing_close)

/* The same addresses, and the same accounts? */
bool standing_same(const struct standing *, const struct standing *);
