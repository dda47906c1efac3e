/*
 * private-registry: the table of verbs.
 */
#include "cli/cli.h"

static const struct verb verbs[] = {
	{ "serve", "be a registry and a mirror, on one port", cli_serve,
	  .help = cli_serve_help },
	{ "config", "check or show how it is configured", cli_config,
	  cli_config_help, cli_config_verbs },
	{ "agent", "point the engines of this host at a registry", cli_agent,
	  .help = cli_agent_help },
	{ "gc", "remove what nobody needs any more, now", cli_gc,
	  .help = cli_gc_help },
	{ "verify", "read everything back, and find what is damaged",
	  cli_verify, .help = cli_verify_help },
	{ "backup", "copy everything that was pushed elsewhere, now",
	  cli_backup, .help = cli_backup_help },
	{ "restore", "make a data directory out of a backup", cli_restore,
	  .help = cli_restore_help },
	{ "keep", "remove what rules do not keep, now, or tell of it", cli_keep,
	  .help = cli_keep_help },
	{ "prefetch", "have a registry that runs cache images, now",
	  cli_prefetch, .help = cli_prefetch_help },
	{ "status", "tell what the registry that serves is at", cli_status,
	  .help = cli_status_help },
	{ "registries", "tell which registries etcd knows", cli_registries,
	  .help = cli_registries_help },
	{ "hosts", "tell which registry each host of the cluster uses",
	  cli_hosts, .help = cli_hosts_help },
	{ "explain", "tell what would happen for an image, and why",
	  cli_explain, .help = cli_explain_help },
	{ "help", "tell about a verb", cli_help, .help = cli_help_help },
	{ "version", "tell which version this is", cli_version,
	  .help = cli_version_help },
	{ 0 },
};

int main(int argc, char **argv)
{
	(void)argc;
	return cli_main(verbs, argv);
}
