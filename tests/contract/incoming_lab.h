/*
 * incoming_lab.h: what tests of arrivals say.
 */
#pragma once
#include "store_lab.h"

enum { TAIL = 64 * 1024, BIG = 4 * TAIL };

/* BIG bytes of text that differ from place to place; the arena's. */
static inline const char *big_text(struct lab *lab)
{
	char *text = arena_alloc(lab->arena, BIG + 1);

	for (int i = 0; i < BIG; i++)
		text[i] = (char)('a' + (i * 31 + i / 997) % 26);
	return text;
}

static inline struct incoming *upload(struct lab *lab)
{
	struct repository app = local("app");
	struct incoming *incoming;
	struct err e;

	OK(incoming_open_upload(lab->store, &app, &incoming, &e), e);
	return incoming;
}

/* Key of an upload that holds `bytes` and was left. */
static inline char *left_upload(struct lab *lab, const char *bytes)
{
	struct incoming *incoming = upload(lab);
	char *key = arena_text(lab->arena, span_of(incoming_key(incoming)));
	struct err e;

	OK(incoming_write(incoming, span_of(bytes), &e), e);
	incoming_leave(&incoming);
	return key;
}

static inline struct incoming *resume(struct lab *lab, const char *key)
{
	struct repository app = local("app");
	struct incoming *incoming;
	struct err e;

	OK(incoming_resume_upload(lab->store, &app, span_of(key), &incoming,
				  &e),
	   e);
	return incoming;
}

static inline void more(struct incoming *incoming, const char *at, size_t len)
{
	struct err e;

	OK(incoming_write(incoming, span_make(at, len), &e), e);
}

static inline void commit(struct incoming **incoming, const char *bytes)
{
	struct digest digest = digest_of(bytes);
	struct err e;

	OK(incoming_commit(incoming, &digest, &e), e);
	assert_null(*incoming);
}
