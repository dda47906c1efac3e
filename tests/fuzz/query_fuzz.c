/*
 * The query of a request. Its parameters, as they are asked for by name and
 * by turn, are those that stand in it, whatever the escapes hide.
 */
#include <stdlib.h>

#include "http/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static const char *const names[] = { "digest", "mount", "n", "last", "" };

static void check(bool promise)
{
	if (!promise)
		abort();
}

/* What head_parse promises of a query: an escape has its two digits. */
static bool is_whole(struct span query)
{
	static const char digits[] = "0123456789abcdefABCDEF";

	for (size_t i = 0; i < query.len; i++)
		if (query.at[i] == '%' &&
		    (query.len - i < 3 ||
		     !memchr(digits, query.at[i + 1], strlen(digits)) ||
		     !memchr(digits, query.at[i + 2], strlen(digits))))
			return false;
	return true;
}

/* How often the name stands in front of a "=", a "&" or the end. */
static unsigned count(struct span query, const char *name)
{
	unsigned found = 0;

	while (query.at) {
		struct span parameter = span_cut(&query, '&');

		found += span_is(span_cut(&parameter, '='), name);
	}
	return found;
}

static void try_name(const struct request *req, const char *name)
{
	unsigned found = count(req->query, name);
	size_t total = 0;

	for (unsigned nth = 0; nth < found; nth++) {
		struct span value = request_query(req, name, nth);

		check(value.at);
		total += value.len;
	}
	check(total <= req->query.len);
	check(!request_query(req, name, found).at);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	auto_of(arena) struct arena *arena = arena_open();
	struct span query = span_make((const char *)input, size);
	struct request req = { .query = query, .arena = arena };

	if (!is_whole(query))
		return 0;
	for (size_t i = 0; i < array_size(names); i++)
		try_name(&req, names[i]);
	return 0;
}
