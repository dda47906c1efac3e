/*
 * A round asks etcd only what it cannot know: is the lease there, is the key?
 * So it does not matter what happened since the last one, nor whether the last
 * one was done when its answer was lost: the lease has the same number as long
 * as the process lives.
 *
 * Last words hang on a short lease of their own. So nobody has to wait until
 * all have read them, and they go though nobody takes them away.
 */
#include "cluster/presence.h"

#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/thread.h"
#include "cluster/etcd.h"
#include "cluster/told.h"

enum {
	RETRY_MS = 1000,
	DOUBT_MS = 3000,   /* a shortage may last as long */
	GOODBYE_MS = 2000, /* to say the last words */
	LAST_WORDS_S = 5 /* they stand; whoever hears no bell looks each 3 s */
};

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
	/* The thread's own: */
	enum state state;
	struct told told;  /* why it is in that state */
	bool held;	   /* the key was ours */
	struct buf said;   /* what was to stand there last */
	int64_t silent_ms; /* since when there is nothing to say, or 0 */
	struct thread thread;
	pthread_mutex_t lock;
	pthread_cond_t woken;
	/* Guarded by lock: */
	bool closing;
	bool changed; /* presence_say */
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
	struct etcd_pair pair = {
		.key = span_of(presence->key),
		.value = value,
		.lease = presence->lease,
	};

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
	presence->held |= ours;
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

/* ----------------------------------------------------------- the last words */

static int64_t choose_lease(void)
{
	uint64_t random;

	random_bytes(&random, sizeof(random));
	return (int64_t)(random >> 1) | 1;
}

/* Fine if the key is not ours: then it is not for us to speak. */
static int say_last(struct presence *presence, struct span words, struct err *e)
{
	auto_of(arena) struct arena *arena = arena_open();
	struct etcd_pair pair;

	if (etcd_get(presence->etcd, span_of(presence->key), arena, &pair, e) <
	    0)
		return e->kind == ERR_NOT_FOUND ? 0 : -1;
	if (pair.lease != presence->lease)
		return 0;
	pair.value = words;
	pair.lease = choose_lease();
	if (etcd_grant(presence->etcd, pair.lease, LAST_WORDS_S, e) < 0)
		return -1;
	return etcd_put(presence->etcd, &pair, e);
}

/* Without its last words, if need be. */
static int part(struct presence *presence, struct err *e)
{
	auto_buf struct buf words = { 0 };

	presence->held = false;
	if (presence->options.part)
		presence->options.part(presence->options.arg, &words);
	if (words.len > 0 && say_last(presence, buf_span(&words), e) < 0)
		log_say(LOG_DEBUG, "cluster", "%s: no last words: %s",
			presence->key, e->message);
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
	bool is_new = presence->state != state;

	if (is_new)
		presence->told = (struct told){ 0 };
	if ((why && told_is_news(&presence->told, why, clock_ms())) || is_new)
		say(presence, state, why);
	metric_add(METRIC_KEYS,
		   (state == STATE_THERE) - (presence->state == STATE_THERE));
	presence->state = state;
}

/* ------------------------------------------------------------------ rounds */

/* A shortage of descriptors, or of anything else, may pass. */
static bool is_in_doubt(struct presence *presence)
{
	int64_t now = clock_ms();

	if (presence->silent_ms == 0)
		presence->silent_ms = now;
	return presence->held && now < presence->silent_ms + DOUBT_MS;
}

/* STATE_UNWELL, and why: the key has gone. */
static int stay_or_go(struct presence *presence, enum state *out,
		      struct err *unwell, struct err *e)
{
	auto_buf struct buf words = { 0 };

	if (presence->options.describe(presence->options.arg, &words, unwell) ==
	    0) {
		presence->silent_ms = 0;
		buf_clear(&presence->said);
		buf_add(&presence->said, buf_span(&words));
	} else if (!is_in_doubt(presence)) {
		*out = STATE_UNWELL;
		return part(presence, e);
	}
	return keep(presence, buf_span(&presence->said), out, e);
}

static void round_run(struct presence *presence)
{
	enum state state;
	struct err unwell, e;

	if (stay_or_go(presence, &state, &unwell, &e) == 0)
		change(presence, state, state == STATE_UNWELL ? &unwell : NULL);
	else if (e.kind != ERR_CLOSED)
		change(presence, STATE_OUT_OF_REACH, &e);
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
	while (!presence->closing && !presence->changed && clock_ms() < until)
		cond_wait_until(&presence->woken, &presence->lock, until);
	presence->changed = false;
	return !presence->closing;
}

static void run(void *arg)
{
	struct presence *presence = arg;
	struct err e;

	do {
		round_run(presence);
	} while (rest(presence));
	if (part(presence, &e) < 0)
		log_say(LOG_WARN, "cluster", "%s: %s", presence->key,
			e.message);
}

/* ---------------------------------------------------------- open and close */

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
	cond_open(&presence->woken);
	thread_start(&presence->thread, "presence", run, presence);
	*out = presence;
	return 0;
}

static void end(struct presence *presence)
{
	etcd_hurry(presence->etcd, GOODBYE_MS);
	hold_mutex(&presence->lock);
	presence->closing = true;
	pthread_cond_broadcast(&presence->woken);
}

void presence_say(struct presence *presence)
{
	hold_mutex(&presence->lock);
	presence->changed = true;
	pthread_cond_broadcast(&presence->woken);
}

void presence_close(struct presence **owned)
{
	struct presence *presence = steal_ptr(owned);

	thread_may_wait("presence_close");
	end(presence);
	thread_join(&presence->thread);
	etcd_close(&presence->etcd);
	pthread_cond_destroy(&presence->woken);
	pthread_mutex_destroy(&presence->lock);
	buf_free(&presence->said);
	free(presence->key);
	free(presence);
}
