/*
 * The promises of store/store.h about what is arriving: it goes on after a
 * break, it is read while it grows, and nobody has all of a wrong blob.
 */
#include "incoming_lab.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "oci/hash.h"

/* ------------------------------------------------------ words of this file */

static struct incoming *fetch(struct lab *lab, const char *bytes, int64_t size)
{
	struct repository nginx = upstream("nginx");
	struct digest digest = digest_of(bytes);
	struct incoming *incoming;
	struct err e;

	OK(incoming_open_fetch(lab->store, &nginx, &digest, size, &incoming,
			       &e),
	   e);
	return incoming;
}

/* ---------------------------------------------------------------- fetches */

static void a_fetch_is_read_while_it_grows_but_for_its_tail(void **state)
{
	struct lab *lab = *state;
	const char *text = big_text(lab);

	lab_open(lab);
	struct incoming *incoming = fetch(lab, text, BIG);
	auto_of(growing) struct growing *growing =
		growing_keep(incoming_growing(incoming));
	assert_int_equal(growing_size(growing), BIG);
	assert_int_equal(growing_length(growing), 0);
	more(incoming, text, 1);
	assert_int_equal(growing_length(growing), 1);
	more(incoming, text + 1, BIG - 1);
	assert_int_equal(growing_length(growing), BIG - TAIL);
	assert_int_equal(growing_state(growing), GROWING);
	commit(&incoming, text);
	assert_int_equal(growing_length(growing), BIG);
	assert_int_equal(growing_state(growing), GROWING_WHOLE);

	auto_free char *read = mem_alloc(BIG + 1);
	assert_int_equal(pread(growing_fd(growing), read, BIG, 0), BIG);
	assert_string_equal(read, text);
	assert_true(lab_has(lab, upstream("nginx"), text));
}

/* Whatever came last may be the tail. */
static void of_a_fetch_without_a_size_the_last_is_held_back(void **state)
{
	struct lab *lab = *state;
	const char *text = big_text(lab);

	lab_open(lab);
	struct incoming *incoming = fetch(lab, text, -1);
	struct growing *growing = incoming_growing(incoming);
	more(incoming, text, TAIL);
	assert_int_equal(growing_length(growing), 0);
	more(incoming, text + TAIL, TAIL);
	assert_int_equal(growing_length(growing), TAIL);
	more(incoming, text + 2 * TAIL, BIG - 2 * TAIL);
	commit(&incoming, text);
	assert_true(lab_has(lab, upstream("nginx"), text));
}

static void a_fetch_may_be_of_either_algorithm(void **state)
{
	struct lab *lab = *state;
	const char *text = big_text(lab);
	struct digest digest = hash_of(DIGEST_SHA512, span_of(text));
	struct repository nginx = upstream("nginx");
	struct incoming *incoming;
	struct err e;

	lab_open(lab);
	for (int half = 0; half < 2; half++) {
		OK(incoming_open_fetch(lab->store, &nginx, &digest, BIG,
				       &incoming, &e),
		   e);
		assert_int_equal(incoming_length(incoming), half * BIG / 2);
		more(incoming, text + half * BIG / 2, BIG / 2);
		if (half == 0)
			incoming_leave(&incoming);
	}
	OK(incoming_commit(&incoming, &digest, &e), e);
}

static void wrong_bytes_are_never_whole(void **state)
{
	struct lab *lab = *state;
	const char *text = big_text(lab);
	struct digest digest = digest_of(text);
	struct err e;

	lab_open(lab);
	struct incoming *incoming = fetch(lab, text, BIG);
	auto_of(growing) struct growing *growing =
		growing_keep(incoming_growing(incoming));
	more(incoming, text, BIG - 1);
	more(incoming, "?", 1);
	FAILS(incoming_commit(&incoming, &digest, &e), e, ERR_CORRUPT);
	assert_int_equal(growing_state(growing), GROWING_BROKEN);
	assert_int_equal(growing_length(growing), BIG - TAIL);
	assert_false(lab_has(lab, upstream("nginx"), text));
	assert_int_equal(lab_files(lab, "incoming"), 0);
	assert_int_equal(lab_files(lab, "blobs"), 0);

	incoming = fetch(lab, text, BIG); /* the next one works */
	more(incoming, text, BIG);
	commit(&incoming, text);
	assert_true(lab_has(lab, upstream("nginx"), text));
}

static void more_than_was_said_is_refused(void **state)
{
	struct lab *lab = *state;
	struct err e;

	lab_open(lab);
	struct incoming *incoming = fetch(lab, "layer", 5);
	FAILS(incoming_write(incoming, SPAN("layers"), &e), e, ERR_CORRUPT);
	incoming_drop(&incoming);
	assert_int_equal(lab_files(lab, "incoming"), 0);
}

static void a_fetch_goes_on_after_a_restart(void **state)
{
	struct lab *lab = *state;
	const char *text = big_text(lab);

	lab_open(lab);
	struct incoming *incoming = fetch(lab, text, BIG);
	auto_of(growing) struct growing *growing =
		growing_keep(incoming_growing(incoming));
	more(incoming, text, BIG / 2);
	incoming_leave(&incoming);
	assert_int_equal(growing_state(growing), GROWING_BROKEN);

	lab_reopen(lab);
	incoming = fetch(lab, text, BIG);
	assert_int_equal(incoming_length(incoming), BIG / 2);
	assert_int_equal(growing_length(incoming_growing(incoming)), BIG / 2);
	more(incoming, text + BIG / 2, BIG / 2);
	commit(&incoming, text);
	assert_true(lab_has(lab, upstream("nginx"), text));
}

static int64_t begun_from(struct lab *lab, const char *upstream_name)
{
	struct repository there = upstream("nginx");
	struct digest digest = digest_of(big_text(lab));
	struct incoming *incoming;
	struct err e;

	strcpy(there.upstream, upstream_name);
	OK(incoming_open_fetch(lab->store, &there, &digest, BIG, &incoming, &e),
	   e);
	int64_t length = incoming_length(incoming);
	if (length == 0)
		more(incoming, big_text(lab), BIG / 2);
	incoming_leave(&incoming);
	return length;
}

/* Its bytes may be wrong, and are its own affair until they are verified. */
static void what_one_upstream_left_another_does_not_go_on_with(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	assert_int_equal(begun_from(lab, "docker.io"), 0);
	assert_int_equal(begun_from(lab, "ghcr.io"), 0);
	assert_int_equal(begun_from(lab, "docker.io"), BIG / 2);
	assert_int_equal(begun_from(lab, "ghcr.io"), BIG / 2);
}

static void a_fetch_of_which_nothing_came_leaves_nothing(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	struct incoming *incoming = fetch(lab, "layer", -1);
	incoming_leave(&incoming);
	assert_int_equal(lab_files(lab, "incoming"), 0);
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM session"), 0);
}

static void a_fetch_that_begins_anew_does_not_hurt_its_readers(void **state)
{
	struct lab *lab = *state;
	const char *text = big_text(lab);
	struct err e;

	lab_open(lab);
	struct incoming *incoming = fetch(lab, text, BIG);
	struct growing *growing = incoming_growing(incoming);
	more(incoming, text, BIG / 2);
	int64_t readable = growing_length(growing);

	OK(incoming_restart(incoming, &e), e);
	assert_int_equal(incoming_length(incoming), 0);
	more(incoming, text, BIG / 4);
	assert_int_equal(incoming_length(incoming), BIG / 4);
	assert_int_equal(growing_length(growing), readable);
	more(incoming, text + BIG / 4, BIG / 2);
	assert_int_equal(incoming_length(incoming), 3 * BIG / 4);
	assert_int_equal(growing_length(growing), 3 * BIG / 4);
	more(incoming, text + 3 * BIG / 4, BIG / 4);
	commit(&incoming, text);
	assert_true(lab_has(lab, upstream("nginx"), text));
}

/* --------------------------------------------------------------- the start */

static void path_in(struct lab *lab, char *out, size_t room, const char *name)
{
	snprintf(out, room, "%s/incoming/%s", lab->path, name);
}

static void what_a_crash_left_is_tidied_at_the_start(void **state)
{
	struct lab *lab = *state;
	struct repository app = local("app");
	struct meta_session session = { .repository = app, .size = -1 };
	char orphan[96], stranger[96];
	struct err e;

	lab_open(lab);
	char *key = left_upload(lab, "lay");
	OK(meta_session_put(lab->meta, &session, &e), e);
	path_in(lab, orphan, sizeof(orphan), "4711");
	path_in(lab, stranger, sizeof(stranger), "notes");
	fclose(fopen(orphan, "w"));
	fclose(fopen(stranger, "w"));

	lab_reopen(lab);
	assert_int_equal(access(orphan, F_OK), -1);
	assert_int_equal(access(stranger, F_OK), 0);
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM session"), 1);
	struct incoming *incoming = resume(lab, key);
	incoming_leave(&incoming);
}

/* ---------------------------------------------------------- no room left */

/* A file system of 3 MiB in place of the data directory, if we may. */
static bool mount_small(struct lab *lab)
{
	if (unshare(CLONE_NEWNS) < 0)
		return false;
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return false;
	return mount("lab", lab->path, "tmpfs", 0, "size=3m") == 0;
}

static int64_t room(struct lab *lab)
{
	struct statvfs fs;

	assert_int_equal(statvfs(lab->path, &fs), 0);
	return (int64_t)(fs.f_bavail * fs.f_bsize);
}

/* Writes until there is no room; how much counts. */
static int64_t fill(struct incoming *incoming, const char *text, struct err *e)
{
	int64_t length = 0;

	while (incoming_write(incoming, span_make(text, BIG), e) == 0)
		length += BIG;
	assert_int_equal(incoming_length(incoming), length);
	return length;
}

static void an_upload_goes_on_once_there_is_room(void **state)
{
	struct lab *lab = *state;
	const char *text = big_text(lab);
	struct err e;

	if (!mount_small(lab))
		skip();
	lab_open(lab);
	lab_push(lab, local("app"), "layer");
	struct incoming *ballast = upload(lab);
	more(ballast, text, BIG);
	struct incoming *incoming = upload(lab);
	int64_t length = fill(incoming, text, &e);
	assert_int_equal(e.kind, ERR_NO_SPACE);
	assert_in_range(room(lab), 0, BIG);
	while (incoming_write(ballast, span_make(text, 4096), &e) == 0)
		continue;
	FAILS(store_check(lab->store, &e), e, ERR_NO_SPACE);
	assert_true(lab_has(lab, local("app"), "layer"));

	incoming_drop(&ballast);
	more(incoming, text, BIG);
	assert_int_equal(incoming_length(incoming), length + BIG);
	incoming_drop(&incoming);
	OK(store_check(lab->store, &e), e);
	lab_close(lab);
	umount2(lab->path, MNT_DETACH);
}

/* That is kept for pushes, however much an upstream sends. */
static void a_fetch_without_an_end_leaves_the_last_room(void **state)
{
	struct lab *lab = *state;
	struct store_cache cache = { .keep_free = INT64_MAX }; /* a tenth */
	const char *text = big_text(lab);
	struct err e;

	if (!mount_small(lab))
		skip();
	lab_open(lab);
	store_cache(lab->store, &cache);
	struct incoming *incoming = fetch(lab, text, -1);
	fill(incoming, text, &e);
	assert_int_equal(e.kind, ERR_NO_SPACE);
	assert_in_range(room(lab), 3 * 1024 * 1024 / 10, INT64_MAX);
	incoming_drop(&incoming);
	lab_close(lab);
	umount2(lab->path, MNT_DETACH);
}

/* Until there is no room at all. */
static void fill_up(struct lab *lab, const char *text)
{
	struct err e;
	auto_fd int dir = io_open_dir(lab->path, &e);
	auto_fd int file = io_open_at(dir, "fill", O_WRONLY | O_CREAT, &e);

	for (int64_t at = 0; room(lab) > 0; at += 4096)
		OK(io_write_at(file, at, span_make(text, 4096), &e), e);
}

static void a_commit_on_a_full_disk_leaves_nothing(void **state)
{
	struct lab *lab = *state;
	const char *text = big_text(lab);
	struct digest digest = digest_of(text);
	struct err e;

	if (!mount_small(lab))
		skip();
	lab_open(lab);
	struct incoming *incoming = upload(lab);
	more(incoming, text, BIG);
	lab_push(lab, local("app"), "layer");
	fill_up(lab, text);
	FAILS(incoming_commit(&incoming, &digest, &e), e, ERR_NO_SPACE);
	assert_int_equal(lab_files(lab, "incoming"), 0);
	assert_int_equal(lab_files(lab, "blobs"), 1);
	assert_true(room(lab) >= BIG / 2);
	assert_true(lab_has(lab, local("app"), "layer"));
	lab_close(lab);
	umount2(lab->path, MNT_DETACH);
}

static void it_starts_and_serves_on_a_full_disk(void **state)
{
	struct lab *lab = *state;
	const char *text = big_text(lab);

	if (!mount_small(lab))
		skip();
	lab_open(lab);
	lab_push(lab, local("app"), "config");
	lab_image(lab, local("app"), "v1", "config", NULL);
	lab_close(lab);

	fill_up(lab, text);
	lab_open(lab);
	assert_true(lab_has(lab, local("app"), "config"));
	assert_true(lab_has_manifest(lab, local("app"), by_tag("v1")));
	lab_close(lab);
	umount2(lab->path, MNT_DETACH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB_TEST(a_fetch_is_read_while_it_grows_but_for_its_tail),
		LAB_TEST(of_a_fetch_without_a_size_the_last_is_held_back),
		LAB_TEST(a_fetch_may_be_of_either_algorithm),
		LAB_TEST(wrong_bytes_are_never_whole),
		LAB_TEST(more_than_was_said_is_refused),
		LAB_TEST(a_fetch_goes_on_after_a_restart),
		LAB_TEST(what_one_upstream_left_another_does_not_go_on_with),
		LAB_TEST(a_fetch_of_which_nothing_came_leaves_nothing),
		LAB_TEST(a_fetch_that_begins_anew_does_not_hurt_its_readers),
		LAB_TEST(what_a_crash_left_is_tidied_at_the_start),
		LAB_TEST(an_upload_goes_on_once_there_is_room),
		LAB_TEST(a_fetch_without_an_end_leaves_the_last_room),
		LAB_TEST(a_commit_on_a_full_disk_leaves_nothing),
		LAB_TEST(it_starts_and_serves_on_a_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
