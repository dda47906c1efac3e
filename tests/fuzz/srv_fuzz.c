/*
 * An answer of DNS: whatever it holds, hosts are hosts and ports are ports.
 */
#include <stdlib.h>

#include "cluster/srv.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static void check(bool promise)
{
	if (!promise)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct srv_list list;
	struct err e;

	if (srv_parse(span_make((const char *)input, size), &list, &e) < 0)
		return 0;
	check(list.count <= SRV_TARGETS);
	for (size_t i = 0; i < list.count; i++) {
		const struct srv_target *target = &list.targets[i];

		check(target->port > 0 && target->port <= UINT16_MAX);
		check(span_made_of(span_of(target->host),
				   "abcdefghijklmnopqrstuvwxyz0123456789_-."));
		check(i == 0 ||
		      target->priority >= list.targets[i - 1].priority);
	}
	return 0;
}
