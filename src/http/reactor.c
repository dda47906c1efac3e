/*
 * One round: what epoll reports, then mail and growth, then those whose turn
 * it is, then deadlines. Whatever runs a connection may close it; so epoll's
 * report, which names connections, is worked off before anything else.
 */
#include "http/reactor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/mem.h"
#include "http/connection.h"
#include "http/growth.h"
#include "http/listener.h"
#include "http/records.h"
#include "http/server.h"

enum {
	POOLED = 64,   /* exchanges kept for the next requests */
	GLANCE_MS = 50 /* at what grows */
};

static struct connection *connection_of(struct link *link)
{
	return container_of(link, struct connection, link);
}

/* ------------------------------------------------------------ mail */

void reactor_wake(struct reactor *r)
{
	eventfd_write(r->eventfd, 1);
}

void reactor_give(struct reactor *r, struct connection *c)
{
	pthread_mutex_lock(&r->mail_lock);
	bool first = list_is_empty(&r->mail);
	list_append(&r->mail, &c->link);
	pthread_mutex_unlock(&r->mail_lock);
	if (first)
		reactor_wake(r);
}

static void run_list(struct link *list)
{
	struct link *link;

	while ((link = list_take(list)))
		connection_run(connection_of(link));
}

static void cut_list(struct link *list)
{
	struct link *link;

	while ((link = list_take(list)))
		connection_cut(connection_of(link));
}

static void read_mail(struct reactor *r)
{
	struct link mail;

	pthread_mutex_lock(&r->mail_lock);
	list_move(&r->mail, &mail);
	pthread_mutex_unlock(&r->mail_lock);
	if (r->cut)
		cut_list(&mail);
	else
		run_list(&mail);
}

/* ------------------------------------------------------------ orders */

static void drain(struct reactor *r)
{
	porches_close(r);
	r->drained = true;
	cut_list(&r->waiting[TIMEOUT_IDLE]);
}

static void cut(struct reactor *r)
{
	struct link all, *link;

	r->cut = true;
	list_open(&all);
	growth_take_all(r, &all);
	while ((link = list_take(&r->turns)))
		list_append(&all, link);
	for (size_t i = 0; i < TIMEOUT_LINGER; i++)
		while ((link = list_take(&r->waiting[i])))
			list_append(&all, link);
	cut_list(&all);
}

static void woken(struct source *source, uint32_t events)
{
	struct reactor *r = container_of(source, struct reactor, woken);
	eventfd_t count;

	(void)events;
	eventfd_read(r->eventfd, &count);
	r->rung = true;
}

static void look_around(struct reactor *r)
{
	r->rung = false;
	r->rounds++;
	if (r->http->draining && !r->drained)
		drain(r);
	if (r->http->cutting && !r->cut)
		cut(r);
	read_mail(r);
	growth_look(r);
}

/* ------------------------------------------------------------ waiting */

void reactor_wait_socket(struct reactor *r, struct connection *c,
			 enum timeout timeout)
{
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		.data.ptr = &c->source,
	};

	if (c->renew || list_is_empty(&c->link)) {
		c->renew = false;
		c->due_ms = r->now_ms + r->http->timeouts_ms[timeout];
		list_append(&r->waiting[timeout], &c->link);
	}
	if (c->armed)
		return;
	/* If the kernel has no memory left, the deadline will end it. */
	c->armed = epoll_ctl(r->epoll, EPOLL_CTL_ADD, c->wire.fd, &event) == 0;
}

void reactor_wait_turn(struct reactor *r, struct connection *c)
{
	list_append(&r->turns, &c->link);
	c->renew = true;
}

void reactor_disarm(struct reactor *r, struct connection *c)
{
	list_remove(&c->link);
	if (c->armed)
		epoll_ctl(r->epoll, EPOLL_CTL_DEL, c->wire.fd, NULL);
	c->armed = false;
}

void reactor_forget(struct reactor *r)
{
	atomic_fetch_sub(&r->connections, 1);
	if (r->http->draining) {
		hold_mutex(&r->http->lock);
		pthread_cond_signal(&r->http->emptied);
	}
}

static int64_t first_due(const struct link *list)
{
	return list_is_empty(list) ? INT64_MAX :
				     connection_of(list->next)->due_ms;
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* How long epoll may wait, in milliseconds; -1: for ever. */
static int patience(const struct reactor *r)
{
	int64_t due = r->closed_until_ms ? r->closed_until_ms : INT64_MAX;

	if (!list_is_empty(&r->turns))
		return 0;
	if (!list_is_empty(&r->watches))
		due = sooner(due, r->glance_ms);
	for (size_t i = 0; i < TIMEOUT_COUNT; i++)
		due = sooner(due, first_due(&r->waiting[i]));
	for (unsigned i = 0; i < r->http->lane_count; i++)
		due = sooner(due, lane_due(r->http->lanes[i]));
	if (due == INT64_MAX)
		return -1;
	return due > r->now_ms ? (int)sooner(due - r->now_ms, INT32_MAX) : 0;
}

static void expire(struct reactor *r)
{
	for (size_t i = 0; i < TIMEOUT_COUNT; i++)
		while (first_due(&r->waiting[i]) <= r->now_ms)
			connection_expired(
				connection_of(list_take(&r->waiting[i])));
}

/* Of any reactor: it goes home with its refusal. */
static void refuse_late(struct reactor *r)
{
	struct connection *c;

	for (unsigned i = 0; i < r->http->lane_count; i++)
		while ((c = lane_take_late(r->http->lanes[i], r->now_ms))) {
			exchange_refuse(c->exchange, 503,
					"too many requests like this one are "
					"at work: try again later");
			connection_answer(c);
			reactor_give(c->home, c);
		}
}

/* ------------------------------------------------------------ the thread */

static void take_turns(struct reactor *r)
{
	struct link turns;

	list_move(&r->turns, &turns);
	run_list(&turns);
}

/* The last bytes before a silence may not have rung the bell. */
static void glance(struct reactor *r)
{
	if (r->now_ms < r->glance_ms)
		return;
	growth_look(r);
	r->glance_ms = r->now_ms + GLANCE_MS;
}

static void run(void *arg)
{
	struct reactor *r = arg;
	struct epoll_event events[128];

	thread_serves();
	records_buffer_open();
	while (!r->http->ending) {
		int n = epoll_wait(r->epoll, events, array_size(events),
				   patience(r));
		r->now_ms = clock_ms();
		for (int i = 0; i < n; i++) {
			struct source *source = events[i].data.ptr;
			source->ready(source, events[i].events);
		}
		if (r->rung)
			look_around(r);
		glance(r);
		take_turns(r);
		expire(r);
		refuse_late(r);
		porches_reopen(r);
	}
	records_buffer_close();
}

void reactor_open(struct reactor *r, struct http *http)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = &r->woken };

	r->http = http;
	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	r->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r->woken.ready = woken;
	if (r->epoll < 0 || r->eventfd < 0 ||
	    epoll_ctl(r->epoll, EPOLL_CTL_ADD, r->eventfd, &event) < 0)
		abort(); /* no descriptors at the very start */
	r->bell = growing_bell_open(r->eventfd);
	r->now_ms = clock_ms();
	for (size_t i = 0; i < TIMEOUT_COUNT; i++)
		list_open(&r->waiting[i]);
	list_open(&r->turns);
	list_open(&r->watches);
	list_open(&r->mail);
	pthread_mutex_init(&r->mail_lock, NULL);
	random_bytes(&r->next_id, sizeof(r->next_id));
	r->chunk = mem_alloc(TLS_BATCH);
	porches_open(r);
}

void reactor_start(struct reactor *r, unsigned number)
{
	char name[16];

	snprintf(name, sizeof(name), "reactor-%u", number);
	thread_start(&r->thread, name, run, r);
}

void reactor_close(struct reactor *r)
{
	struct link *link;

	growth_take_all(r, &r->turns);
	while ((link = list_take(&r->mail)))
		list_append(&r->turns, link);
	for (size_t i = 0; i < TIMEOUT_COUNT; i++)
		while ((link = list_take(&r->waiting[i])))
			list_append(&r->turns, link);
	while ((link = list_take(&r->turns))) {
		struct connection *c = connection_of(link);
		connection_close(&c);
	}
	while (r->pool) {
		struct exchange *x = reactor_take_exchange(r);
		exchange_close(&x);
	}
	growing_bell_close(r->bell);
	free(r->porches);
	free(r->chunk);
	close(r->eventfd);
	close(r->epoll);
	pthread_mutex_destroy(&r->mail_lock);
}

/* ------------------------------------------------------------ the pool */

struct exchange *reactor_take_exchange(struct reactor *r)
{
	struct exchange *x = r->pool;

	if (!x)
		return exchange_open();
	r->pool = x->next;
	r->pooled--;
	return x;
}

void reactor_return_exchange(struct reactor *r, struct exchange *x)
{
	if (r->pooled == POOLED)
		return exchange_close(&x);
	x->taken = x->filled;
	response_release(&x->response);
	arena_reset(x->request.arena);
	x->next = r->pool;
	r->pool = x;
	r->pooled++;
}
