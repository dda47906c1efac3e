/*
 * base/yaml.h: walks a YAML file as a list of (key, value, line).
 *
 *	listen:
 *	  - address: ":5000"      →  "listen[0].address"  ":5000"  line 2
 *	mirror: {default: ""}     →  "mirror.default"     ""       line 3
 *
 * Only what a configuration needs: maps, lists and scalars, at most 1 MiB.
 * Empty maps and lists have no items. Keys are of letters, digits, _ and -.
 * Anchors, tags, several documents, duplicate keys: ERR_USAGE with file and
 * line.
 */
#pragma once
#include "base/attr.h"
#include "base/err.h"

struct yaml_item {
	const char *key;
	const char *value;
	const char *file;
	unsigned line;
};

/* Called in the order of the file; -1 stops the walk with that error. */
typedef int (*yaml_visit)(const struct yaml_item *, void *arg, struct err *);

int yaml_walk(const char *path, yaml_visit, void *arg, struct err *)
	may_wait must_check;
