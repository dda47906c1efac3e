/*
 * Engines are programs in Go, and ask by the proxy that their variables name
 * what these do not spare: a registry nearby, too. Nobody but the operator can
 * change the variables of what runs, so it is only told.
 *
 * The rules are those of golang.org/x/net/http/httpproxy.
 */
#include "agent/engine.h"
#include "agent/process.h"
#include "base/ip.h"

/* ------------------------------------------------------------------- pure */

static struct span variable(struct span list, const char *name)
{
	while (list.len > 0) {
		struct span value = span_cut(&list, '\0');

		if (span_is(span_cut(&value, '='), name))
			return value;
	}
	return SPAN_NONE;
}

static struct span either(struct span list, const char *name, const char *other)
{
	struct span value = variable(list, name);

	return value.len ? value : variable(list, other);
}

/* Without the brackets of an address. */
static struct span bare(struct span host)
{
	return span_starts(host, "[") && span_ends(host, "]") ?
		       span_make(host.at + 1, host.len - 2) :
		       host;
}

/* "a.lan" is a.lan and what ends in .a.lan, and ".a.lan" only the latter. */
static bool is_domain_of(struct span domain, struct span host)
{
	if (span_starts(domain, "*."))
		domain = span_from(domain, 1);
	if (span_eq_nocase(domain, host))
		return true;
	bool dotted = span_starts(domain, ".");
	if (host.len <= domain.len)
		return false;
	struct span end = span_from(host, host.len - domain.len);
	return span_eq_nocase(end, domain) && (dotted || end.at[-1] == '.');
}

static bool is_network_of(struct span network, struct span host)
{
	struct ip_network parsed;
	struct ip address;

	return ip_network_parse(bare(network), &parsed) &&
	       ip_parse(host, &address) && ip_network_holds(&parsed, &address);
}

/* One element of NO_PROXY. */
static bool spares(struct span element, const struct client_url *url)
{
	struct span host = bare(span_of(url->host));
	ptrdiff_t colon = span_find_last(element, ':');

	if (span_is(element, "*") || is_network_of(element, host))
		return true;
	if (colon >= 0 &&
	    !span_is(span_from(element, (size_t)colon + 1), url->port))
		return false;
	if (colon >= 0)
		element.len = (size_t)colon;
	return element.len > 0 &&
	       (is_network_of(element, host) || is_domain_of(element, host));
}

bool proxy_is_asked(struct span variables, const struct client_url *url)
{
	bool secure = strcmp(url->scheme, "https") == 0;
	struct span proxy =
		secure ? either(variables, "HTTPS_PROXY", "https_proxy") :
			 either(variables, "HTTP_PROXY", "http_proxy");
	struct span spared = either(variables, "NO_PROXY", "no_proxy");

	if (proxy.len == 0 || ip_host_is_own(span_of(url->host)))
		return false;
	while (spared.at)
		if (spares(span_trim(span_cut(&spared, ',')), url))
			return false;
	return true;
}

/* ---------------------------------------------------------------- the host */

static const struct {
	const char *engine, *program, *directory;
} daemons[] = {
	{ "docker", "dockerd", "/etc/docker" },
	{ "containerd", "containerd", "/etc/containerd" },
	{ "k3s", "containerd", "/var/lib/rancher/k3s/agent/etc/containerd" },
	{ "rke2", "containerd", "/var/lib/rancher/rke2/agent/etc/containerd" },
	{ "crio", "crio", "/etc/containers" },
	{ "podman", "podman", "/etc/containers" },
	{ "buildkit", "buildkitd", "/etc/buildkit" },
};

static void process_note(const struct target *target,
			 const struct process *process, struct plan *plan)
{
	auto_buf struct buf variables = { 0 };
	struct err ignored;

	if (process_read(process, PROCESS_VARIABLES, &variables, &ignored) < 0)
		return;
	if (proxy_is_asked(buf_span(&variables), &target->url))
		plan_note(plan,
			  "process %d asks the registry by a proxy: its "
			  "NO_PROXY lacks %s",
			  (int)process->pid, target->url.host);
}

void proxies_note(const struct host *host, const struct target *target,
		  struct plan *plan)
{
	for (size_t i = 0; i < array_size(daemons); i++) {
		auto_processes struct processes found = { 0 };
		struct err e;

		plan->engine = daemons[i].engine;
		if (!host_has(host, daemons[i].directory))
			continue;
		if (processes_find(host, daemons[i].program,
				   daemons[i].directory, &found, &e) < 0)
			plan_note(plan, "%s", e.message);
		for (size_t p = 0; p < found.count; p++)
			process_note(target, &found.at[p], plan);
	}
}
