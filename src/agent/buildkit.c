/*
 * BuildKit's own daemon: tables of buildkitd.toml, which it reads only when it
 * starts, so it is pointed only where a restart is allowed. The path of a
 * mirror goes behind /v2, and how the mirror is reached stands in a table of
 * its own.
 */
#include "agent/engine.h"
#include "agent/tables.h"

#define CONFIG "/etc/buildkit/buildkitd.toml"
#define CERTS "/etc/buildkit/certs.d"

/* What others say there. */
static int others_read(const struct host *host, struct buf *out, struct err *e)
{
	auto_host_file struct host_file file = { 0 };

	if (host_read(host, CONFIG, &file, e) < 0)
		return -1;
	kind_tables.take(buf_span(&file.text), SPAN_NONE, out);
	return 0;
}

static void upstreams_add(const struct target *target, struct span others,
			  struct plan *plan, struct buf *out)
{
	const struct agent_target *given = target->given;

	for (size_t i = 0; i < given->upstream_count; i++)
		if (tables_name(others, given->upstreams[i]))
			plan_conflict(plan,
				      "%s: " CONFIG " says how it is reached",
				      given->upstreams[i]);
		else
			buf_addf(out,
				 "[registry.\"%s\"]\n"
				 "  mirrors = [\"%s/%s\"]\n",
				 given->upstreams[i], target->address,
				 given->upstreams[i]);
}

static void itself_add(const struct target *target, struct buf *out)
{
	buf_addf(out, "[registry.\"%s\"]\n", target->address);
	if (!target->secure)
		buf_addf(out, "  http = true\n");
	if (target->given->ca.at)
		buf_addf(out, "  ca = [\"" CERTS "/%s/ca.crt\"]\n",
			 target->address);
}

int buildkit_plan(const struct host *host, const struct target *target,
		  struct plan *plan, struct err *e)
{
	auto_buf struct buf others = { 0 };
	auto_buf struct buf tables = { 0 };

	if (!(plan->permits & AGENT_RESTART_BUILDKITD)) {
		plan_note(plan, "buildkitd reads " CONFIG
				" only when it starts: with "
				"--restart-buildkitd it is pointed, too");
		return 0;
	}
	if (others_read(host, &others, e) < 0)
		return -1;
	upstreams_add(target, buf_span(&others), plan, &tables);
	if (tables_name(buf_span(&others), target->address))
		plan_conflict(plan, "%s: " CONFIG " says how it is reached",
			      target->address);
	else
		itself_add(target, &tables);
	if (tables.len == 0)
		return 0;
	if (target->given->ca.at)
		buf_add(plan_file(plan, CERTS "/%s/ca.crt", target->address),
			target->given->ca);
	buf_add(&plan_wish(plan, &kind_tables, CONFIG)->element,
		buf_span(&tables));
	return 0;
}
