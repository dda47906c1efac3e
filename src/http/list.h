/*
 * http/list.h: rings of links that live inside of what they link. A link that
 * is in no list points to itself, so that list_remove is always allowed.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct link {
	struct link *next;
	struct link *prev;
};

/* The struct of `type` whose `member` is at `pointer`. */
#define container_of(pointer, type, member) \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static inline void list_open(struct link *list)
{
	list->next = list;
	list->prev = list;
}

static inline bool list_is_empty(const struct link *list)
{
	return list->next == list;
}

static inline void list_remove(struct link *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	list_open(link);
}

/* At the end; the link leaves the list it was in. */
static inline void list_append(struct link *list, struct link *link)
{
	list_remove(link);
	link->prev = list->prev;
	link->next = list;
	list->prev->next = link;
	list->prev = link;
}

/* Takes the first out; null when there is none. */
static inline struct link *list_take(struct link *list)
{
	struct link *first = list->next;

	if (first == list)
		return NULL;
	list_remove(first);
	return first;
}

/* Moves everything to the empty list `to`. */
static inline void list_move(struct link *from, struct link *to)
{
	list_open(to);
	if (list_is_empty(from))
		return;
	*to = *from;
	to->next->prev = to;
	to->prev->next = to;
	list_open(from);
}
