/*
 * config/types.h: the kinds of values, each parsed in one way.
 */
#pragma once
#include "base/attr.h"
#include "base/buf.h"
#include "base/span.h"

enum type {
	TEXT,
	DIRECTORY,
	FILE_PATH,
	DURATION,
	AGE,	/* a duration that is not 0 */
	MOMENT, /* a duration of at most a minute */
	SIZE,
	SIZE_OR_NONE,
	NUMBER,
	USER,	/* a user's number; none is root's, 0 */
	CHOICE, /* an enum that counts the key's choices; has no parser */
	ADDRESS,
	HOST,
	UPSTREAM,
	UPSTREAM_OR_NONE,
	URL,
	PROXY, /* may hold a password */
	NETWORK,
	PATTERN,  /* of base/glob.h */
	PLATFORM, /* "linux/amd64", "linux/arm/v7" */
	IMAGE,	  /* of oci/image.h */
	ETCD,	  /* the URL of an endpoint */
	PREFIX,	  /* of keys in etcd, ends in '/' */
	WORD,	  /* letters, digits, '.', '_' and '-' */
	LEASE,	  /* a duration of whole seconds */
	READER,	  /* a network, or the name in a client's certificate */
	LIST,	  /* a whole list in short form; has no parser */
	TYPE_COUNT
};

struct type_row {
	const char *form;   /* "DURATION", in --help */
	const char *noun;   /* "which is no …" */
	const char *remedy; /* "write …" */

	/*
	 * Stores the value at `slot`: char * (owned; what was there is freed),
	 * int64_t (DURATION, AGE, MOMENT and LEASE in milliseconds, SIZE in
	 * bytes, NUMBER, USER; none is 0). False if it is none of this type.
	 */
	bool (*parse)(struct span, void *slot);

	/* Writes it as it can be parsed again. Null: it is a text. */
	void (*print)(const void *slot, struct buf *out);
};

extern const struct type_row types[TYPE_COUNT];

/* Its slot is a char *. */
bool type_is_text(enum type);
/* What may be shown of a PROXY: user and password become ***. */
void proxy_show(struct span, struct buf *out);
/* A path, which may be relative. */
bool type_is_path(enum type);
/* A quantity that is never 0: then it is not set. */
bool type_starts_at_one(enum type);
/* The name of an upstream, which must be configured. */
bool type_refers(enum type);
