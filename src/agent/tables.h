/*
 * agent/tables.h: what of ours stands in TOML of others, beside what
 * agent/kind.h says of it. Pure.
 */
#pragma once
#include "agent/kind.h"

/*
 * Tables at the end of buildkitd.toml. The element is whole lines.
 */
extern const struct kind kind_tables;

/*
 * config_path in the table of containerd's configuration that Kubernetes goes
 * by: `config_path = "/etc/containerd/certs.d"`. ERR_CONFLICT where containerd
 * would not take it: beside mirrors or configs, or in a version that is neither
 * 2 nor 3.
 */
extern const struct kind kind_config_path;

/* What is ours in it, with the lines that say so; SPAN_NONE: nothing. */
struct span tables_ours(struct span text);
struct span config_path_ours(struct span text);

/* Does a line that is no comment hold the name? */
bool tables_name(struct span toml, const char *name);
