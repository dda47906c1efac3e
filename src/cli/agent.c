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
	int64_t no_engines;
	struct config *config;
	struct buf ca;
	const char **upstreams;
	struct agent_target target;
	struct cluster_options etcd;
	struct agent_source source; /* of the above */
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
static int trust_check(const char *ca, const char *url, struct err *e)
{
	if (ca && span_starts(span_of(url), "http://"))
		return err_set(e, ERR_USAGE, "--ca is for https, and %s is not",
			       url);
	return 0;
}

static int target_read(struct order *order, struct err *e)
{
	const struct config *config = order->config;
	const char *url = config->agent.registry ? config->agent.registry :
						   config->agent.srv;

	if (trust_check(config->agent.ca, url, e) < 0)
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
	order->source.registry = &order->target;
	return ca_read(order, e) < 0 ? -1 : client_make(order, e);
}

static int etcd_read(struct order *order, struct err *e)
{
	if (order->config->agent.ca)
		return err_set(e, ERR_USAGE,
			       "--ca is for --registry and --srv: what etcd "
			       "has of a registry says whom to trust there");
	describe_etcd(order->config, &order->etcd);
	order->source.etcd = &order->etcd;
	return 0;
}

/* What was named more closely comes first. */
static int source_read(struct order *order, struct err *e)
{
	const struct config *config = order->config;

	order->source = (struct agent_source){
		.zone = config->cluster.zone,
		.name = config->agent.name,
		.lease_s = HOST_LEASES * config->cluster.lease_ms / 1000,
		.canary = config->agent.canary,
		.hook = config->agent.hook,
	};
	if (config->agent.registry)
		return target_read(order, e);
	if (config->agent.srv) {
		order->source.srv = config->agent.srv;
		return target_read(order, e);
	}
	if (config->cluster.etcd_count > 0)
		return etcd_read(order, e);
	return err_set(e, ERR_USAGE,
		       "which registry? write --registry http://HOST:PORT, "
		       "--etcd URL or --srv http://NAME");
}

static int host_take(struct order *order, struct err *e)
{
	auto_buf struct buf damage = { 0 };
	enum agent_use use = order->dry_run || order->no_engines ? AGENT_TELL :
								   AGENT_CHANGE;

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

/* What was done is told: to `agent status`, and to the operator's command. */
static int deed_end(struct order *order, const char *line, const char *url,
		    const struct agent_report *report, struct err *e)
{
	const char *hook = order->config->agent.hook;

	if (order->dry_run || order->no_engines)
		return report_end(report, e);
	if (agent_keep_status(order->agent, line, report, e) < 0)
		return -1;
	if (hook && report->changes > 0 && agent_hook(hook, url, e) < 0)
		return err_wrap(e, "hook");
	return report_end(report, e);
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
	return deed_end(order, "everything was taken back", NULL, &report, e);
}

/* Each one that engines are to be pointed at. */
static int doors_probe(struct order *order, struct err *e)
{
	const char *const doors[] = { order->target.url, order->target.hub };

	for (size_t i = 0; i < array_size(doors); i++)
		if (doors[i] &&
		    agent_probe(order->client, doors[i], NULL, e) < 0)
			return err_wrap(e,
					"%s does not answer, nothing was "
					"changed",
					doors[i]);
	return 0;
}

static int canary_check(struct order *order, struct err *e)
{
	const char *canary = order->config->agent.canary;

	if (canary &&
	    canary_pull(order->client, order->target.url, canary, e) < 0)
		return err_wrap(e, "nothing was changed");
	return 0;
}

static int once_static(struct order *order, char **url_out,
		       struct agent_report *report, struct err *e)
{
	const struct agent_target *target = &order->target;

	if (!order->dry_run &&
	    (doors_probe(order, e) < 0 || canary_check(order, e) < 0))
		return -1;
	*url_out = mem_text(target->url);
	return agent_apply(order->agent, target, report, e);
}

static int once(struct order *order, struct err *e)
{
	auto_report struct agent_report report = { 0 };
	auto_buf struct buf line = { 0 };
	auto_free char *url = NULL;

	if (source_read(order, e) < 0 || host_take(order, e) < 0)
		return -1;
	int failed = order->target.url ?
			     once_static(order, &url, &report, e) :
			     agent_once(order->agent, &order->source, &url,
					&report, e);
	if (failed)
		return -1;
	buf_addf(&line, "registry %s: answered once", url);
	return deed_end(order, line.at, url, &report, e);
}

static int stay(struct order *order, struct err *e)
{
	const struct config *config = order->config;

	if (source_read(order, e) < 0 || host_take(order, e) < 0)
		return -1;
	log_say(LOG_INFO, "started", "registry %s, host %s",
		order->target.url  ? order->target.url :
		order->source.etcd ? "of etcd" :
				     config->agent.srv,
		config->agent.root);
	return agent_watch(order->agent, &order->source, e);
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
		{ .name = "--no-engines", .out = &order.no_engines },
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
		"       private-registry agent --etcd URL | --srv URL "
		"[OPTION]...\n"
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
		"  private-registry agent --etcd http://10.0.0.2:2379\n"
		"  private-registry agent --uninstall\n"
		"\n"
		"Options\n"
		"  --registry URL          http://HOST:PORT, or https\n"
		"  --hub URL               where it answers for Docker Hub "
		"alone, for Docker\n"
		"                          before 24.0.8\n"
		"  --etcd URL              whichever registry etcd has\n"
		"  --srv URL               whichever DNS names, as "
		"http://_registry._tcp.lan\n"
		"  --ca FILE               authorities to trust there; PEM\n"
		"  --upstream NAME         a registry that it mirrors, beside "
		"docker.io\n"
		"  --once                  do it, or leave it, and end\n"
		"  --dry-run               only print what would change\n"
		"  --uninstall             end the agent that runs, and put "
		"everything back\n"
		"  --no-engines            follow, and tell etcd, and change "
		"nothing here\n"
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
