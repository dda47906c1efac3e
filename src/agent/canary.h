/*
 * agent/canary.h: an image comes through a registry before an engine is
 * pointed at it. Part of agent/agent.h.
 */
#pragma once
#include "base/attr.h"
#include "base/err.h"
#include "client/client.h"

/*
 * Its manifest, of an index the first one's, and the first blob of that, which
 * is the configuration: what comes is what its digest says. 10 s at most for
 * each. `image` is one of oci/image.h.
 */
int canary_pull(struct client *, const char *url, const char *image,
		struct err *) may_wait must_check;
