/*
 * What stands in etcd, as anybody may have written it: what is taken holds
 * nothing that could harm a file or a terminal, and is read again as it is
 * printed.
 */
#include <stdlib.h>

#include "cluster/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static void check(bool promise)
{
	if (!promise)
		abort();
}

/* Null, or printable and without blanks, quotes, slashes and full stops in
   front. */
static void check_word(const char *text)
{
	if (!text)
		return;
	check(*text != '.' && *text != '-' && *text != '\0');
	for (; *text; text++)
		check(*text > ' ' && *text <= '~' && !strchr("\"'/\\", *text));
}

static void check_ca(const char *text)
{
	auto_buf struct buf again = { 0 };

	if (!text)
		return;
	check(record_certificates(span_of(text), &again) > 0);
	check(span_is(buf_span(&again), text));
}

static void check_clean(const struct record *record)
{
	check_word(record->id);
	check_word(record->version);
	check_word(record->zone);
	check_word(record->fallback);
	check_ca(record->ca);
	check(record->door_count > 0 && !record->doors[0].upstream);
	for (size_t i = 0; i < record->door_count; i++) {
		check_word(record->doors[i].host);
		check_word(record->doors[i].upstream);
		check(span_ends(span_of(record->doors[i].url),
				record->doors[i].host));
	}
	for (size_t i = 0; i < record->upstream_count; i++)
		check_word(record->upstreams[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	auto_of(arena) struct arena *arena = arena_open();
	auto_buf struct buf first = { 0 };
	auto_buf struct buf second = { 0 };
	struct record record;
	struct err e;

	if (record_parse(span_make((const char *)input, size), arena, &record,
			 &e) < 0)
		return 0;
	check_clean(&record);
	record_print(&record, &first);
	check(record_parse(buf_span(&first), arena, &record, &e) == 0);
	record_print(&record, &second);
	check(span_eq(buf_span(&first), buf_span(&second)));
	return 0;
}
