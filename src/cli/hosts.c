/*
 * private-registry hosts: what agents tell etcd of their hosts, for a person.
 */
#include <signal.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli/enrol.h"
#include "cli/inside.h"

/* ------------------------------------------------------------------ saying */

static void print_engines(const struct host_record *host, struct buf *out)
{
	for (size_t i = 0; i < host->engine_count; i++) {
		const struct host_engine *engine = &host->engines[i];

		buf_addf(out, "%s%s%s%s: %s", i ? ", " : "  ", engine->name,
			 engine->version ? " " : "",
			 engine->version ? engine->version : "", engine->state);
	}
	buf_addf(out, host->engine_count ? "\n" : "");
}

static void print_host(const struct host_record *host, struct buf *out)
{
	buf_addf(out, "%s: %s since %s, %s; agent %s\n", host->name,
		 host->registry ? host->registry : "no registry",
		 clock_text_of(host->since_s).s, host->why, host->version);
	print_engines(host, out);
	for (size_t i = 0; i < host->error_count; i++)
		buf_addf(out, "  ! %s\n", host->errors[i]);
}

static size_t count_troubled(const struct cluster_hosts *hosts)
{
	size_t count = 0;

	for (size_t i = 0; i < hosts->count; i++)
		count += hosts->at[i].error_count > 0;
	return count;
}

static void print_hosts(const struct cluster_hosts *hosts, struct buf *out)
{
	buf_addf(out, "hosts: %zu, %zu with something to look at\n",
		 hosts->count, count_troubled(hosts));
	for (size_t i = 0; i < hosts->count; i++)
		print_host(&hosts->at[i], out);
	for (size_t i = 0; i < hosts->refusal_count; i++)
		buf_addf(out, "%s: refused, %s\n", hosts->refusals[i].key,
			 hosts->refusals[i].why);
	if (hosts->more)
		buf_addf(out, "and more than %d, which are not told\n",
			 HOSTS_MOST);
}

/* -------------------------------------------------------------------- verb */

int cli_hosts(const struct call *call, struct err *e)
{
	auto_of(config) struct config *config = NULL;
	auto_of(arena) struct arena *arena = arena_open();
	auto_buf struct buf out = { 0 };
	struct cluster_options etcd;
	struct cluster_hosts hosts;

	signal(SIGPIPE, SIG_IGN);
	if (options_load(call->args, &config, e) < 0)
		return -1;
	if (config->cluster.etcd_count == 0)
		return err_set(e, ERR_USAGE,
			       "it is not said where etcd is: write --etcd");
	describe_etcd(config, &etcd);
	if (cluster_hosts(&etcd, arena, &hosts, e) < 0)
		return -1;
	print_hosts(&hosts, &out);
	return print_out(&out, e);
}

void cli_hosts_help(const struct call *call, struct buf *out)
{
	(void)call;
	buf_addf(out,
		 "usage: private-registry hosts --etcd URL [OPTION]...\n"
		 "\n"
		 "Tells which hosts have an agent at work, which registry each "
		 "of them uses, its\n"
		 "engines, and what there is to look at.\n"
		 "\n"
		 "Options\n" COMMON_OPTIONS "\n"
		 "Exit status\n"
		 "  0 it has told, 1 etcd does not answer, 2 the command line "
		 "or the configuration\n"
		 "  is wrong\n");
}
