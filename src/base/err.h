/*
 * base/err.h: how a function says why it failed.
 *
 * The caller owns a `struct err`, passes it last, and reads it only after a
 * -1. It needs no release. The lowest floor names the kind; each floor above
 * may add one clause in front of the message. The edge (an HTTP answer, a
 * line on the terminal, a log line) prints it once.
 */
#pragma once
#include "base/attr.h"

enum err_kind {
	ERR_NONE,

	/* what was asked for is wrong */
	ERR_USAGE,   /* command line, configuration */
	ERR_REQUEST, /* malformed in no more particular way */
	ERR_NAME_INVALID,
	ERR_TAG_INVALID,
	ERR_DIGEST_INVALID,
	ERR_SIZE_INVALID,
	ERR_MANIFEST_INVALID,
	ERR_RANGE, /* outside of what there is */
	ERR_CHUNK_INVALID,
	ERR_CHUNK_ORDER, /* not the next chunk of an upload */
	ERR_TOO_LARGE,
	ERR_TOO_MANY,
	ERR_UNSUPPORTED,
	ERR_METHOD,
	ERR_DENIED,
	ERR_SLOW, /* the client does not get on with its request */

	/* what was asked for is not there, or in the way */
	ERR_NOT_FOUND,
	ERR_NAME_UNKNOWN,
	ERR_BLOB_UNKNOWN,
	ERR_MANIFEST_UNKNOWN,
	ERR_MANIFEST_BLOB_UNKNOWN,
	ERR_UPLOAD_UNKNOWN,
	ERR_IN_USE,	  /* a manifest still names it */
	ERR_CONFLICT,	  /* another request is at it */
	ERR_PRECONDITION, /* it is not what If-Match says */

	/* it went wrong here, or further away */
	ERR_NOT_HERE,	 /* a peek would have to wait: ask again on a worker */
	ERR_LOCKED,	 /* another process has the data directory */
	ERR_BUSY,	 /* a limit is reached, later it may work */
	ERR_TIMEOUT,	 /* the other side was silent for too long */
	ERR_CLOSED,	 /* the other side went away */
	ERR_UPSTREAM,	 /* the other registry answered badly */
	ERR_UNAVAILABLE, /* the other registry cannot be reached */
	ERR_LOOP,	 /* the way there leads back to us */
	ERR_NO_SPACE,
	ERR_CORRUPT, /* bytes do not match their digest */
	ERR_IO,
	ERR_INTERNAL,

	ERR_KINDS /* how many there are */
};

struct err {
	enum err_kind kind;
	int sys;	   /* errno, or 0 */
	int retry_s;	   /* after so long another try is worth it; 0: not
			      known */
	char message[256]; /* one clause, no full stop, no newline */
};

/* Sets the error and returns -1, so that a failure is one statement. */
int err_set(struct err *, enum err_kind, const char *format, ...)
	printf_like(3, 4);

/*
 * The same from errno: appends its text, and chooses the kind by it (no
 * space and over quota: ERR_NO_SPACE; no descriptors: ERR_BUSY; everything
 * else: ERR_IO).
 */
int err_sys(struct err *, const char *format, ...) printf_like(2, 3);

/* Puts "<clause>: " in front of the message, keeps the kind; returns -1. */
int err_wrap(struct err *, const char *format, ...) printf_like(2, 3);

/* "no-space": the kind in logs. Static. */
const char *err_kind_text(enum err_kind);
