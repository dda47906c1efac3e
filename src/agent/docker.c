/*
 * dockerd has two ways to store images. With containerd's, from 28 on, it reads
 * hosts.toml for every registry, at each pull. With its own it mirrors Docker
 * Hub alone, and only as daemon.json says, which it reads at a signal.
 */
#include <netdb.h>
#include <stdio.h>

#include "agent/docker.h"
#include "agent/engine.h"
#include "agent/socket.h"
#include "base/json.h"
#include "base/mem.h"

#define CONFIG "/etc/docker/daemon.json"
#define CERTS "/etc/docker/certs.d"
#define HUB "docker.io"
enum {
	HOSTS_SINCE = 28, /* it reads hosts.toml */
	STRICT_SINCE = 28 /* an insecure mirror makes Docker Hub insecure */
};

/* ------------------------------------------------------------------- pure */

/* "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]] */
static bool has_store(const struct json_value *status)
{
	for (size_t i = 0; i < json_count(status); i++) {
		const struct json_value *pair = json_at(status, i);

		if (span_is(json_text(json_at(pair, 0)), "driver-type") &&
		    span_starts(json_text(json_at(pair, 1)), "io.containerd."))
			return true;
	}
	return false;
}

static bool is_mirror_of(struct span element, struct span url)
{
	while (element.len > 0) {
		struct span value = span_cut(&element, ' ');
		struct span key = span_cut(&value, '=');

		if (span_is(key, "registry-mirrors") && value.len > 0 &&
		    span_eq(value, url))
			return true;
	}
	return false;
}

/* It adds a slash at the end. */
static bool has_ours(const struct json_value *mirrors, struct span element)
{
	for (size_t i = 0; i < json_count(mirrors); i++) {
		struct span url = json_text(json_at(mirrors, i));

		if (span_ends(url, "/"))
			url.len--;
		if (is_mirror_of(element, url))
			return true;
	}
	return false;
}

/* What it has from insecure-registries: names of hosts, and networks. */
static void insecure_find(const struct json_value *config, const char *address,
			  struct docker_info *out)
{
	const struct json_value *networks =
		json_get(config, "InsecureRegistryCIDRs");

	out->is_insecure =
		(address &&
		 json_get(json_get(config, "IndexConfigs"), address)) ||
		json_count(networks) > DOCKER_NETWORKS_MOST;
	for (size_t i = 0; !out->is_insecure && i < json_count(networks); i++)
		if (ip_network_parse(json_text(json_at(networks, i)),
				     &out->insecure[out->insecure_count]))
			out->insecure_count++;
}

int docker_version_parse(struct span text, struct docker_info *out,
			 struct err *e)
{
	if (!text.at || !span_copy(text, out->version, sizeof(out->version)))
		return err_set(e, ERR_UPSTREAM, "it tells no version");
	if (sscanf(out->version, "%d.%d.%d", &out->major, &out->minor,
		   &out->patch) < 1)
		return err_set(e, ERR_UPSTREAM, "its version is \"%s\"",
			       out->version);
	return 0;
}

int docker_info_parse(struct span text, const struct docker_question *question,
		      struct docker_info *out, struct err *e)
{
	static const struct json_limits limits = { SOCKET_MOST, 50000, 32 };
	auto_of(json) struct json *json = NULL;

	*out = (struct docker_info){ 0 };
	if (json_parse(text, &limits, &json, e) < 0)
		return -1;
	const struct json_value *info = json_root(json);
	if (docker_version_parse(json_text(json_get(info, "ServerVersion")),
				 out, e) < 0)
		return -1;
	out->has_containerd_store = has_store(json_get(info, "DriverStatus"));
	const struct json_value *config = json_get(info, "RegistryConfig");
	const struct json_value *mirrors = json_get(config, "Mirrors");
	out->has_mirrors = json_count(mirrors) > 0;
	out->has_ours = has_ours(mirrors, question->element);
	insecure_find(config, question->address, out);
	return 0;
}

/* ---------------------------------------------------------------- the host */

int docker_ask(const struct host *host, const struct docker_question *question,
	       struct docker_info *out, struct err *e)
{
	auto_buf struct buf socket = { 0 };
	auto_buf struct buf body = { 0 };

	if (!docker_runs(host))
		return err_set(e, ERR_NOT_FOUND, "no dockerd runs");
	buf_addf(&socket, "%s" DOCKER_SOCKET,
		 strcmp(host->at.s, "/") ? host->at.s : "");
	if (socket_ask(socket.at, "/info", &body, e) < 0)
		return -1;
	return docker_info_parse(buf_span(&body), question, out, e);
}

/*
 * A hosts.toml of Docker Hub would make it forget the mirrors that it has, even
 * if the registry does not answer.
 */
static int hosts_plan_beside(const struct host *host,
			     const struct target *target, struct plan *plan,
			     struct err *e)
{
	struct agent_target given = *target->given;
	auto_free const char **others =
		mem_array(given.upstream_count + 1, sizeof(*others));
	struct target narrowed = *target;

	given.upstream_count = 0;
	for (size_t i = 0; i < target->given->upstream_count; i++)
		if (strcmp(given.upstreams[i], HUB) != 0)
			others[given.upstream_count++] = given.upstreams[i];
	given.upstreams = others;
	narrowed.given = &given;
	plan_conflict(plan, HUB ": dockerd has a mirror of it already");
	return hosts_plan(host, &narrowed, CERTS, plan, e);
}

static bool mirrors_hub(const struct target *target)
{
	for (size_t i = 0; i < target->given->upstream_count; i++)
		if (strcmp(target->given->upstreams[i], HUB) == 0)
			return true;
	return false;
}

static bool is_in_networks(const struct docker_info *info,
			   const struct sockaddr *address, socklen_t len)
{
	char text[INET6_ADDRSTRLEN + 20];
	struct ip ip;

	if (getnameinfo(address, len, text, sizeof(text), NULL, 0,
			NI_NUMERICHOST) != 0 ||
	    !ip_parse(span_of(text), &ip))
		return false;
	for (size_t i = 0; i < info->insecure_count; i++)
		if (ip_network_holds(&info->insecure[i], &ip))
			return true;
	return false;
}

/* It asks for the addresses of a name as well. */
static int insecure_check(const struct docker_info *info,
			  const struct target *target, bool *out, struct err *e)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct span host = span_of(target->url.host);
	struct addrinfo *found;
	char name[256];

	*out = info->is_insecure || ip_host_is_own(host);
	if (*out || info->insecure_count == 0)
		return 0;
	if (span_starts(host, "["))
		host = span_make(host.at + 1, host.len - 2);
	int failed = span_copy(host, name, sizeof(name)) ?
			     getaddrinfo(name, NULL, &hints, &found) :
			     EAI_NONAME;
	if (failed)
		return err_set(e, ERR_UNAVAILABLE, "%s: %s", target->url.host,
			       gai_strerror(failed));
	for (struct addrinfo *one = found; one && !*out; one = one->ai_next)
		*out = is_in_networks(info, one->ai_addr, one->ai_addrlen);
	freeaddrinfo(found);
	return 0;
}

/* False: it cannot have that mirror, or nobody knows now. */
static bool mirror_may_be(const struct docker_info *info,
			  const struct target *target, struct plan *plan)
{
	bool insecure;
	struct err why;

	if (info->major < STRICT_SINCE)
		return true;
	if (insecure_check(info, target, &insecure, &why) < 0) {
		plan_keep(plan);
		plan_pending(plan, "daemon.json is left alone: %s",
			     why.message);
		return false;
	}
	if (insecure)
		plan_conflict(plan,
			      "with a mirror at %s, which is insecure to it, "
			      "it would not check the certificate of Docker "
			      "Hub: it has none",
			      target->address);
	return !insecure;
}

/* An older one does not start with a path in the URL of a mirror. */
static bool takes_path(const struct docker_info *info)
{
	return info->major > 24 || (info->major == 24 && info->patch >= 8);
}

static void element_make(const struct target *target,
			 const struct docker_info *info, struct plan *plan,
			 struct buf *out)
{
	bool path = takes_path(info);

	if (!path && *target->hub)
		buf_addf(out, "registry-mirrors=%s", target->hub);
	else
		buf_addf(out, "registry-mirrors=%s://%s%s", target->scheme,
			 target->address, path ? "/mirror/" HUB : "");
	if (!path && !*target->hub)
		plan_note(plan,
			  "version %s takes no path in a mirror's URL: a name "
			  "that was pushed to the registry wins over Docker "
			  "Hub's",
			  info->version);
	if (!target->secure && !ip_host_is_own(span_of(target->url.host)) &&
	    info->major < STRICT_SINCE)
		buf_addf(out, " insecure-registries=%s", target->address);
}

static void flags_tell(struct plan *plan, const struct err *why)
{
	if (why->kind == ERR_CONFLICT) {
		plan_conflict(plan, "daemon.json is left alone: %s",
			      why->message);
		return;
	}
	plan_keep(plan);
	plan_pending(plan, "daemon.json is left alone: %s", why->message);
}

/* By daemon.json, and then by a signal. */
static int file_plan(const struct host *host, const struct target *target,
		     const struct docker_info *info, struct plan *plan)
{
	struct err why;

	if (!mirrors_hub(target))
		return 0;
	if (docker_flags_check(host, &why) < 0) {
		flags_tell(plan, &why);
		return 0;
	}
	if (!mirror_may_be(info, target, plan))
		return 0;
	struct wish *wish = plan_wish(plan, &kind_daemon, CONFIG);
	element_make(target, info, plan, &wish->element);
	if (!target->secure && info->major >= STRICT_SINCE)
		plan_note(plan,
			  "to push there without TLS would need %s in "
			  "insecure-registries, and then it would not check "
			  "the certificate of Docker Hub in builds",
			  target->address);
	return 0;
}

static int own_store_plan(const struct host *host, const struct target *target,
			  const struct docker_info *info, struct plan *plan)
{
	const struct agent_target *given = target->given;

	if (given->ca.at)
		buf_add(plan_file(plan, CERTS "/%s/ca.crt", target->address),
			given->ca);
	if (given->ca.at && *target->hub && !takes_path(info))
		buf_add(plan_file(plan, CERTS "/%s/ca.crt",
				  target->hub_address),
			given->ca);
	return file_plan(host, target, info, plan);
}

/*
 * What an older one that is being started is to read is known by its version.
 * Of one that does not run not even its options are, with which it may not
 * start then.
 */
static int silent_plan(const struct host *host, const struct target *target,
		       const struct err *why, struct plan *plan)
{
	struct docker_info info;
	struct err ignored;

	if (why->kind != ERR_NOT_FOUND &&
	    docker_version(host, &info, &ignored) == 0 &&
	    info.major < HOSTS_SINCE)
		return own_store_plan(host, target, &info, plan);
	plan_keep(plan);
	plan_pending(plan, "nothing of it changes until it answers: %s",
		     why->message);
	return 0;
}

int docker_plan(const struct host *host, const struct target *target,
		struct plan *plan, struct err *e)
{
	const struct docker_question question = { .address = target->address };
	struct docker_info info;
	struct err why;

	if (docker_ask(host, &question, &info, &why) < 0)
		return silent_plan(host, target, &why, plan);
	if (info.has_containerd_store && info.major >= HOSTS_SINCE)
		return info.has_mirrors ?
			       hosts_plan_beside(host, target, plan, e) :
			       hosts_plan(host, target, CERTS, plan, e);
	return own_store_plan(host, target, &info, plan);
}
