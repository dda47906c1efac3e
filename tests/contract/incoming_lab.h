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

struct leaving {
	struct repository at;
	struct text bytes;
	struct text key;
};

static inline int upload_leave(struct lab *lab, void *arg, struct err *e)
{
	struct leaving *it = arg;
	auto_of(incoming) struct incoming *incoming = NULL;

	if (incoming_open_upload(lab->store, &it->at, &incoming, e) < 0)
		return -1;
	it->key = text_of(incoming_key(incoming));
	return incoming_write(incoming, span_of(it->bytes.s), e);
}

/* Key of an upload that holds `bytes` and was left. */
static inline char *left_upload(struct lab *lab, const char *bytes)
{
	struct leaving it = { .at = local("app"), .bytes = text_of(bytes) };
	struct err e;

	OK(lab_do(lab, LAB_CLIENT, upload_leave, &it, sizeof(it), &e), e);
	return arena_text(lab->arena, span_of(it.key.s));
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
