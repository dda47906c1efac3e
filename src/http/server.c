/*
 * Opening, reloading, draining and closing: everything that is done to all
 * doors, lanes and reactors at once. Orders are flags that reactors see when
 * they are woken.
 */
#include "http/server.h"

#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/thread.h"
#include "http/identity.h"
#include "http/listener.h"
#include "http/worker.h"

enum {
	LOOK_MS = 5, /* whether reactors have gone round */
	LINGER_MS = 2000,
	FAREWELL_MS = 3000 /* for what takes a moment */
};

/* ------------------------------------------------------------ opening */

static int64_t value_or(int64_t value, int64_t otherwise)
{
	return value ? value : otherwise;
}

static void fill_in(struct http_options *options)
{
	static const unsigned lanes[LANE_COUNT] = {
		[LANE_READ] = 96,
		[LANE_RENEW] = 32,
		[LANE_WRITE] = 8,
		[LANE_UPLOAD] = 64,
	};

	for (size_t i = 0; i < LANE_COUNT; i++)
		if (!options->lanes[i])
			options->lanes[i] = lanes[i];
	if (!options->reactors)
		options->reactors = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	if (options->reactors > GROWING_BELLS)
		options->reactors = GROWING_BELLS;
	options->head_ms = value_or(options->head_ms, 10 * 1000);
	options->idle_ms = value_or(options->idle_ms, 75 * 1000);
	options->stall_ms = value_or(options->stall_ms, 30 * 1000);
	options->queue_ms = value_or(options->queue_ms, 30 * 1000);
	options->renew_ms = value_or(options->renew_ms, 2 * 1000);
	options->held_most = value_or(options->held_most, 256 * 1024 * 1024);
}

/*
 * As many descriptors as there may be: three quarters for connections, the
 * rest for what they ask for.
 */
static unsigned raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		abort(); /* it takes a wrong pointer */
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	rlim_t most = limit.rlim_cur / 4 * 3;
	return most < UINT_MAX ? (unsigned)most : UINT_MAX;
}

static int open_door(struct door *door, const struct http_door *given,
		     struct passed *passed, struct err *e)
{
	door->given = *given;
	door->listener.fd = -1;
	if (given->certificate_count > 0 &&
	    identity_open(&door->given, &door->identity, e) < 0)
		return -1;
	return listener_open(given->address, passed, &door->listener, e);
}

static int open_doors(struct http *http, struct passed *passed, struct err *e)
{
	size_t count = http->options.door_count;

	http->doors = mem_array(count, sizeof(*http->doors));
	for (size_t i = 0; i < count; i++) {
		http->open_doors++;
		if (open_door(&http->doors[i], &http->options.doors[i], passed,
			      e) < 0)
			return -1;
	}
	return listener_none_left(passed, e);
}

static struct passed passed_take(const struct http_options *options)
{
	struct passed passed = {
		.sockets = mem_array(options->socket_count, sizeof(int)),
		.count = options->socket_count,
	};

	for (size_t i = 0; i < passed.count; i++)
		passed.sockets[i] = options->sockets[i];
	return passed;
}

static void passed_free(struct passed *passed)
{
	for (size_t i = 0; i < passed->count; i++)
		if (passed->sockets[i] >= 0)
			close(passed->sockets[i]);
	free(passed->sockets);
}

static void close_doors(struct http *http)
{
	for (size_t i = 0; i < http->open_doors; i++) {
		if (http->doors[i].listener.fd >= 0)
			close(http->doors[i].listener.fd);
		identity_close(&http->doors[i].identity);
	}
	free(http->doors);
}

static struct lane *open_lane(const struct http *http, unsigned kind)
{
	static const char *const names[LANE_COUNT] = {
		[LANE_READ] = "read",
		[LANE_RENEW] = "renew",
		[LANE_WRITE] = "write",
		[LANE_UPLOAD] = "upload",
	};

	if (kind == LANE_WARM)
		return lane_open("warm", 4, worker_warm);
	return lane_open(names[kind], http->options.lanes[kind], worker_answer);
}

static void open_lanes(struct http *http)
{
	http->lane_count = LANES + http->options.others * LANES_APART;
	http->lanes = mem_array(http->lane_count, sizeof(*http->lanes));
	for (unsigned i = 0; i < http->lane_count; i++)
		http->lanes[i] = open_lane(http, lane_kind(i));
	http->closers = pool_open("close", 2);
}

static void open_reactors(struct http *http)
{
	http->reactor_count = http->options.reactors;
	http->reactors =
		mem_array(http->reactor_count, sizeof(*http->reactors));
	for (unsigned i = 0; i < http->reactor_count; i++)
		reactor_open(&http->reactors[i], http);
	for (unsigned i = 0; i < http->reactor_count; i++)
		reactor_start(&http->reactors[i], i);
}

static void renew(void *arg)
{
	struct http *http = arg;
	struct pollfd stop = { .fd = http->stop, .events = POLLIN };

	while (poll(&stop, 1, (int)http->options.renew_ms) == 0)
		for (size_t i = 0; i < http->open_doors; i++)
			if (http->doors[i].identity)
				identity_look(http->doors[i].identity);
}

static void open_renewer(struct http *http)
{
	for (size_t i = 0; i < http->open_doors; i++)
		http->renews |= http->doors[i].identity != NULL;
	if (http->renews)
		thread_start(&http->renewer, "certificates", renew, http);
}

int http_open(const struct http_options *options, struct http **out,
	      struct err *e)
{
	auto_with(passed_free) struct passed passed = passed_take(options);
	struct http *http = mem_alloc(sizeof(*http));

	http->options = *options;
	fill_in(&http->options);
	http->timeouts_ms[TIMEOUT_HEAD] = http->options.head_ms;
	http->timeouts_ms[TIMEOUT_IDLE] = http->options.idle_ms;
	http->timeouts_ms[TIMEOUT_STALL] = http->options.stall_ms;
	http->timeouts_ms[TIMEOUT_LINGER] = LINGER_MS;
	http->most = raise_descriptor_limit();
	if (open_doors(http, &passed, e) < 0) {
		close_doors(http);
		free(http);
		return -1;
	}
	http->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&http->lock, NULL);
	cond_open(&http->emptied);
	open_lanes(http);
	open_reactors(http);
	open_renewer(http);
	*out = http;
	return 0;
}

unsigned http_port(const struct http *http, size_t index)
{
	return http->doors[index].listener.port;
}

int http_reload(struct http *http, const struct http_door *doors, struct err *e)
{
	struct pairs **read =
		mem_array(http->open_doors, sizeof(struct pairs *));
	int failed = 0;

	for (size_t i = 0; i < http->open_doors && !failed; i++)
		if (http->doors[i].identity)
			failed = identity_read(http->doors[i].identity,
					       &doors[i], &read[i], e);
	for (size_t i = 0; i < http->open_doors; i++)
		if (!failed && read[i])
			identity_change(http->doors[i].identity, &read[i]);
		else
			pairs_close(&read[i]);
	free(read);
	return failed;
}

bool http_answers(struct http *http, int64_t wait_ms)
{
	struct pollfd stop = { .fd = http->stop, .events = POLLIN };
	int64_t deadline_ms = clock_ms() + wait_ms;
	unsigned before[GROWING_BELLS];

	thread_may_wait("http_answers");
	for (unsigned i = 0; i < http->reactor_count; i++) {
		before[i] = http->reactors[i].rounds;
		reactor_wake(&http->reactors[i]);
	}
	for (unsigned i = 0; i < http->reactor_count; i++)
		while (http->reactors[i].rounds == before[i])
			if (clock_ms() >= deadline_ms ||
			    poll(&stop, 1, LOOK_MS) != 0)
				return false;
	return true;
}

void http_limit(struct http *http, enum http_lane lane, unsigned limit)
{
	for (unsigned i = 0; i < http->lane_count; i++)
		if (lane_kind(i) == lane)
			lane_limit(http->lanes[i], limit);
}

/* ------------------------------------------------------------ ending */

static void give_order(struct http *http, atomic_bool *order)
{
	*order = true;
	for (unsigned i = 0; i < http->reactor_count; i++)
		reactor_wake(&http->reactors[i]);
}

static unsigned connections(const struct http *http)
{
	unsigned count = 0;

	for (unsigned i = 0; i < http->reactor_count; i++)
		count += http->reactors[i].connections;
	return count;
}

static void wait_until_empty(struct http *http, int64_t wait_ms)
{
	int64_t deadline_ms = clock_ms() + wait_ms;

	hold_mutex(&http->lock);
	while (connections(http) > 0)
		if (!cond_wait_until(&http->emptied, &http->lock, deadline_ms))
			return;
}

static bool all_drained(const struct http *http)
{
	for (unsigned i = 0; i < http->reactor_count; i++)
		if (!http->reactors[i].drained)
			return false;
	return true;
}

/* From here on who comes is not ours. */
static void wait_until_drained(const struct http *http)
{
	int64_t deadline_ms = clock_ms() + FAREWELL_MS;

	while (!all_drained(http) && clock_ms() < deadline_ms)
		poll(NULL, 0, LOOK_MS);
}

static void cut_what_is_left(struct http *http)
{
	eventfd_write(http->stop, 1);
	give_order(http, &http->cutting);
}

void http_drain(struct http *http, int64_t wait_ms)
{
	thread_may_wait("http_drain");
	give_order(http, &http->draining);
	for (size_t i = 0; i < http->open_doors; i++)
		if (!http->doors[i].listener.passed)
			shutdown(http->doors[i].listener.fd, SHUT_RDWR);
	wait_until_drained(http);
	wait_until_empty(http, wait_ms);
	cut_what_is_left(http);
	wait_until_empty(http, FAREWELL_MS);
}

void http_close(struct http **pointer)
{
	struct http *http = steal_ptr(pointer);

	cut_what_is_left(http);
	give_order(http, &http->ending);
	if (http->renews)
		thread_join(&http->renewer);
	for (unsigned i = 0; i < http->reactor_count; i++)
		thread_join(&http->reactors[i].thread);
	for (unsigned i = 0; i < http->lane_count; i++)
		lane_close(&http->lanes[i]);
	free(http->lanes);
	for (unsigned i = 0; i < http->reactor_count; i++)
		reactor_close(&http->reactors[i]);
	pool_close(&http->closers);
	free(http->reactors);
	close_doors(http);
	close(http->stop);
	pthread_cond_destroy(&http->emptied);
	pthread_mutex_destroy(&http->lock);
	free(http);
}
