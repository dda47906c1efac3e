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

/* Whoever does something to a store; bits. */
enum lab_party {
	LAB_NOBODY = 0, /* never elsewhere, and so meets the faults set here */
	LAB_CLIENT = 1, /* pushes, fetches, deletes */
	LAB_KEEPER = 2	/* counts time, collects, evicts, verifies */
};

struct lab {
	char path[64];		   /* the data directory */
	struct arena *arena;	   /* until the test's end */
	struct store *store;	   /* null: closed */
	struct meta *meta;	   /* of the store */
	struct blob_store *faults; /* of lab_open_faulty, _over: borrowed */
	void (*meanwhile)(struct lab *); /* of lab_at_blob, until it happens */

	enum lab_party elsewhere; /* who is in another process */
	pid_t process;
	int other; /* a socket to it, and there to this one; 0: there is none */
};

/* cmocka's setups and teardown; the store is closed at first. */
int lab_setup(void **state);
int clients_setup(void **state);
int keeper_setup(void **state);
int lab_teardown(void **state);
/* Another one of the same kind in its place. */
void lab_renew(void **state);

void lab_open(struct lab *);
void lab_open_faulty(struct lab *);
/* With faults in front of these, which it takes. */
void lab_open_over(struct lab *, struct blob_store *);
void lab_close(struct lab *);
/* As after a restart. */
void lab_reopen(struct lab *);

/*
 * The `nth` time that this process does that to a file, `meanwhile` happens;
 * whether it did, lab_was_paused asserts.
 */
enum lab_side { LAB_BEFORE, LAB_AFTER };
void lab_at_blob(struct lab *, enum lab_side, enum blob_verb, unsigned nth,
		 void (*meanwhile)(struct lab *));
void lab_was_paused(const struct lab *);

/* A test with a lab of its own. */
#define LAB_TEST(test) \
	cmocka_unit_test_setup_teardown(test, lab_setup, lab_teardown)
/*
 * The same, but the clients, or whoever keeps house, are in another process
 * with a store of its own on the same database and files: nothing may depend
 * on there being one process only.
 */
#define CLIENTS_TEST(test)                                        \
	{                                                         \
#test ": clients elsewhere", test, clients_setup, \
			lab_teardown, NULL                        \
	}
#define KEEPER_TEST(test)                                                     \
	{                                                                     \
#test ": keeper elsewhere", test, keeper_setup, lab_teardown, \
			NULL                                                  \
	}
#define ALSO_CLIENTS(test) LAB_TEST(test), CLIENTS_TEST(test)
#define ALSO_KEEPER(test) LAB_TEST(test), KEEPER_TEST(test)
#define EACH_PARTY(test) LAB_TEST(test), CLIENTS_TEST(test), KEEPER_TEST(test)

/* ---------------------------------------------------------------- values */

struct repository local(const char *name);
struct repository upstream(const char *name); /* of docker.io */
struct tag tag_of(const char *);
struct digest digest_of(const char *bytes);
struct reference by_tag(const char *);
struct reference by_digest(const char *bytes);

/* ------------------------------------------------------- another process */

/*
 * Does `act`, where that party is. `arg`, of `size` bytes, goes there and comes
 * back, so what it points at has to be in both processes: literals are. No
 * asserts in an act; the words below that say OK are not for acts. One thread
 * at a time.
 */
typedef int (*lab_act)(struct lab *, void *arg, struct err *);
int lab_do(struct lab *, enum lab_party, lab_act, void *arg, size_t size,
	   struct err *) must_check;

/*
 * What this process has read it remembers for a second, if it does not write
 * itself; after lab_do that has passed. Who wants to see it asks with this.
 */
int lab_ask(struct lab *, lab_act, void *arg, size_t size, struct err *)
	must_check;
int lab_forget(struct lab *, struct err *) must_check;

/* For store_lab.c: what makes a lab have another process. */
int elsewhere_begin(struct lab *, enum lab_party) must_check;
int elsewhere_open(struct lab *, struct err *) must_check;
int elsewhere_end(struct lab *) must_check;

/* Short content, or a name, in an argument; "": none. */
struct text {
	char s[128];
};
struct text text_of(const char *);

/* ---------------------------------------------------------------- clients */

/* Content is named by its text. */
void lab_push(struct lab *, struct repository, const char *bytes);
void lab_push_as(struct lab *, enum lab_party, struct repository,
		 const char *bytes);
/* A fetch of it from upstream, whole. */
void lab_fetch(struct lab *, struct repository, const char *bytes);
void lab_fetch_as(struct lab *, enum lab_party, struct repository,
		  const char *bytes);
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
/* By its repository and digest, or tag. */
int lab_drop(struct lab *, struct repository, struct reference, struct err *)
	must_check;
int lab_mount(struct lab *, struct repository from, struct repository to,
	      const char *bytes, struct err *) must_check;
int lab_unlink(struct lab *, struct repository, const char *bytes, struct err *)
	must_check;
/*
 * What a GET of the manifest leaves behind: a note, and where others must know
 * of it, a stamp.
 */
void lab_pull(struct lab *, struct repository, struct reference);

/* Is the blob there, byte for byte, for a client that asks for it? */
bool lab_has(struct lab *, struct repository, const char *bytes);
/* Is the manifest there? */
bool lab_has_manifest(struct lab *, struct repository, struct reference);

/* ------------------------------------------------------------- looking on */

/* The collector's epoch advances. */
void lab_age(struct lab *);
/* So much registry time passes, in no new epoch; all of it, in seconds. */
int64_t lab_runs(struct lab *, int64_t ms);
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
