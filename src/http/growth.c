/*
 * A watch is one file and the connections that wait for it. The writer rings
 * each reactor once, however many connections wait there; the reactor then
 * compares what each watched file has become with what it was when its
 * connections were last run.
 */
#include "http/growth.h"

#include "base/growing.h"
#include "base/mem.h"
#include "http/connection.h"

struct watch {
	struct link link;
	struct growing *growing; /* one reference */
	int64_t length;		 /* when the bell rang last */
	struct link connections;
};

static struct watch *watch_open(struct reactor *r, struct growing *growing,
				int64_t length)
{
	struct watch *watch = mem_alloc(sizeof(*watch));

	list_open(&watch->link);
	list_open(&watch->connections);
	list_append(&r->watches, &watch->link);
	watch->growing = growing_keep(growing);
	watch->length = length;
	return watch;
}

static void watch_close(struct watch *watch)
{
	list_remove(&watch->link);
	growing_drop(&watch->growing);
	free(watch);
}

static struct watch *watch_of(struct link *link)
{
	return container_of(link, struct watch, link);
}

static struct watch *find(struct reactor *r, const struct growing *growing)
{
	for (struct link *l = r->watches.next; l != &r->watches; l = l->next)
		if (watch_of(l)->growing == growing)
			return watch_of(l);
	return NULL;
}

static bool has_moved(const struct growing *growing, int64_t length)
{
	return growing_state(growing) != GROWING ||
	       growing_length(growing) > length;
}

bool growth_wait(struct connection *c, struct growing *growing, int64_t length)
{
	struct reactor *r = c->home;
	struct watch *watch = find(r, growing);

	growing_watch(growing, r->bell);
	if (has_moved(growing, length))
		return false;
	if (!watch)
		watch = watch_open(r, growing, length);
	list_append(&watch->connections, &c->link);
	c->renew = true;
	return true;
}

/* Each waits again, in the same watch, if there is nothing for it. */
static void run_all(struct watch *watch)
{
	struct link ready, *link;

	list_move(&watch->connections, &ready);
	while ((link = list_take(&ready)))
		connection_run(container_of(link, struct connection, link));
}

void growth_look(struct reactor *r)
{
	struct link *next;

	for (struct link *l = r->watches.next; l != &r->watches; l = next) {
		struct watch *watch = watch_of(l);

		if (has_moved(watch->growing, watch->length)) {
			watch->length = growing_length(watch->growing);
			run_all(watch);
		}
		next = l->next;
		if (list_is_empty(&watch->connections))
			watch_close(watch);
	}
}

void growth_take_all(struct reactor *r, struct link *out)
{
	struct link *link, *waiting;

	while ((link = list_take(&r->watches))) {
		struct watch *watch = watch_of(link);

		while ((waiting = list_take(&watch->connections)))
			list_append(out, waiting);
		watch_close(watch);
	}
}
