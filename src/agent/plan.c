/*
 * The table of engines, and how their wishes are gathered.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/engine.h"
#include "agent/report.h"
#include "base/mem.h"

static const struct engine engines[] = {
	{ "environment", { NULL }, environment_plan },
	{ "podman",
	  { "/etc/containers/registries.conf", "/usr/bin/podman",
	    "/usr/local/bin/podman", "/usr/bin/buildah", "/usr/bin/skopeo",
	    "/usr/bin/crio", "/usr/local/bin/crio" },
	  containers_plan },
	{ "containerd",
	  { "/etc/containerd", "/usr/bin/containerd",
	    "/usr/local/bin/containerd", "/opt/bin/containerd" },
	  containerd_plan },
	{ "k3s", { "/var/lib/rancher/k3s/agent/etc/containerd" }, k3s_plan },
	{ "rke2", { "/var/lib/rancher/rke2/agent/etc/containerd" }, rke2_plan },
	{ "buildkit",
	  { "/etc/buildkit", "/usr/bin/buildkitd", "/usr/local/bin/buildkitd",
	    "/opt/bin/buildkitd" },
	  buildkit_plan },
	{ "docker",
	  { "/etc/docker", "/usr/bin/dockerd", "/usr/sbin/dockerd",
	    "/usr/local/bin/dockerd" },
	  docker_plan },
};

/* Without TLS beside a registry that has it, pulls would lose theirs. */
static int hub_parse(const char *url, struct target *out, struct err *e)
{
	struct client_url hub;

	if (!client_url_parse(span_of(url), &hub) ||
	    strcmp(hub.scheme, out->scheme) != 0)
		return err_set(e, ERR_USAGE,
			       "%.100s is no URL where the registry answers "
			       "for Docker Hub; write %s://HOST:PORT",
			       url, out->scheme);
	snprintf(out->hub, sizeof(out->hub), "%s://%s:%s", hub.scheme, hub.host,
		 hub.port);
	out->hub_address = out->hub + strlen(hub.scheme) + strlen("://");
	return 0;
}

int target_parse(const struct agent_target *given, struct target *out,
		 struct err *e)
{
	*out = (struct target){ .given = given };
	if (!client_url_parse(span_of(given->url), &out->url))
		return err_set(e, ERR_USAGE,
			       "%.100s is no URL of a registry; write "
			       "http://HOST:PORT",
			       given->url);
	snprintf(out->address, sizeof(out->address), "%s:%s", out->url.host,
		 out->url.port);
	out->scheme = out->url.scheme;
	out->secure = strcmp(out->scheme, "https") == 0;
	return given->hub ? hub_parse(given->hub, out, e) : 0;
}

static void wish_free(struct wish *wish)
{
	free(wish->path);
	buf_free(&wish->element);
}

void plan_free(struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		wish_free(&plan->at[i]);
	free(plan->at);
}

struct wish *plan_wish(struct plan *plan, const struct kind *kind,
		       const char *path)
{
	plan->at = mem_grow(plan->at, (plan->count + 1) * sizeof(*plan->at));
	struct wish *wish = &plan->at[plan->count++];
	*wish = (struct wish){
		.engine = plan->engine,
		.kind = kind,
		.path = mem_text(path),
	};
	return wish;
}

struct buf *plan_file(struct plan *plan, const char *path_format, ...)
{
	auto_buf struct buf path = { 0 };
	va_list args;

	va_start(args, path_format);
	buf_vaddf(&path, path_format, args);
	va_end(args);
	struct wish *wish = plan_wish(plan, &kind_file, path.at);
	buf_addf(&wish->element, KIND_FILE_HEAD);
	return &wish->element;
}

static void plan_say(struct plan *, const char *what, const char *format,
		     va_list) printf_like(3, 0);
static void plan_say(struct plan *plan, const char *what, const char *format,
		     va_list args)
{
	auto_buf struct buf why = { 0 };

	buf_vaddf(&why, format, args);
	report_line(plan->report, plan->engine, what, "%s", why.at);
}

void plan_conflict(struct plan *plan, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	plan_say(plan, "conflict", format, args);
	va_end(args);
	plan->report->conflicts++;
}

void plan_note(struct plan *plan, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	plan_say(plan, "note", format, args);
	va_end(args);
}

void plan_pending(struct plan *plan, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	plan_say(plan, "pending", format, args);
	va_end(args);
	plan->report->pending++;
}

void plan_keep(struct plan *plan)
{
	assert(plan->kept_count < AGENT_ENGINES);
	plan->kept[plan->kept_count++] = plan->engine;
}

bool plan_keeps(const struct plan *plan, const char *engine)
{
	for (size_t i = 0; i < plan->kept_count; i++)
		if (!*engine || strcmp(plan->kept[i], engine) == 0)
			return true;
	return false;
}

const struct engine *engine_at(size_t index)
{
	return index < array_size(engines) ? &engines[index] : NULL;
}

bool engine_is_on(const struct host *host, const struct engine *engine)
{
	if (!engine->signs[0])
		return true;
	for (const char *const *sign = engine->signs; *sign; sign++)
		if (host_has(host, *sign))
			return true;
	return false;
}

static void engine_plan(const struct host *host, const struct target *target,
			const struct engine *engine, struct plan *plan)
{
	size_t before = plan->count;
	struct err e;

	plan->engine = engine->name;
	if (engine->plan(host, target, plan, &e) == 0)
		return;
	while (plan->count > before)
		wish_free(&plan->at[--plan->count]);
	plan_keep(plan);
	err_wrap(&e, "nothing of it changes");
	report_trouble(plan->report, engine->name, &e);
}

void plan_make(const struct host *host, const struct target *target,
	       struct plan *plan)
{
	static_assert(array_size(engines) <= AGENT_ENGINES,
		      "there is room for any of them");

	for (size_t i = 0; i < array_size(engines); i++)
		if (engine_is_on(host, &engines[i]))
			engine_plan(host, target, &engines[i], plan);
	proxies_note(host, target, plan);
}
