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

	/*
	 * Adds the text without what is ours, whatever became of it: what is
	 * in the element, or was once, each of its words.
	 */
	void (*take)(struct span text, struct span element, struct buf *out);
	/* Null: any text. Of one that is not, `take` leaves everything. */
	bool (*is_readable)(struct span text);

	/* The mark alone does not tell it: the journal has to know it. */
	bool remembers;
};

/*
 * The file is ours. The element begins with KIND_FILE_HEAD.
 */
extern const struct kind kind_file;
#define KIND_FILE_HEAD                                                      \
	KIND_MARK "managed, and removed when the registry is gone; do not " \
		  "edit\n"

/* An element is words, with a blank between. */
bool kind_element_has(struct span element, struct span word);

/*
 * A line of /etc/environment, environment(5), without its newline:
 * "DOCKER_REPO=10.0.0.5:5000/". It stands first, so that a last line without
 * an end stays as it is.
 */
extern const struct kind kind_environment;

/*
 * Members of daemon.json, whose values are lists of texts: "key=text" each, and
 * a blank between; "key=" is an empty list, which is taken only as long as it
 * is empty. Whoever wrote any of the keys has his say there.
 */
extern const struct kind kind_daemon;

/* By its name; null. */
const struct kind *kind_find(const char *name);
