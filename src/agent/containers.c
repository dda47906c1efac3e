/*
 * The library that Podman, Buildah, Skopeo and CRI-O share: a drop-in, with
 * the upstream in the path of the mirror, since these send no ns.
 *
 * The last file that has a [[registry]] of a prefix replaces those before it,
 * so a prefix that any other file names stays as the operator wants it.
 */
#include "agent/engine.h"

#define MAIN_FILE "/etc/containers/registries.conf"
#define DROP_INS "/etc/containers/registries.conf.d"
#define OURS "50-private-registry.conf"

/* ------------------------------------------------------------------- pure */

/* A name in quotes of either kind, at the start of the text. */
static bool starts_quoted(struct span text, const char *name)
{
	char quote = text.len ? text.at[0] : '\0';

	if (quote != '"' && quote != '\'')
		return false;
	text = span_from(text, 1);
	return span_starts(text, name) &&
	       span_from(text, strlen(name)).len > 0 &&
	       text.at[strlen(name)] == quote;
}

/* `key = "name"` at the start of the text, the key in quotes or not. */
static bool starts_pair(struct span text, const char *key, const char *name)
{
	if (!span_starts(text, key))
		return false;
	text = span_from(text, strlen(key));
	if (text.len && (text.at[0] == '"' || text.at[0] == '\''))
		text = span_from(text, 1);
	text = span_trim(text);
	if (!span_starts(text, "="))
		return false;
	return starts_quoted(span_trim(span_from(text, 1)), name);
}

static bool line_names(struct span line, const char *registry)
{
	for (line = span_trim(line); line.len; line = span_from(line, 1)) {
		if (line.at[0] == '#')
			return false;
		if (starts_pair(line, "prefix", registry) ||
		    starts_pair(line, "location", registry))
			return true;
	}
	return false;
}

bool containers_names(struct span toml, const char *registry)
{
	while (toml.at)
		if (line_names(span_cut(&toml, '\n'), registry))
			return true;
	return false;
}

/* ---------------------------------------------------------------- the host */

/* All that others configured, one file behind the other. */
static int others_read(const struct host *host, struct buf *out, struct err *e)
{
	auto_buf struct buf names = { 0 };
	auto_host_file struct host_file main_file = { 0 };

	if (host_read(host, MAIN_FILE, &main_file, e) < 0 ||
	    host_list(host, DROP_INS, &names, e) < 0)
		return -1;
	buf_addf(out, "%s\n", main_file.exists ? main_file.text.at : "");
	for (const char *name = names.at; name && name < names.at + names.len;
	     name += strlen(name) + 1) {
		auto_buf struct buf path = { 0 };
		auto_host_file struct host_file file = { 0 };

		if (!span_ends(span_of(name), ".conf") ||
		    strcmp(name, OURS) == 0)
			continue;
		buf_addf(&path, DROP_INS "/%s", name);
		if (host_read(host, path.at, &file, e) < 0)
			return -1;
		buf_addf(out, "%s\n", file.exists ? file.text.at : "");
	}
	return 0;
}

static void upstream_add(const struct target *target, const char *upstream,
			 struct buf *out)
{
	buf_addf(out,
		 "\n"
		 "[[registry]]\n"
		 "prefix = \"%s\"\n"
		 "location = \"%s\"\n"
		 "[[registry.mirror]]\n"
		 "location = \"%s/%s\"\n%s",
		 upstream, upstream, target->address, upstream,
		 target->secure ? "" : "insecure = true\n");
}

int containers_plan(const struct host *host, const struct target *target,
		    struct plan *plan, struct err *e)
{
	const struct agent_target *given = target->given;
	auto_buf struct buf others = { 0 };

	if (others_read(host, &others, e) < 0)
		return -1;
	if (given->ca.at)
		buf_add(plan_file(plan, "/etc/containers/certs.d/%s/ca.crt",
				  target->address),
			given->ca);
	struct buf *out = plan_file(plan, DROP_INS "/" OURS);
	for (size_t i = 0; i < given->upstream_count; i++) {
		const char *upstream = given->upstreams[i];

		if (containers_names(buf_span(&others), upstream))
			plan_conflict(plan,
				      "%s: " MAIN_FILE " or a file beside it "
				      "says how it is reached",
				      upstream);
		else
			upstream_add(target, upstream, out);
	}
	if (!target->secure &&
	    !containers_names(buf_span(&others), target->address))
		buf_addf(out,
			 "\n[[registry]]\nlocation = \"%s\"\n"
			 "insecure = true\n",
			 target->address);
	return 0;
}
