/*
 * cluster/record.h: what a registry tells its cluster of itself. Pure. Part of
 * cluster/cluster.h.
 *
 * In etcd it is one JSON object, under <prefix>registries/<id>. Whoever can
 * write there is not trusted: what was read is printable ASCII without blanks,
 * no longer than below, and a URL is a scheme, a host and a port. Anything else
 * is refused, the whole record, with the reason; but an upstream whose name is
 * none is left out, with its doors: so hosts go elsewhere for that one alone.
 * Members that nobody here knows are no mistake: a later version may have more.
 */
#pragma once
#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

enum {
	RECORD_BYTES = 64 * 1024,    /* of JSON */
	RECORD_CA_BYTES = 32 * 1024, /* of PEM */
	RECORD_DOORS = 32,
	RECORD_UPSTREAMS = 256,
	RECORD_WORD = 63,	  /* characters of id, version and zone */
	RECORD_WEIGHT_MAX = 10000 /* at least 0 */
};

enum record_health {
	RECORD_READY,
	RECORD_FULL,   /* its disk is: it takes no push, pulls go on */
	RECORD_LEAVING /* it stops, or cannot serve: whoever uses it looks for
			  another one at once, whether it answers or not. A few
			  seconds later it has no record */
};

/* Where it answers, without a certificate of the client. */
struct record_door {
	const char *url;      /* "https://10.0.0.5:5000", lower case */
	const char *host;     /* the end of it, "10.0.0.5:5000" */
	const char *scheme;   /* "http", "https" */
	const char *upstream; /* each name there is this one's; null: it is
				 what clients make of it */
};

struct record {
	const char *id;	     /* [A-Za-z0-9._+~-], of its data directory */
	const char *version; /* likewise, of the program */
	const char *zone;    /* likewise; null: it does not say */
	enum record_health health;
	int64_t weight;			 /* more is better */
	const struct record_door *doors; /* best first; the first has no
					    upstream */
	size_t door_count;
	const char *ca; /* PEM certificates alone, which sign those of its
			   https doors; null: the system's do */
	const char *const *upstreams; /* that it mirrors, "docker.io" */
	size_t upstream_count;
	const char *fallback; /* whose a bare name is that was not pushed
				 there; one of upstreams; null: nobody's */
	bool leased; /* its key goes when it dies. Not in the JSON: who read
			the key knows */
};

/* Adds the JSON. Of a door only URL and upstream are looked at. */
void record_print(const struct record *, struct buf *out);

/*
 * The reverse; all that `out` points to is in the arena. ERR_TOO_LARGE,
 * ERR_REQUEST; the message holds nothing of what was read.
 */
int record_parse(struct span json, struct arena *, struct record *out,
		 struct err *) may_wait must_check;

/*
 * Adds those PEM certificates that are in `text`, and nothing of what stands
 * around them; returns how many there are.
 */
size_t record_certificates(struct span text, struct buf *out);
