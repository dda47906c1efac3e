/*
 * agent/kind.h: how something of ours stands in a file. Pure values, no I/O.
 *
 * All texts are whole files; what is not ours in them stays, byte for byte.
 */
#pragma once
#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"

/* How what we write begins; whoever meets it knows whose it is. */
#define KIND_MARK "# private-registry: "

struct kind {
	const char *name; /* in the journal */
	bool whole;	  /* nothing but ours may stand in the file */

	/* Is something of ours in it, and is it `element`? */
	bool (*is_marked)(struct span text);
	bool (*has)(struct span text, struct span element);

	/*
	 * Adds the text with the element in it; SPAN_NONE: there is no file.
	 * ERR_CONFLICT, with the reason, if somebody else has his say there.
	 */
	int (*put)(struct span text, struct span element, struct buf *out,
		   struct err *) must_check;

	/* Adds the text without what is ours, whatever became of it. */
	void (*take)(struct span text, struct span element, struct buf *out);

	/* No mark can stand there: the journal has to know the element. */
	bool remembers;
};

/*
 * The file is ours. The element begins with KIND_FILE_HEAD.
 */
extern const struct kind kind_file;
#define KIND_FILE_HEAD                                                      \
	KIND_MARK "managed, and removed when the registry is gone; do not " \
		  "edit\n"

/*
 * A line of /etc/environment, environment(5), without its newline:
 * "DOCKER_REPO=10.0.0.5:5000/". It stands first, so that a last line without
 * an end stays as it is.
 */
extern const struct kind kind_environment;

/*
 * Members of daemon.json, whose values are lists of texts: "key=text" each, and
 * a blank between; "key=" is an empty list. Whoever wrote any of the keys has
 * his say there.
 */
extern const struct kind kind_daemon;

/* By its name; null. */
const struct kind *kind_find(const char *name);
