/*
 * DOCKER_REPO, so that `docker pull ${DOCKER_REPO}name` works with a registry
 * and without: in /etc/environment for logins, and in a file of its own for
 * units, which has ours whatever the operator wrote in the other.
 */
#include "agent/engine.h"

int environment_plan(const struct host *host, const struct target *target,
		     struct plan *plan, struct err *e)
{
	(void)host;
	(void)e;
	buf_addf(plan_file(plan, "/run/private-registry/environment"),
		 "DOCKER_REPO=%s/\n", target->address);
	struct wish *line =
		plan_wish(plan, &kind_environment, "/etc/environment");
	buf_addf(&line->element, "DOCKER_REPO=%s/", target->address);
	return 0;
}
