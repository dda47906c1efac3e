/*
 * A reader counts itself in, and then looks whether the version is still the
 * current one; if not, it counts itself out and tries again. So the count of a
 * version outlives its value: versions are used again, and freed at the close.
 * All of it is sequentially consistent: either the reader sees that there is
 * another version, or the one who replaces sees the reader.
 */
#include "base/current.h"

#include <stdatomic.h>

#include "base/cleanup.h"
#include "base/mem.h"

struct version {
	struct version *next;
	atomic_size_t holders;
	void *value; /* null: the version is free */
};

struct current {
	_Atomic(struct version *) now;
	struct version
		*versions; /* this, and all else: the one's who replaces */
	void (*end)(void *);
};

static struct version *version_free(struct current *current)
{
	struct version *version = current->versions;

	while (version && version->value)
		version = version->next;
	if (version)
		return version;
	version = mem_alloc(sizeof(*version));
	version->next = current->versions;
	current->versions = version;
	return version;
}

void current_replace(struct current *current, void *value)
{
	struct version *now = version_free(current);

	now->value = value;
	current->now = now;
	for (struct version *old = current->versions; old; old = old->next)
		if (old != now && old->value && old->holders == 0)
			current->end(steal_ptr(&old->value));
}

struct current *current_open(void *value, void (*end)(void *))
{
	struct current *current = mem_alloc(sizeof(*current));

	current->end = end;
	current_replace(current, value);
	return current;
}

void current_close(struct current **owned)
{
	struct current *current = steal_ptr(owned);

	while (current->versions) {
		struct version *version = current->versions;

		current->versions = version->next;
		if (version->value)
			current->end(version->value);
		free(version);
	}
	free(current);
}

struct version *current_hold(struct current *current)
{
	for (;;) {
		struct version *version = current->now;

		version->holders++;
		if (version == current->now)
			return version;
		version->holders--;
	}
}

void version_release(struct version **version)
{
	steal_ptr(version)->holders--;
}

const void *version_value(const struct version *version)
{
	return version->value;
}
