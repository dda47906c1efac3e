/*
 * private-registry agent: points the engines of this host at a registry.
 */
#include <signal.h>

#include "agent/agent.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/enrol.h"
#include "cli/inside.h"
#include "client/client.h"

enum { HOST_LEASES = 4 }; /* nobody waits for a host that is gone */

/* What was typed. */
struct order {
	int64_t once;
	int64_t dry_run;
	int64_t uninstall;
	int64_t restart_buildkitd;
	int64_t enable_containerd;
	struct config *config;
	struct buf ca;
	const char **upstreams;
	struct agent_target target;
	struct agent *agent;
	struct client *client;
};

static void order_free(struct order *order)
{
	if (order->client)
		client_close(&order->client);
	if (order->agent)
		agent_close(&order->agent);
	buf_free(&order->ca);
	free(order->upstreams);
	if (order->config)
		config_close(&order->config);
}

/* ------------------------------------------------------------------ orders */

static int ca_read(struct order *order, struct err *e)
{
	const char *path = order->config->agent.ca;

	if (!path)
		return 0;
	if (certificates_read(path, &order->ca, e) < 0)
		return -1;
	order->target.ca = buf_span(&order->ca);
	return 0;
}

static int client_make(struct order *order, struct err *e)
{
	struct client_options options = { .ca = order->config->agent.ca };

	return client_open(&options, &order->client, e);
}

/* Who gives an authority expects that it is asked for. */
static int trust_check(const struct config *config, struct err *e)
{
	struct client_url url;

	if (config->agent.ca &&
	    client_url_parse(span_of(config->agent.registry), &url) &&
	    strcmp(url.scheme, "http") == 0)
		return err_set(e, ERR_USAGE, "--ca is for https, and %s is not",
			       config->agent.registry);
	return 0;
}

static int target_read(struct order *order, struct err *e)
{
	const struct config *config = order->config;

	if (!config->agent.registry)
		return err_set(e, ERR_USAGE,
			       "which registry? write --registry "
			       "http://HOST:PORT, or, for an agent that "
			       "stays, --etcd URL");
	if (trust_check(config, e) < 0)
		return -1;
	order->upstreams =
		mem_array(config->upstream_count, sizeof(*order->upstreams));
	for (size_t i = 0; i < config->upstream_count; i++)
		order->upstreams[i] = config->upstreams[i].name;
	order->target = (struct agent_target){
		.url = config->agent.registry,
		.hub = config->agent.hub,
		.upstreams = order->upstreams,
		.upstream_count = config->upstream_count,
	};
	return ca_read(order, e) < 0 ? -1 : client_make(order, e);
}

static int host_take(struct order *order, struct err *e)
{
	auto_buf struct buf damage = { 0 };
	enum agent_use use = order->dry_run ? AGENT_TELL : AGENT_CHANGE;

	if (agent_open(order->config->agent.root, use, &order->agent, &damage,
		       e) < 0)
		return -1;
	agent_permit(order->agent,
		     (order->restart_buildkitd ? AGENT_RESTART_BUILDKITD : 0) |
			     (order->enable_containerd ?
				      AGENT_ENABLE_CONTAINERD :
				      0));
	struct span rest = buf_span(&damage);
	while (rest.len > 0) {
		struct span line = span_cut(&rest, '\n');

		log_say(LOG_ERROR, "journal", "%.*s", SPAN_ARG(line));
	}
	return 0;
}

/* ------------------------------------------------------------------- deeds */

static int report_end(const struct agent_report *report, struct err *e)
{
	if (print_out(&report->diff, e) < 0 || print_out(&report->text, e) < 0)
		return -1;
	if (report->failures)
		return err_set(e, ERR_IO, "%zu things failed, see above",
			       report->failures);
	if (report->conflicts)
		return err_set(e, ERR_CONFLICT,
			       "%zu things were left as the operator has them, "
			       "see above",
			       report->conflicts);
	return 0;
}

static int status_keep(struct order *order, const char *line,
		       const struct agent_report *report, struct err *e)
{
	if (order->dry_run)
		return 0;
	return agent_keep_status(order->agent, line, report, e);
}

static int uninstall(struct order *order, struct err *e)
{
	auto_report struct agent_report report = { 0 };

	if (!order->dry_run &&
	    agent_end_other(order->config->agent.root, e) < 0)
		return -1;
	if (host_take(order, e) < 0)
		return -1;
	agent_withdraw(order->agent, &report);
	if (status_keep(order, "everything was taken back", &report, e) < 0)
		return -1;
	return report_end(&report, e);
}

/* Each one that engines are to be pointed at. */
static int doors_probe(struct order *order, struct err *e)
{
	const char *const doors[] = { order->target.url, order->target.hub };

	for (size_t i = 0; i < array_size(doors); i++)
		if (doors[i] && agent_probe(order->client, doors[i], e) < 0)
			return err_wrap(e,
					"%s does not answer, nothing was "
					"changed",
					doors[i]);
	return 0;
}

static int once(struct order *order, struct err *e)
{
	auto_report struct agent_report report = { 0 };
	auto_buf struct buf line = { 0 };

	if (target_read(order, e) < 0 || host_take(order, e) < 0)
		return -1;
	if (!order->dry_run && doors_probe(order, e) < 0)
		return -1;
	if (agent_apply(order->agent, &order->target, &report, e) < 0)
		return -1;
	buf_addf(&line, "registry %s: answered once", order->target.url);
	if (status_keep(order, line.at, &report, e) < 0)
		return -1;
	return report_end(&report, e);
}

static int stay_with_etcd(struct order *order, struct err *e)
{
	struct cluster_options etcd;
	const struct agent_source source = {
		.etcd = &etcd,
		.zone = order->config->cluster.zone,
		.name = order->config->agent.name,
		.lease_s = HOST_LEASES * order->config->cluster.lease_ms / 1000,
	};

	if (host_take(order, e) < 0)
		return -1;
	describe_etcd(order->config, &etcd);
	log_say(LOG_INFO, "started", "registries of etcd, host %s",
		order->config->agent.root);
	return agent_watch(order->agent, &source, e);
}

static int stay(struct order *order, struct err *e)
{
	const struct agent_source source = { .registry = &order->target };

	if (!order->config->agent.registry &&
	    order->config->cluster.etcd_count > 0)
		return stay_with_etcd(order, e);
	if (target_read(order, e) < 0 || host_take(order, e) < 0)
		return -1;
	log_say(LOG_INFO, "started", "registry %s, host %s", order->target.url,
		order->config->agent.root);
	return agent_watch(order->agent, &source, e);
}

/* Signals wait until they are asked for, so that no step is cut in two. */
static int serve_host(struct order *order, struct err *e)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	log_open(order->config->log_level);
	int failed = stay(order, e);
	log_close();
	return failed;
}

static int status(char *const *args, struct err *e)
{
	auto_of(config) struct config *config = NULL;
	auto_buf struct buf out = { 0 };

	if (options_load(args, &config, e) < 0 ||
	    agent_status(config->agent.root, &out, e) < 0)
		return -1;
	return print_out(&out, e);
}

int cli_agent(const struct call *call, struct err *e)
{
	auto_with(order_free) struct order order = { 0 };
	auto_free char **rest = NULL;
	const struct own_option own[] = {
		{ .name = "--once", .out = &order.once },
		{ .name = "--dry-run", .out = &order.dry_run },
		{ .name = "--uninstall", .out = &order.uninstall },
		{ .name = "--restart-buildkitd",
		  .out = &order.restart_buildkitd },
		{ .name = "--enable-containerd-config",
		  .out = &order.enable_containerd },
		{ 0 },
	};

	if (call->args[0] && strcmp(call->args[0], "status") == 0)
		return status(call->args + 1, e);
	if (own_options_take(call->args, own, &rest, e) < 0 ||
	    options_load(rest, &order.config, e) < 0)
		return -1;
	signal(SIGPIPE, SIG_IGN);
	mem_settle();
	if (order.uninstall)
		return uninstall(&order, e);
	return order.once || order.dry_run ? once(&order, e) :
					     serve_host(&order, e);
}

void cli_agent_help(const struct call *call, struct buf *out)
{
	(void)call;
	buf_addf(
		out,
		"usage: private-registry agent --registry URL [OPTION]...\n"
		"       private-registry agent status [--root DIR]\n"
		"\n"
		"Points the container engines of this host at a registry as "
		"long as it answers,\n"
		"and puts everything back when it does not. What it does to "
		"which file is in\n"
		"docs/agent.md. To be run by root.\n"
		"\n"
		"Examples\n"
		"  private-registry agent --registry http://10.0.0.5:5000 "
		"--dry-run\n"
		"  private-registry agent --registry https://images.lan:5000 "
		"--ca ca.pem\n"
		"  private-registry agent --uninstall\n"
		"\n"
		"Options\n"
		"  --registry URL          http://HOST:PORT, or https\n"
		"  --hub URL               where it answers for Docker Hub "
		"alone, for Docker\n"
		"                          before 24.0.8\n"
		"  --ca FILE               authorities to trust there; PEM\n"
		"  --upstream NAME         a registry that it mirrors, beside "
		"docker.io\n"
		"  --once                  do it, or leave it, and end\n"
		"  --dry-run               only print what would change\n"
		"  --uninstall             end the agent that runs, and put "
		"everything back\n"
		"  --restart-buildkitd     point BuildKit, too, by a restart "
		"each time\n"
		"  --enable-containerd-config\n"
		"                          make containerd read hosts.toml, by "
		"one restart\n"
		"  --root DIR              where the host's files are, in a "
		"container\n" COMMON_OPTIONS "\n"
		"Exit status\n"
		"  0 done, or nothing was to be done, 1 it failed, or another "
		"agent has the host,\n"
		"  2 the command line or the configuration is wrong, 3 done, "
		"but for what the\n"
		"  operator wants otherwise\n");
}
