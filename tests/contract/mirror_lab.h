/*
 * mirror_lab.h: a mirror over a real store, and two upstreams that answer as
 * the test has written. What goes wrong in here fails the test.
 */
#pragma once
#include "base/pool.h"
#include "base/thread.h"
#include "fake_server.h"
#include "mirror/mirror.h"

enum { BLOB_SIZE = 1024 * 1024 };

/* The rules of every question; lab_open makes them as they were. */
extern struct mirror_rules rules;
extern struct mirror_upstream_rules upstream_rules[2]; /* docker.io, ghcr.io */

struct lab {
	char data[64];
	struct fake_server *server; /* docker.io */
	struct fake_server *other;  /* ghcr.io */
	struct store *store;
	struct mirror_upstream entries[2];
	struct mirror *mirror;
	char *blob;	      /* BLOB_SIZE bytes */
	struct digest digest; /* of them */
	struct arena *arena;
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t changed;
	struct gate {
		struct lab *lab;
		bool open;
	} gates[4];
	size_t gates_closed;
	size_t gates_opened; /* of these */
};

/* Setup and teardown of a test; `*state` is the lab. */
int lab_open(void **state);
int lab_close(void **state);

/* A restart: what is on the disk stays. */
void lab_start(struct lab *);
void lab_stop(struct lab *);

struct mirror_target hub(const char *name, bool bare);
struct mirror_target ghcr(const char *name);
struct reference tag(const char *name);

/* Another one of that name, which asks there. To be closed. */
struct upstream *upstream_at(const char *name, const struct fake_server *);

/* From now on docker.io is there, and waited for as long as in earnest. */
void move_hub(struct lab *, const char *const *urls, size_t count);

/* An image whose one blob is the lab's; other notes make other images. */
const char *image(struct lab *, const char *note);

/* An index of that one manifest. */
const char *index_of(struct lab *, const char *manifest);

/* The next answer of docker.io, or of that server. */
void answer_head(struct lab *, const char *manifest);
void answer_get(struct lab *, const char *manifest);
void answer_head_at(struct fake_server *, const char *manifest);
void answer_get_at(struct fake_server *, const char *manifest);
void answer_blob(struct lab *, const char *bytes);
void answer_refusal(struct lab *, const char *status);
void answer_refusal_at(struct fake_server *, const char *status);

/* docker.io/library/app by that tag. */
void pull(struct lab *, const char *tag_name, struct manifest_view *out);
/* Makes docker.io/library/app know an image that names the blob. */
void cache_image(struct lab *);
/* With its blob, which takes a restart. */
void cache_whole_image(struct lab *);

/*
 * What that pool is given from now on waits until this gate is opened; the one
 * that was closed first is opened first.
 */
void close_gate(struct lab *, struct pool *);
void open_gate(struct lab *);

/* Reads a view to its end: how it ended, and how many bytes there were. */
enum growing_state read_view(struct lab *, struct blob_view *,
			     int64_t *length_out);
/* The blob from docker.io/library/app, likewise. */
enum growing_state pull_bytes(struct lab *, int64_t *length_out);
