/*
 * store_lab.h: a data directory of its own for each test, and the few things
 * that clients do to it. What a test does not expect to fail ends it when it
 * does.
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
/* After these: */
#include <cmocka.h>

#include "store/store.h"

struct lab {
	char path[64];		   /* the data directory */
	struct arena *arena;	   /* until the test's end */
	struct store *store;	   /* null: closed */
	struct meta *meta;	   /* of the store */
	struct blob_store *faults; /* of lab_open_faulty, _over: borrowed */
};

/* cmocka's setup and teardown; the first leaves the store closed. */
int lab_setup(void **state);
int lab_teardown(void **state);

void lab_open(struct lab *);
void lab_open_faulty(struct lab *);
/* With faults in front of these, which it takes. */
void lab_open_over(struct lab *, struct blob_store *);
void lab_close(struct lab *);
/* As after a restart. */
void lab_reopen(struct lab *);

/* A test with a lab of its own. */
#define LAB_TEST(test) \
	cmocka_unit_test_setup_teardown(test, lab_setup, lab_teardown)

/* ---------------------------------------------------------------- values */

struct repository local(const char *name);
struct repository upstream(const char *name); /* of docker.io */
struct tag tag_of(const char *);
struct digest digest_of(const char *bytes);
struct reference by_tag(const char *);
struct reference by_digest(const char *bytes);

/* ---------------------------------------------------------------- clients */

/* Content is named by its text. */
void lab_push(struct lab *, struct repository, const char *bytes);
/* A fetch of it from upstream, whole. */
void lab_fetch(struct lab *, struct repository, const char *bytes);
int lab_upload(struct lab *, struct repository, const char *bytes,
	       const char *promised, struct err *);

/*
 * An image manifest with one config and one layer, by their text; `layer`
 * may be null. Its own text is `config`, '+', `layer`: see image_of.
 */
int lab_put_image(struct lab *, struct repository, const char *tag,
		  const char *config, const char *layer, struct err *);
void lab_image(struct lab *, struct repository, const char *tag,
	       const char *config, const char *layer);
struct digest image_of(const char *config, const char *layer);

/* Is the blob there, byte for byte, for a client that asks for it? */
bool lab_has(struct lab *, struct repository, const char *bytes);
/* Is the manifest there? */
bool lab_has_manifest(struct lab *, struct repository, struct reference);

/* ------------------------------------------------------------- looking on */

/* The collector's epoch advances. */
void lab_age(struct lab *);
/* How many files are below this directory of the data directory? */
unsigned lab_files(struct lab *, const char *directory);
/* The one number that a query on a connection of its own answers. */
int64_t lab_number(struct lab *, const char *sql);

void assert_ok(int result, const struct err *e);
#define OK(call, e) assert_ok(call, &(e))
#define FAILS(call, e, expected)                              \
	do {                                                  \
		assert_int_equal(call, -1);                   \
		assert_string_equal(err_kind_text((e).kind),  \
				    err_kind_text(expected)); \
	} while (0)
