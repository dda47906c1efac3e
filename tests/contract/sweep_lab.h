/*
 * sweep_lab.h: words about what gets old and goes.
 */
#pragma once
#include "store_lab.h"

#define GRACE_MS (24 * 3600 * INT64_C(1000))

/* Counts what it is told, by kind. */
struct teller {
	void (*meanwhile)(struct lab *); /* at the first; or null */
	struct lab *lab;
	unsigned told[DEAD_FILE + 1];
};
void tell(const struct store_dead *, void *teller);

/* With epochs of GRACE_MS. */
struct store_swept sweep_with(struct lab *, struct store_sweep);
/* The same, where a failure must not end the test at once. What has a `tell`
   is done by this process. */
int sweep_try(struct lab *, struct store_sweep, struct store_swept *out,
	      struct err *) must_check;
/* As it is done quietly. */
struct store_swept sweep(struct lab *);
/* What manifests let go is not waited for. */
struct store_swept sweep_now(struct lab *);

/* So many epochs go by. */
void age(struct lab *, int epochs);

void drop_image(struct lab *, struct repository, const char *config,
		const char *layer);
/* An image of one blob, "layer", in "app", and it is gone again. */
void push_and_drop(struct lab *);

/* An upload with 3 bytes. */
struct incoming *upload_begin(struct lab *, struct repository);
/* The same in "app", left there; and somebody comes back to it. */
void upload_leave(struct lab *);
int upload_return(struct lab *, struct incoming **out, struct err *);
