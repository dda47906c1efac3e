/*
 * A round asks etcd only what it cannot know: is the lease there, is the key?
 * So it does not matter what happened since the last one, nor whether the last
 * one was done when its answer was lost: the lease has the same number as long
 * as the process lives.
 */
#include "cluster/presence.h"

#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/thread.h"
#include "cluster/etcd.h"

enum { RETRY_MS = 1000, GOODBYE_MS = 2000 };

/* What the last round left, and what the log has said. */
enum state {
	STATE_NEW,
	STATE_THERE,
	STATE_UNWELL,	   /* there is nothing to say */
	STATE_TAKEN,	   /* the key is another's */
	STATE_OUT_OF_REACH /* of etcd nothing is known */
};

struct presence {
	struct presence_options options;
	struct etcd *etcd;
	char *key;
	int64_t lease;
	enum state state; /* the thread's own */
	bool held;	  /* likewise: the key was ours */
	struct thread thread;
	pthread_mutex_t lock;
	pthread_cond_t closed;
	bool closing; /* guarded by lock */
};

/* --------------------------------------------------------------- one round */

static int keep_lease(struct presence *presence, struct err *e)
{
	if (etcd_renew(presence->etcd, presence->lease, e) == 0)
		return 0;
	if (e->kind != ERR_NOT_FOUND)
		return -1;
	return etcd_grant(presence->etcd, presence->lease,
			  presence->options.lease_s, e);
}

static int put(struct presence *presence, struct span value, struct err *e)
{
	struct etcd_pair pair = { span_of(presence->key), value,
				  presence->lease };

	if (etcd_put(presence->etcd, &pair, e) < 0)
		return -1;
	presence->held = true;
	return 0;
}

/*
 * Whoever comes last has it: a process that ended badly left its own. Without
 * a lease it is nobody's.
 */
static int keep_key(struct presence *presence, struct span value,
		    enum state *out, struct err *e)
{
	auto_of(arena) struct arena *arena = arena_open();
	struct etcd_pair pair;
	int failed = etcd_get(presence->etcd, span_of(presence->key), arena,
			      &pair, e);

	*out = STATE_THERE;
	if (failed && e->kind != ERR_NOT_FOUND)
		return -1;
	bool ours = !failed && pair.lease == presence->lease;
	if (ours && span_eq(pair.value, value))
		return 0;
	if (!failed && !ours && pair.lease && presence->held) {
		*out = STATE_TAKEN;
		return 0;
	}
	return put(presence, value, e);
}

static int keep(struct presence *presence, struct span value, enum state *out,
		struct err *e)
{
	if (keep_lease(presence, e) < 0)
		return -1;
	return keep_key(presence, value, out, e);
}

static int withdraw(struct presence *presence, struct err *e)
{
	presence->held = false;
	return etcd_revoke(presence->etcd, presence->lease, e);
}

/* ----------------------------------------------------------------- the log */

static const struct {
	enum log_level level;
	const char *text;
} sayings[] = {
	[STATE_THERE] = { LOG_INFO, "registered" },
	[STATE_UNWELL] = { LOG_WARN, "not registered" },
	[STATE_TAKEN] = { LOG_ERROR, "another process has put this key" },
	[STATE_OUT_OF_REACH] = { LOG_WARN, "etcd fails; this goes on without" },
};

static void say(const struct presence *presence, enum state state,
		const struct err *why)
{
	struct log_line line;

	log_begin(&line, sayings[state].level, "cluster");
	log_text(&line, "key", presence->key);
	log_text(&line, "message", sayings[state].text);
	if (why)
		log_err(&line, why);
	log_send(&line);
}

static void change(struct presence *presence, enum state state,
		   const struct err *why)
{
	if (presence->state == state)
		return;
	metric_add(METRIC_KEYS,
		   (state == STATE_THERE) - (presence->state == STATE_THERE));
	say(presence, state, why);
	presence->state = state;
}

/* ------------------------------------------------------------------ rounds */

static void round_run(struct presence *presence)
{
	auto_buf struct buf value = { 0 };
	enum state state = STATE_UNWELL;
	struct err unwell, e;
	int silent = presence->options.describe(presence->options.arg, &value,
						&unwell);
	int failed = silent ? withdraw(presence, &e) :
			      keep(presence, buf_span(&value), &state, &e);

	if (failed)
		change(presence, STATE_OUT_OF_REACH, &e);
	else
		change(presence, state, silent ? &unwell : NULL);
}

static int64_t pause_of(const struct presence *presence)
{
	int64_t ms = presence->options.lease_s * 1000 / 4;

	if (presence->state == STATE_OUT_OF_REACH && ms > RETRY_MS)
		return RETRY_MS;
	return ms;
}

/* False when it is time to end. */
static bool rest(struct presence *presence)
{
	int64_t until = clock_ms() + pause_of(presence);

	hold_mutex(&presence->lock);
	while (!presence->closing && clock_ms() < until)
		cond_wait_until(&presence->closed, &presence->lock, until);
	return !presence->closing;
}

static void run(void *arg)
{
	struct presence *presence = arg;
	struct err e;

	do {
		round_run(presence);
	} while (rest(presence));
	if (withdraw(presence, &e) < 0)
		log_say(LOG_WARN, "cluster", "%s: %s", presence->key,
			e.message);
}

/* ---------------------------------------------------------- open and close */

static int64_t choose_lease(void)
{
	uint64_t random;

	random_bytes(&random, sizeof(random));
	return (int64_t)(random >> 1) | 1;
}

static char *whole_key(const struct presence_options *options)
{
	const char *prefix = options->etcd->prefix;
	auto_buf struct buf key = { 0 };

	buf_addf(&key, "%s%s", prefix, options->key);
	return steal_ptr(&key.at);
}

int presence_open(const struct presence_options *options, struct presence **out,
		  struct err *e)
{
	struct etcd *etcd;

	if (etcd_open(options->etcd, &etcd, e) < 0)
		return -1;
	struct presence *presence = mem_alloc(sizeof(*presence));
	presence->options = *options;
	presence->etcd = etcd;
	presence->key = whole_key(options);
	presence->lease = choose_lease();
	pthread_mutex_init(&presence->lock, NULL);
	cond_open(&presence->closed);
	thread_start(&presence->thread, "presence", run, presence);
	*out = presence;
	return 0;
}

static void end(struct presence *presence)
{
	etcd_hurry(presence->etcd, GOODBYE_MS);
	hold_mutex(&presence->lock);
	presence->closing = true;
	pthread_cond_broadcast(&presence->closed);
}

void presence_close(struct presence **owned)
{
	struct presence *presence = steal_ptr(owned);

	thread_may_wait("presence_close");
	end(presence);
	thread_join(&presence->thread);
	etcd_close(&presence->etcd);
	pthread_cond_destroy(&presence->closed);
	pthread_mutex_destroy(&presence->lock);
	free(presence->key);
	free(presence);
}
