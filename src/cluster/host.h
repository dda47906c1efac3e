/*
 * cluster/host.h: what an agent tells its cluster of its host. Pure. Part of
 * cluster/cluster.h.
 *
 * In etcd it is one JSON object, under <prefix>hosts/<name>. It is for people;
 * whoever can write there is not trusted, as with cluster/record.h: words, URL
 * and lines are printable ASCII, and anything else makes it refused as a whole.
 */
#pragma once
#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

enum {
	HOST_BYTES = 16 * 1024, /* of JSON */
	HOST_ENGINES = 16,
	HOST_ERRORS = 8,
	HOST_LINE = 200 /* characters */
};

struct host_engine {
	const char *name;    /* a word as in struct record, "docker" */
	const char *version; /* likewise; null: not known */
	const char *state;   /* likewise, "pointed" */
};

struct host_record {
	const char *name;     /* a word, as the next one */
	const char *version;  /* of the agent */
	const char *registry; /* a URL; null: none */
	const char *why;      /* a line: why that one, or none */
	int64_t since_s;      /* since 1970, when that began */
	const struct host_engine *engines;
	size_t engine_count;
	const char *const *errors; /* lines: what an operator should look at */
	size_t error_count;
};

/*
 * Adds the JSON. What is more than is allowed is left out, and of a line the
 * rest; what would not be printable is '?'.
 */
void host_record_print(const struct host_record *, struct buf *out);

/*
 * The reverse; all that `out` points to is in the arena. ERR_TOO_LARGE,
 * ERR_REQUEST; the message holds nothing of what was read.
 */
int host_record_parse(struct span json, struct arena *, struct host_record *out,
		      struct err *) may_wait must_check;
