/*
 * containerd reads <config_path>/<registry>/hosts.toml at each pull, once it
 * was started with a config_path: CRI does, nerdctl and ctr --hosts-dir
 * anyway.
 *
 * A CA that is named and not there fails every pull, so it precedes the file
 * that names it. What an older containerd does not know makes it ignore the
 * whole file: no capability but pull and resolve, and no skip_verify.
 */
#include "agent/engine.h"
#include "agent/process.h"
#include "agent/tables.h"

/* A containerd of its own, and where it looks. */
struct place {
	const char *config;	/* its configuration */
	const char *certs;	/* where hosts.toml are, if that does not say */
	const char *registries; /* whose names get a hosts.toml by others; null
				 */
	const char *advice;	/* if the configuration names no directory */
};

static const struct place host_place = {
	.config = "/etc/containerd/config.toml",
	.certs = "/etc/containerd/certs.d",
	.advice = "nerdctl uses /etc/containerd/certs.d, Kubernetes does not; "
		  "set it there, and restart containerd once, or let "
		  "--enable-containerd-config do that",
};

/*
 * k3s and RKE2 write a hosts.toml for each name in registries.yaml when they
 * start, and leave others alone. Older ones remove all; the agent's next look
 * finds that.
 */
#define RANCHER(name)                                                     \
	{                                                                 \
		.config = "/var/lib/rancher/" name                        \
			  "/agent/etc/containerd/config.toml",            \
		.certs = "/var/lib/rancher/" name                         \
			 "/agent/etc/containerd/certs.d",                 \
		.registries = "/etc/rancher/" name "/registries.yaml",    \
		.advice = "this " name " is too old to read hosts.toml; " \
			  "write /etc/rancher/" name "/registries.yaml",  \
	}
static const struct place k3s_place = RANCHER("k3s");
static const struct place rke2_place = RANCHER("rke2");

/* ------------------------------------------------------------------- pure */

/* What stands in quotes at the start of the text. */
static struct span quoted(struct span text)
{
	char quote = text.len ? text.at[0] : '\0';

	if (quote != '"' && quote != '\'')
		return SPAN_NONE;
	text = span_from(text, 1);
	ptrdiff_t end = span_find(text, quote);
	return end < 0 ? SPAN_NONE : span_make(text.at, (size_t)end);
}

struct span containerd_config_path(struct span toml)
{
	while (toml.at) {
		struct span line = span_trim(span_cut(&toml, '\n'));

		if (!span_starts(line, "config_path"))
			continue;
		line = span_trim(span_from(line, strlen("config_path")));
		if (!span_starts(line, "="))
			continue;
		struct span value = quoted(span_trim(span_from(line, 1)));
		if (value.len > 0)
			return value;
	}
	return SPAN_NONE;
}

bool containerd_has_cri(struct span toml)
{
	while (toml.at) {
		struct span line = span_trim(span_cut(&toml, '\n'));

		if (!span_starts(line, "disabled_plugins"))
			continue;
		for (; line.len; line = span_from(line, 1))
			if (span_starts(line, "cri\""))
				return false;
	}
	return true;
}

struct span containerd_config_file(struct span words)
{
	struct span word = span_cut(&words, '\0');

	while (word.len > 0) {
		if (span_starts(word, "--config="))
			return span_from(word, strlen("--config="));
		if (span_is(word, "-c") || span_is(word, "--config"))
			return span_cut(&words, '\0');
		word = span_cut(&words, '\0');
	}
	return SPAN_NONE;
}

bool rancher_names(struct span yaml, const char *registry)
{
	while (yaml.at) {
		struct span line = span_trim(span_cut(&yaml, '\n'));

		if (span_starts(line, "\"") || span_starts(line, "'"))
			line = span_from(line, 1);
		if (!span_starts(line, registry))
			continue;
		line = span_from(line, strlen(registry));
		if (span_starts(line, "\"") || span_starts(line, "'"))
			line = span_from(line, 1);
		line = span_trim(line);
		if (span_starts(line, ":") &&
		    (line.len == 1 || strchr(" \t\r", line.at[1])))
			return true;
	}
	return false;
}

/* ---------------------------------------------------------------- the host */

/* Its configuration lies where nothing can be written. */
#define SHARED "/usr/share/containerd/config.toml"

/* containerd -c FILE; only what k3s and RKE2 have started has one elsewhere. */
static bool is_elsewhere(const struct process *process, const char *config)
{
	auto_buf struct buf words = { 0 };
	struct err ignored;

	if (process_read(process, PROCESS_WORDS, &words, &ignored) < 0)
		return false;
	struct span other = containerd_config_file(buf_span(&words));
	return other.at && !span_is(other, config) &&
	       !span_starts(other, "/var/lib/rancher/");
}

/* Why its own file cannot be made to say it; null: it can. */
static const char *why_not(const struct host *host, const struct place *place,
			   const struct host_file *file)
{
	auto_processes struct processes found = { 0 };
	struct err ignored;

	if (!file->exists && host_has(host, SHARED))
		return "it is pointed if " SHARED " is copied there, and "
		       "containerd started with that";
	if (processes_find(host, "containerd", "/etc/containerd", &found,
			   &ignored) < 0)
		return NULL;
	for (size_t i = 0; i < found.count; i++)
		if (is_elsewhere(&found.at[i], place->config))
			return "containerd was started with another file";
	return NULL;
}

static void wish_path(const struct host *host, const struct place *place,
		      const struct host_file *file, struct plan *plan)
{
	const char *why = place->advice;

	if (!place->registries && (plan->permits & AGENT_ENABLE_CONTAINERD))
		why = why_not(host, place, file);
	if (why) {
		plan_note(plan, "%s has no config_path: %s", place->config,
			  why);
		return;
	}
	struct wish *wish = plan_wish(plan, &kind_config_path, place->config);
	buf_addf(&wish->element, "config_path = \"%s\"", place->certs);
}

/* The directory to write into, of which the engine may have no regard. */
static int find_directory(const struct host *host, const struct place *place,
			  struct plan *plan, struct host_path *out,
			  struct err *e)
{
	auto_host_file struct host_file file = { 0 };
	auto_buf struct buf theirs = { 0 };

	if (host_read(host, place->config, &file, e) < 0)
		return -1;
	kind_config_path.take(buf_span(&file.text), SPAN_NONE, &theirs);
	struct span set = containerd_config_path(buf_span(&theirs));
	bool usable = span_starts(set, "/") && span_find(set, ':') < 0 &&
		      span_find(set, '"') < 0 && set.len < 1000;
	span_copy(usable ? set : span_of(place->certs), out->s, sizeof(out->s));
	if (set.at && !usable)
		plan_note(plan,
			  "config_path is \"%.*s\", which is not one "
			  "directory: Kubernetes pulls past the registry",
			  (int)(set.len < 100 ? set.len : 100), set.at);
	else if (!set.at && (file.exists || !place->registries) &&
		 containerd_has_cri(buf_span(&theirs)))
		wish_path(host, place, &file, plan);
	return 0;
}

/* Those of which the host's own tool will have its say at its next start. */
static int note_named(const struct host *host, const struct target *target,
		      const struct place *place, struct plan *plan,
		      struct err *e)
{
	const struct agent_target *given = target->given;
	auto_host_file struct host_file file = { 0 };

	if (!place->registries)
		return 0;
	if (host_read(host, place->registries, &file, e) < 0)
		return -1;
	for (size_t i = 0; i < given->upstream_count; i++)
		if (rancher_names(buf_span(&file.text), given->upstreams[i]))
			plan_note(plan,
				  "%s: %s says how it is reached, from "
				  "the next start on",
				  given->upstreams[i], place->registries);
	return 0;
}

/* What containerd reads in the directory of a registry. */
static bool is_read(const char *name)
{
	static const char *const suffixes[] = { "hosts.toml", ".crt", ".cert",
						".key" };

	for (size_t i = 0; i < array_size(suffixes); i++)
		if (span_ends(span_of(name), suffixes[i]))
			return true;
	return false;
}

/* Has the operator settings in it? */
static int is_foreign(const struct host *host, const char *dir, bool *out,
		      struct err *e)
{
	auto_buf struct buf names = { 0 };

	*out = false;
	if (host_list(host, dir, &names, e) < 0)
		return -1;
	for (const char *name = names.at; name && name < names.at + names.len;
	     name += strlen(name) + 1) {
		auto_buf struct buf path = { 0 };
		auto_host_file struct host_file file = { 0 };

		if (name[0] == '.' || !is_read(name))
			continue;
		buf_addf(&path, "%s/%s", dir, name);
		int failed = host_read(host, path.at, &file, e);
		if (failed && e->kind != ERR_CONFLICT)
			return -1;
		*out |= failed || !kind_file.is_marked(buf_span(&file.text));
	}
	return 0;
}

static void host_add(const struct target *target, const char *certs,
		     const char *capabilities, struct buf *out)
{
	buf_addf(out,
		 "[host.\"%s://%s\"]\n"
		 "  capabilities = [%s]\n"
		 "  dial_timeout = \"1s\"\n",
		 target->scheme, target->address, capabilities);
	if (target->given->ca.at)
		buf_addf(out, "  ca = \"%s/%s/ca.crt\"\n", certs,
			 target->address);
}

static int registry_plan(const struct host *host, const struct target *target,
			 const char *certs, const char *registry,
			 struct plan *plan, struct err *e)
{
	bool itself = strcmp(registry, target->address) == 0;
	auto_buf struct buf dir = { 0 };
	bool foreign;

	buf_addf(&dir, "%s/%s", certs, registry);
	if (is_foreign(host, dir.at, &foreign, e) < 0)
		return -1;
	if (foreign) {
		plan_conflict(plan, "%s has settings of its own", dir.at);
		return 0;
	}
	struct buf *out = plan_file(plan, "%s/hosts.toml", dir.at);
	if (itself)
		buf_addf(out, "server = \"%s://%s\"\n", target->scheme,
			 target->address);
	host_add(target, certs,
		 itself ? "\"pull\", \"resolve\", \"push\"" :
			  "\"pull\", \"resolve\"",
		 out);
	return 0;
}

/* What has a directory of its own is not looked up there. */
static void default_tell(const struct host *host, const char *certs,
			 struct plan *plan)
{
	auto_buf struct buf path = { 0 };

	buf_addf(&path, "%s/_default/hosts.toml", certs);
	if (host_has(host, path.at))
		plan_note(plan,
			  "%s says nothing of the upstreams that are pointed "
			  "at the registry, as long as they are",
			  path.at);
}

int hosts_plan(const struct host *host, const struct target *target,
	       const char *certs, struct plan *plan, struct err *e)
{
	const struct agent_target *given = target->given;

	default_tell(host, certs, plan);

	if (given->ca.at)
		buf_add(plan_file(plan, "%s/%s/ca.crt", certs, target->address),
			given->ca);
	if (registry_plan(host, target, certs, target->address, plan, e) < 0)
		return -1;
	for (size_t i = 0; i < given->upstream_count; i++)
		if (registry_plan(host, target, certs, given->upstreams[i],
				  plan, e) < 0)
			return -1;
	return 0;
}

static int place_plan(const struct host *host, const struct target *target,
		      const struct place *place, struct plan *plan,
		      struct err *e)
{
	struct host_path certs;

	if (find_directory(host, place, plan, &certs, e) < 0 ||
	    note_named(host, target, place, plan, e) < 0)
		return -1;
	return hosts_plan(host, target, certs.s, plan, e);
}

int containerd_plan(const struct host *host, const struct target *target,
		    struct plan *plan, struct err *e)
{
	return place_plan(host, target, &host_place, plan, e);
}

int k3s_plan(const struct host *host, const struct target *target,
	     struct plan *plan, struct err *e)
{
	return place_plan(host, target, &k3s_place, plan, e);
}

int rke2_plan(const struct host *host, const struct target *target,
	      struct plan *plan, struct err *e)
{
	return place_plan(host, target, &rke2_place, plan, e);
}
