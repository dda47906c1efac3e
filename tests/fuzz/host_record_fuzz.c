/*
 * What stands in etcd of a host, as anybody may have written it: what is taken
 * may be shown on a terminal, and is read again as it is printed.
 */
#include <stdlib.h>

#include "cluster/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static void check(bool promise)
{
	if (!promise)
		abort();
}

static void check_line(const char *text)
{
	for (; text && *text; text++)
		check(*text >= ' ' && *text <= '~');
}

static void check_clean(const struct host_record *host)
{
	check_line(host->name);
	check_line(host->version);
	check_line(host->registry);
	check_line(host->why);
	for (size_t i = 0; i < host->engine_count; i++) {
		check_line(host->engines[i].name);
		check_line(host->engines[i].version);
		check_line(host->engines[i].state);
	}
	for (size_t i = 0; i < host->error_count; i++)
		check_line(host->errors[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	auto_of(arena) struct arena *arena = arena_open();
	auto_buf struct buf first = { 0 };
	auto_buf struct buf second = { 0 };
	struct host_record host;
	struct err e;

	if (host_record_parse(span_make((const char *)input, size), arena,
			      &host, &e) < 0)
		return 0;
	check_clean(&host);
	host_record_print(&host, &first);
	check(host_record_parse(buf_span(&first), arena, &host, &e) == 0);
	host_record_print(&host, &second);
	check(span_eq(buf_span(&first), buf_span(&second)));
	return 0;
}
