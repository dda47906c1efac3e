/*
 * What readers found lately, so that what everybody asks for is not looked up
 * each time: that would be two system calls for locks and a walk through
 * three trees, more than all the rest of a small answer.
 *
 * Each reader has its own, so it needs no lock. All of it is forgotten at the
 * next commit, so nobody has to know which verb changes what.
 *
 * A key has one place; whoever comes later has it.
 */
#include "meta/inside.h"

#include "base/clock.h"

#define LIFE_MS 1000 /* another process may write, too */

static void key_add(struct recent_key *key, struct span part)
{
	memcpy(key->at + key->len, part.at, part.len);
	key->len += part.len;
	key->at[key->len++] = '\0';
}

struct recent_key recent_key(const struct repository *repository,
			     struct span what)
{
	struct recent_key key;

	key.len = 0;
	key_add(&key, span_of(repository->upstream));
	key_add(&key, span_of(repository->name.s));
	key_add(&key, what);
	return key;
}

static struct span key_span(const struct recent_key *key)
{
	return span_make(key->at, key->len);
}

/* FNV-1a. */
static size_t place_of(const struct recent_key *key)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < key->len; i++)
		hash = (hash ^ (unsigned char)key->at[i]) * 16777619u;
	return hash % RECENT_PLACES;
}

void recent_renew(struct recent *recent, uint64_t commits)
{
	int64_t now = clock_ms();

	if (recent->commits == commits && now < recent->until_ms)
		return;
	for (size_t i = 0; i < RECENT_PLACES; i++)
		buf_clear(&recent->places[i].key);
	recent->commits = commits;
	recent->until_ms = now + LIFE_MS;
}

void recent_free(struct recent *recent)
{
	for (size_t i = 0; i < RECENT_PLACES; i++) {
		buf_free(&recent->places[i].key);
		buf_free(&recent->places[i].value);
	}
}

struct span recent_find(const struct recent *recent,
			const struct recent_key *key)
{
	size_t at = place_of(key);

	if (!span_eq(buf_span(&recent->places[at].key), key_span(key)))
		return SPAN_NONE;
	return buf_span(&recent->places[at].value);
}

struct buf *recent_keep(struct recent *recent, const struct recent_key *key)
{
	size_t at = place_of(key);

	buf_clear(&recent->places[at].key);
	buf_add(&recent->places[at].key, key_span(key));
	buf_clear(&recent->places[at].value);
	return &recent->places[at].value;
}
