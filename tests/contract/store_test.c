/*
 * The promises of store/store.h about what is kept: durable, whole, never
 * mixed. Arrivals by themselves are in incoming_test.c.
 */
#include "store_lab.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/thread.h"
#include "meta/db.h"
#include "oci/hash.h"

/* ------------------------------------------------------ words of this file */

static void nothing_stays(struct lab *lab)
{
	assert_int_equal(lab_files(lab, "incoming"), 0);
	assert_int_equal(lab_files(lab, "blobs"), 0);
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM session"), 0);
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM blob"), 0);
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM link"), 0);
}

static int peek(struct lab *lab, struct repository at, const char *bytes,
		struct blob_place *out, struct err *e)
{
	struct digest digest = digest_of(bytes);

	return store_peek_blob(lab->store, &at, &digest, out, e);
}

static int peek_and_close(struct lab *lab, struct repository at,
			  const char *bytes, struct err *e)
{
	struct blob_place place;

	if (peek(lab, at, bytes, &place, e) < 0)
		return -1;
	close(place.fd);
	return 0;
}

static off_t new_size;

static int one_damage(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st, (void)ftw;
	if (type == FTW_F)
		return new_size < 0 ? unlink(path) : truncate(path, new_size);
	return 0;
}

/* Every file of a blob is cut to `size`, or removed (-1). */
static void damage(struct lab *lab, off_t size)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/blobs", lab->path);
	new_size = size;
	assert_int_equal(nftw(path, one_damage, 16, FTW_PHYS), 0);
}

static void limit_files(rlim_t size)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = size < limit.rlim_max ? size : limit.rlim_max;
	setrlimit(RLIMIT_FSIZE, &limit);
}

/* --------------------------------------- acknowledged only when durable */

static void what_was_pushed_is_there_after_a_restart(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	lab_push(lab, local("app"), "config");
	lab_push(lab, local("app"), "layer");
	lab_image(lab, local("app"), "v1", "config", "layer");
	lab_reopen(lab);
	assert_true(lab_has(lab, local("app"), "config"));
	assert_true(lab_has(lab, local("app"), "layer"));
	assert_true(lab_has_manifest(lab, local("app"), by_tag("v1")));
	assert_int_equal(lab_files(lab, "incoming"), 0);
}

static void a_commit_that_fails_leaves_nothing(void **state)
{
	struct lab *lab = *state;
	struct err e;

	lab_open_faulty(lab);
	for (int after = 0; after < 2; after++) {
		struct blob_fault fault = { BLOB_COMMIT, 1, ERR_IO,
					    .after = after };

		blob_fault_set(lab->faults, &fault);
		FAILS(lab_upload(lab, local("app"), "layer", "layer", &e), e,
		      ERR_IO);
		assert_false(lab_has(lab, local("app"), "layer"));
		nothing_stays(lab);
	}
	lab_push(lab, local("app"), "layer");
}

/* The database fails between the file and its row. */
static void a_file_without_its_row_is_no_blob(void **state)
{
	struct lab *lab = *state;
	struct repository app = local("app");
	struct digest digest = digest_of("layer");
	struct incoming *incoming;
	struct err e;

	lab_open(lab);
	OK(incoming_open_upload(lab->store, &app, &incoming, &e), e);
	OK(incoming_write(incoming, SPAN("layer"), &e), e);
	limit_files(0);
	int failed = incoming_commit(&incoming, &digest, &e);
	limit_files(RLIM_INFINITY);
	assert_int_equal(failed, -1);
	assert_null(incoming);
	assert_false(lab_has(lab, app, "layer"));

	lab_reopen(lab);
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM session"), 0);
	lab_push(lab, app, "layer");
	assert_true(lab_has(lab, app, "layer"));
}

/* -------------------------------------------------- whole, or not at all */

static void wrong_bytes_are_refused_and_not_kept(void **state)
{
	struct lab *lab = *state;
	struct err e;

	lab_open(lab);
	FAILS(lab_upload(lab, local("app"), "wrong", "layer", &e), e,
	      ERR_DIGEST_INVALID);
	nothing_stays(lab);
	assert_false(lab_has(lab, local("app"), "layer"));
	assert_false(lab_has(lab, local("app"), "wrong"));
}

static void a_manifest_cannot_name_what_is_not_there(void **state)
{
	struct lab *lab = *state;
	struct err e;

	lab_open(lab);
	lab_push(lab, local("app"), "config");
	FAILS(lab_put_image(lab, local("app"), "v1", "config", "layer", &e), e,
	      ERR_MANIFEST_BLOB_UNKNOWN);
	lab_push(lab, local("app"), "layer");
	OK(lab_put_image(lab, local("app"), "v1", "config", "layer", &e), e);
}

static void another_algorithm_is_verified_too(void **state)
{
	struct lab *lab = *state;
	struct repository app = local("app");
	struct digest digest = hash_of(DIGEST_SHA512, SPAN("layer"));
	struct incoming *incoming;
	struct blob_place place;
	struct err e;

	lab_open(lab);
	OK(incoming_open_upload(lab->store, &app, &incoming, &e), e);
	OK(incoming_write(incoming, SPAN("wrong"), &e), e);
	FAILS(incoming_commit(&incoming, &digest, &e), e, ERR_DIGEST_INVALID);
	OK(incoming_open_upload(lab->store, &app, &incoming, &e), e);
	OK(incoming_write(incoming, SPAN("layer"), &e), e);
	OK(incoming_commit(&incoming, &digest, &e), e);
	OK(store_peek_blob(lab->store, &app, &digest, &place, &e), e);
	close(place.fd);
}

/* ------------------------------------------ it answers from what it has */

static void a_second_start_is_refused_while_the_first_lives(void **state)
{
	struct lab *lab = *state;
	struct store *second;
	struct err e;

	lab_open(lab);
	FAILS(store_open(lab->path, &second, &e), e, ERR_LOCKED);
	assert_non_null(strstr(e.message, lab->path));
	lab_close(lab);
	OK(store_open(lab->path, &second, &e), e);
	store_close(&second);
}

static void a_place_that_cannot_be_used_is_named(void **state)
{
	struct lab *lab = *state;
	struct store *store;
	struct err e;
	char path[96];

	snprintf(path, sizeof(path), "%s/file", lab->path);
	fclose(fopen(path, "w"));
	FAILS(store_open(path, &store, &e), e, ERR_USAGE);
	assert_non_null(strstr(e.message, path));
	FAILS(store_open("/proc/registry", &store, &e), e, ERR_USAGE);
}

static void a_hit_needs_no_write(void **state)
{
	struct lab *lab = *state;
	struct db *db;
	char path[96];
	struct err e;

	lab_open(lab);
	lab_push(lab, local("app"), "config");
	lab_image(lab, local("app"), "v1", "config", NULL);
	lab_fetch(lab, upstream("nginx"), "layer");
	lab_age(lab);

	snprintf(path, sizeof(path), "%s/registry.db", lab->path);
	OK(db_open(path, DB_WRITER, &db, &e), e);
	OK(db_begin(db, DB_DURABLE, &e), e); /* nobody else can write now */
	OK(peek_and_close(lab, local("app"), "config", &e), e);
	OK(peek_and_close(lab, upstream("nginx"), "layer", &e), e);
	assert_true(lab_has_manifest(lab, local("app"), by_tag("v1")));
	db_rollback(db);
	db_close(&db);
}

static void a_peek_leaves_it_to_a_pull_to_touch(void **state)
{
	struct lab *lab = *state;
	struct blob_place place;
	struct err e;

	lab_open(lab);
	lab_push(lab, local("app"), "layer");
	OK(peek_and_close(lab, local("app"), "layer", &e), e);
	lab_age(lab);
	FAILS(peek(lab, local("app"), "layer", &place, &e), e, ERR_NOT_HERE);
	assert_int_equal(place.size, strlen("layer"));
	assert_true(lab_has(lab, local("app"), "layer"));
	OK(peek_and_close(lab, local("app"), "layer", &e), e);
}

static void it_says_whether_it_can_write(void **state)
{
	struct lab *lab = *state;
	struct err e;

	lab_open(lab);
	OK(store_check(lab->store, &e), e);
	limit_files(0);
	int failed = store_check(lab->store, &e);
	limit_files(RLIM_INFINITY);
	assert_int_equal(failed, -1);
	OK(store_check(lab->store, &e), e);
}

/* ------------------------------------------------- files that went missing */

static void a_damaged_blob_is_mended_by_the_next_push(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	for (off_t size = -1; size <= 2; size += 3) {
		lab_push(lab, local("app"), "layer");
		damage(lab, size);
		assert_false(lab_has(lab, local("app"), "layer"));
		lab_push(lab, local("other"), "layer");
		assert_true(lab_has(lab, local("app"), "layer"));
		assert_int_equal(lab_files(lab, "blobs"), 1);
	}
}

static void a_damaged_cached_blob_is_to_be_fetched_again(void **state)
{
	struct lab *lab = *state;
	struct blob_place place;
	struct digest digest = digest_of("layer");
	struct repository nginx = upstream("nginx");
	struct err e;

	lab_open(lab);
	lab_fetch(lab, nginx, "layer");
	damage(lab, -1);
	FAILS(store_pull_blob(lab->store, &nginx, &digest, &place, &e), e,
	      ERR_NOT_HERE);
	assert_int_equal(place.size, strlen("layer"));
	lab_fetch(lab, nginx, "layer");
	assert_true(lab_has(lab, nginx, "layer"));
}

static void what_is_missing_is_not_mounted(void **state)
{
	struct lab *lab = *state;
	struct repository app = local("app"), other = local("other");
	struct err e;

	lab_open(lab);
	lab_push(lab, app, "layer");
	damage(lab, -1);
	FAILS(lab_mount(lab, app, other, "layer", &e), e, ERR_BLOB_UNKNOWN);
	lab_push(lab, app, "layer");
	OK(lab_mount(lab, app, other, "layer", &e), e);
	assert_true(lab_has(lab, other, "layer"));
}

static void without_a_source_only_what_was_pushed_is_mounted(void **state)
{
	struct lab *lab = *state;
	struct repository nginx = upstream("nginx"), app = local("app");
	struct digest digest = digest_of("layer");
	struct err e;

	lab_open(lab);
	lab_fetch(lab, nginx, "layer");
	FAILS(store_mount(lab->store, NULL, &app, &digest, &e), e,
	      ERR_BLOB_UNKNOWN);
	lab_push(lab, local("other"), "layer");
	OK(store_mount(lab->store, NULL, &app, &digest, &e), e);
	assert_true(lab_has(lab, app, "layer"));
}

static void what_was_mounted_from_upstream_is_pushed_content(void **state)
{
	struct lab *lab = *state;
	struct repository nginx = upstream("nginx"), app = local("app");
	struct err e;

	lab_open(lab);
	lab_fetch(lab, nginx, "layer");
	OK(lab_mount(lab, nginx, app, "layer", &e), e);
	assert_true(lab_has(lab, app, "layer"));
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM link"
					 " JOIN repository"
					 " ON repository.id = link.repository"
					 " WHERE repository.upstream = ''"),
			 1);
}

static void a_file_that_cannot_be_opened_now_is_not_missing(void **state)
{
	struct lab *lab = *state;
	struct blob_fault fault = { BLOB_PEEK, 1, ERR_IO, .after = false };
	struct blob_place place;
	struct err e;

	lab_open_faulty(lab);
	lab_push(lab, local("app"), "layer");
	blob_fault_set(lab->faults, &fault);
	FAILS(peek(lab, local("app"), "layer", &place, &e), e, ERR_IO);

	/* Nor does the next arrival take its place. */
	blob_fault_set(lab->faults, &fault);
	FAILS(lab_upload(lab, local("app"), "layer", "layer", &e), e, ERR_IO);
	assert_true(lab_has(lab, local("app"), "layer"));
	assert_int_equal(lab_number(lab, "SELECT id FROM blob"), 1);
}

/* ------------------------------------------- pushed and cached never mix */

static void a_blob_is_seen_only_where_it_was_pushed(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	lab_push(lab, local("app"), "secret");
	assert_false(lab_has(lab, local("other"), "secret"));
	assert_false(lab_has(lab, upstream("app"), "secret"));
	lab_push(lab, local("other"), "secret"); /* knows the bytes */
	assert_true(lab_has(lab, local("other"), "secret"));
	assert_int_equal(lab_files(lab, "blobs"), 1);
}

static void a_cached_blob_is_seen_only_where_it_is_linked_or_named(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	lab_fetch(lab, upstream("nginx"), "layer");
	assert_true(lab_has(lab, upstream("nginx"), "layer"));
	assert_false(lab_has(lab, upstream("redis"), "layer"));
	assert_false(lab_has(lab, local("nginx"), "layer"));
	lab_image(lab, upstream("redis"), "v1", "config", "layer");
	assert_true(lab_has(lab, upstream("redis"), "layer"));
	assert_false(lab_has(lab, local("nginx"), "layer"));
}

static void a_drop_in_one_repository_is_not_seen_in_another(void **state)
{
	struct lab *lab = *state;
	struct repository app = local("app");
	struct reference v1 = by_tag("v1");
	struct err e;

	lab_open(lab);
	lab_push(lab, app, "layer");
	lab_fetch(lab, upstream("app"), "layer");
	lab_image(lab, app, "v1", "layer", NULL);
	lab_image(lab, upstream("app"), "v1", "layer", NULL);
	OK(lab_drop(lab, app, v1, &e), e);
	OK(lab_drop(lab, app, by_digest("layer+"), &e), e);
	OK(lab_unlink(lab, app, "layer", &e), e);
	assert_false(lab_has(lab, app, "layer"));
	assert_true(lab_has(lab, upstream("app"), "layer"));
	assert_true(lab_has_manifest(lab, upstream("app"), v1));
}

/* ----------------------------------------------------------- many at once */

enum { CLIENTS = 8 };

struct client {
	struct thread thread;
	struct lab *lab;
	struct repository repository;
	int failed;
};

static void push_layer(void *arg)
{
	struct client *client = arg;
	struct err e;

	client->failed = lab_upload(client->lab, client->repository, "layer",
				    "layer", &e);
}

static void of_many_uploads_of_one_digest_one_file_stays(void **state)
{
	struct lab *lab = *state;
	struct client clients[CLIENTS];
	char name[16];

	lab_open(lab);
	for (int i = 0; i < CLIENTS; i++) {
		snprintf(name, sizeof(name), "app%d", i);
		clients[i] = (struct client){ .lab = lab,
					      .repository = local(name) };
		thread_start(&clients[i].thread, "client", push_layer,
			     &clients[i]);
	}
	for (int i = 0; i < CLIENTS; i++) {
		thread_join(&clients[i].thread);
		assert_int_equal(clients[i].failed, 0);
		assert_true(lab_has(lab, clients[i].repository, "layer"));
	}
	assert_int_equal(lab_files(lab, "blobs"), 1);
	assert_int_equal(lab_files(lab, "incoming"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ALSO_CLIENTS(what_was_pushed_is_there_after_a_restart),
		LAB_TEST(a_commit_that_fails_leaves_nothing),
		LAB_TEST(a_file_without_its_row_is_no_blob),
		ALSO_CLIENTS(wrong_bytes_are_refused_and_not_kept),
		ALSO_CLIENTS(a_manifest_cannot_name_what_is_not_there),
		LAB_TEST(another_algorithm_is_verified_too),
		LAB_TEST(a_second_start_is_refused_while_the_first_lives),
		LAB_TEST(a_place_that_cannot_be_used_is_named),
		EACH_PARTY(a_hit_needs_no_write),
		EACH_PARTY(a_peek_leaves_it_to_a_pull_to_touch),
		LAB_TEST(it_says_whether_it_can_write),
		ALSO_CLIENTS(a_damaged_blob_is_mended_by_the_next_push),
		ALSO_CLIENTS(a_damaged_cached_blob_is_to_be_fetched_again),
		ALSO_CLIENTS(what_is_missing_is_not_mounted),
		ALSO_CLIENTS(without_a_source_only_what_was_pushed_is_mounted),
		ALSO_CLIENTS(what_was_mounted_from_upstream_is_pushed_content),
		LAB_TEST(a_file_that_cannot_be_opened_now_is_not_missing),
		ALSO_CLIENTS(a_blob_is_seen_only_where_it_was_pushed),
		ALSO_CLIENTS(
			a_cached_blob_is_seen_only_where_it_is_linked_or_named),
		ALSO_CLIENTS(a_drop_in_one_repository_is_not_seen_in_another),
		LAB_TEST(of_many_uploads_of_one_digest_one_file_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
