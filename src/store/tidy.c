/*
 * What a crash may leave in incoming/: a file whose session ended, since the
 * file goes after the row, and a session that has no file yet. Nothing here
 * keeps the program from starting; what cannot be removed now is tried again
 * at the next start.
 */
#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "store/inside.h"

struct arrival_name arrival_name(uint64_t id)
{
	struct arrival_name name;

	snprintf(name.s, sizeof(name.s), "%llu", (unsigned long long)id);
	return name;
}

static bool session_lost(struct store *store, uint64_t id)
{
	struct arrival_name name = arrival_name(id);

	return faccessat(store->arrivals, name.s, F_OK, 0) < 0 &&
	       errno == ENOENT;
}

static int page_tidy(struct store *store, const struct meta_sessions *page,
		     struct err *e)
{
	struct meta_sessions lost = { .count = 0 };

	for (size_t i = 0; i < page->count; i++) {
		if (session_lost(store, page->ids[i]))
			lost.ids[lost.count++] = page->ids[i];
	}
	if (lost.count == 0)
		return 0;
	return meta_session_drop(store->meta, lost.ids, lost.count, e);
}

static int sessions_tidy(struct store *store, struct err *e)
{
	struct meta_sessions page;
	uint64_t after = 0;

	for (;;) {
		if (meta_session_list(store->meta, after, &page, e) < 0)
			return -1;
		if (page.count == 0)
			return 0;
		if (page_tidy(store, &page, e) < 0)
			return -1;
		after = page.ids[page.count - 1];
	}
}

void store_tidy(struct store *store)
{
	struct err e;

	if (sweep_leftovers(store, &e) < 0 || sessions_tidy(store, &e) < 0)
		log_say(LOG_WARN, "tidy", "%s", e.message);
}
