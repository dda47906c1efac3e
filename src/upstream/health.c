/*
 * That upstream has not what was asked for is an answer like others.
 */
#include "upstream/health.h"

#include "base/clock.h"
#include "upstream/inside.h"

void health_open(struct health *health)
{
	pthread_mutex_init(&health->lock, NULL);
}

void health_close(struct health *health)
{
	pthread_mutex_destroy(&health->lock);
}

/* 1: it answered; -1: it failed; 0: what went wrong is not its fault. */
static int verdict(const struct err *e)
{
	static const struct {
		enum err_kind kind;
		int verdict;
	} rows[] = {
		{ ERR_NAME_UNKNOWN, 1 }, { ERR_MANIFEST_UNKNOWN, 1 },
		{ ERR_BLOB_UNKNOWN, 1 }, { ERR_UNSUPPORTED, 1 },
		{ ERR_DENIED, -1 },	 { ERR_BUSY, -1 },
		{ ERR_LOOP, -1 },	 { ERR_UPSTREAM, -1 },
		{ ERR_UNAVAILABLE, -1 }, { ERR_TIMEOUT, -1 },
	};

	for (size_t i = 0; e && i < array_size(rows); i++)
		if (rows[i].kind == e->kind)
			return rows[i].verdict;
	return e ? 0 : 1;
}

void health_note(struct health *health, const struct err *e)
{
	int said = verdict(e);

	hold_mutex(&health->lock);
	if (said > 0)
		health->answered_ms = clock_ms();
	if (said >= 0)
		return;
	health->failed_ms = clock_ms();
	memcpy(health->why, e->message, sizeof(health->why));
}

static int64_t ago(int64_t ms, int64_t now)
{
	return ms ? now - ms : -1;
}

void upstream_health(struct upstream *upstream, struct upstream_health *out)
{
	struct health *health = &upstream->standing->health;
	int64_t now = clock_ms();

	hold_mutex(&health->lock);
	out->answered_ms = ago(health->answered_ms, now);
	out->failed_ms = ago(health->failed_ms, now);
	memcpy(out->why, health->why, sizeof(out->why));
}
