/*
 * A backup holds what was pushed, whatever happens while it is made, and what
 * is restored from it is the same.
 */
#include "scrub_lab.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

/* ------------------------------------------------------ words of this file */

/* In the test's directory, beside its data directory. */
struct place {
	char s[96];
};

static struct place place_of(struct lab *lab, const char *what)
{
	struct place place;

	snprintf(place.s, sizeof(place.s), "%s/%s", lab->path, what);
	return place;
}

static struct lab *data_at(struct lab *lab, const char *where)
{
	struct lab *data = mem_alloc(sizeof(*data));
	size_t len = strlen(lab->path);

	memcpy(data->path, lab->path, len);
	snprintf(data->path + len, sizeof(data->path) - len, "/%s", where);
	data->arena = lab->arena;
	return data;
}

static struct lab *data_of(struct lab *lab)
{
	struct lab *data = data_at(lab, "data");

	assert_int_equal(mkdir(data->path, 0700), 0);
	return data;
}

static void data_end(struct lab **data)
{
	lab_close(*data);
	free(*data);
}

#define auto_data auto_with(data_end)

/* So many times, or always. */
static bool go_on(int64_t bytes, int64_t all, void *arg)
{
	int *left = arg;

	(void)bytes, (void)all;
	return !left || (*left)-- > 0;
}

static int backup_try(struct lab *data, struct lab *lab, int *left,
		      struct store_copied *out, struct err *e)
{
	struct store_copying copying = { go_on, left };

	return store_backup(data->store, place_of(lab, "backup").s, &copying,
			    out, e);
}

static struct store_copied backup(struct lab *data, struct lab *lab)
{
	struct store_copied copied;
	struct err e;

	OK(backup_try(data, lab, NULL, &copied, &e), e);
	return copied;
}

static int restore_try(struct lab *lab, const char *where, bool over,
		       struct store_copied *out, struct err *e)
{
	struct place from = place_of(lab, "backup");
	struct place to = place_of(lab, where);
	struct store_restore restore = {
		.backup = from.s,
		.data = to.s,
		.over = over,
		.copying = { go_on, NULL },
	};

	return store_restore(&restore, out, e);
}

/* A new data directory out of the backup, open. */
static struct lab *restored(struct lab *lab)
{
	static unsigned number;
	struct store_copied copied;
	char where[16];
	struct err e;

	snprintf(where, sizeof(where), "restored%u", number++);
	OK(restore_try(lab, where, false, &copied, &e), e);
	struct lab *data = data_at(lab, where);
	lab_open(data);
	return data;
}

static uint64_t added(struct store_copied copied)
{
	uint64_t sum = 0;

	for (int i = 0; i < BLOB_WAYS; i++)
		sum += copied.added[i].number;
	return sum;
}

static void image_push(struct lab *data, const char *tag, const char *config)
{
	lab_push(data, local("app"), config);
	lab_image(data, local("app"), tag, config, NULL);
}

/* An image that is gone again, but for its files. */
static void image_sweep(struct lab *data, const char *config)
{
	drop_image(data, local("app"), config, NULL);
	sweep_now(data);
}

/* -------------------------------------------------------------- what it has */

static void what_was_pushed_comes_back_and_what_is_cached_does_not(void **state)
{
	struct lab *lab = *state;
	auto_data struct lab *data = data_of(lab);
	struct repository remote = upstream("library/app");

	lab_open(data);
	image_push(data, "v1", "config");
	lab_fetch(data, remote, "cached");
	lab_fetch(data, remote, "config");
	lab_image(data, remote, "v1", "config", "cached");
	upload_leave(data);
	assert_int_equal(backup(data, lab).blobs.number, 1);

	auto_data struct lab *again = restored(lab);
	assert_true(lab_has(again, local("app"), "config"));
	assert_true(lab_has_manifest(again, local("app"), by_tag("v1")));
	assert_false(lab_has_manifest(again, remote, by_tag("v1")));
	assert_int_equal(lab_number(again, "SELECT count(*) FROM blob"), 1);
	assert_int_equal(lab_number(again, "SELECT count(*) FROM session"), 0);
	assert_int_equal(lab_number(again, "SELECT count(*) FROM repository"),
			 1);
	assert_int_equal(lab_number(again, "SELECT cached_bytes FROM state"),
			 0);
	lab_push(again, local("app"), "next");
	assert_true(lab_has(again, local("app"), "next"));
}

static void done_again_it_adds_what_is_new_and_removes_what_went(void **state)
{
	struct lab *lab = *state;
	auto_data struct lab *data = data_of(lab);

	lab_open(data);
	image_push(data, "v1", "one");
	image_push(data, "v2", "two");
	assert_int_equal(added(backup(data, lab)), 2);
	assert_int_equal(added(backup(data, lab)), 0);
	image_push(data, "v3", "three");
	image_sweep(data, "one");
	struct store_copied third = backup(data, lab);
	assert_int_equal(third.blobs.number, 2);
	assert_int_equal(added(third), 1);
	assert_int_equal(third.removed.number, 1);
	assert_int_equal(lab_files(lab, "backup/blobs"), 2);
}

static void what_is_restored_does_not_change_with_the_backup(void **state)
{
	struct lab *lab = *state;
	auto_data struct lab *data = data_of(lab);

	lab_open(data);
	image_push(data, "v1", "one");
	backup(data, lab);
	auto_data struct lab *again = restored(lab);
	image_sweep(data, "one");
	assert_int_equal(backup(data, lab).removed.number, 1);
	assert_true(lab_has(again, local("app"), "one"));
}

/* --------------------------------------------------- what happens meanwhile */

static void one_is_swept(void *arg)
{
	image_sweep(arg, "one");
}

static void what_is_swept_before_it_was_copied_is_not_named(void **state)
{
	struct lab *lab = *state;
	auto_data struct lab *data = data_of(lab);
	struct blob_fault fault = {
		.verb = BLOB_PEEK,
		.nth = 1,
		.kind = ERR_NONE,
		.meanwhile = one_is_swept,
		.arg = data,
	};

	lab_open_faulty(data);
	image_push(data, "v1", "one");
	image_push(data, "v2", "two");
	blob_fault_set(data->faults, &fault);
	assert_int_equal(backup(data, lab).blobs.number, 1);

	auto_data struct lab *again = restored(lab);
	assert_true(lab_has(again, local("app"), "two"));
	assert_false(lab_has_manifest(again, local("app"), by_tag("v1")));
}

static void what_has_no_file_is_counted_and_the_rest_is_there(void **state)
{
	struct lab *lab = *state;
	auto_data struct lab *data = data_of(lab);
	struct blob_fault fault = {
		.verb = BLOB_PEEK,
		.nth = 1,
		.kind = ERR_NOT_FOUND,
	};
	struct store_copied copied;
	struct err e;

	lab_open_faulty(data);
	image_push(data, "v1", "one");
	image_push(data, "v2", "two");
	blob_fault_set(data->faults, &fault);
	FAILS(backup_try(data, lab, NULL, &copied, &e), e, ERR_CORRUPT);
	assert_int_equal(copied.lost.number, 1);
	assert_int_equal(copied.blobs.number, 1);
	assert_int_equal(lab_files(lab, "backup/blobs"), 1);
	assert_int_equal(added(backup(data, lab)), 1);
}

static void condemn(struct lab *data, const char *bytes)
{
	struct meta_copy copy = { .digest = digest_of(bytes) };
	struct meta_losers losers;
	struct err e;

	OK(meta_blob_find(data->meta, &copy.digest, &copy.blob, &e), e);
	copy.blob.damage = DAMAGE_BYTES;
	OK(meta_copy_condemn(data->meta, &copy, &losers, &e), e);
}

/* The file in the backup, which may be the same as the one in `data`. */
static void damage_copy(struct lab *data, struct lab *lab, const char *bytes)
{
	struct lab there = { .meta = data->meta };
	struct err e;

	OK(blob_fs_open(place_of(lab, "backup").s, &there.faults, &e), e);
	damage(&there, bytes);
	blob_close(&there.faults);
}

static void what_is_known_to_be_damaged_is_counted_as_lost(void **state)
{
	struct lab *lab = *state;
	auto_data struct lab *data = data_of(lab);
	struct store_copied copied;
	struct err e;

	lab_open_faulty(data);
	image_push(data, "v1", "one");
	image_push(data, "v2", "two");
	damage(data, "one");
	condemn(data, "one");
	FAILS(backup_try(data, lab, NULL, &copied, &e), e, ERR_CORRUPT);
	assert_int_equal(copied.lost.number, 1);
	assert_int_equal(copied.blobs.number, 1);
	assert_int_equal(lab_files(lab, "backup/blobs"), 1);
}

static void of_what_is_damaged_only_a_sound_copy_stays(void **state)
{
	struct lab *lab = *state;
	auto_data struct lab *data = data_of(lab);
	struct store_copied copied;
	struct err e;

	lab_open_faulty(data);
	image_push(data, "v1", "one");
	image_push(data, "v2", "two");
	assert_int_equal(added(backup(data, lab)), 2);
	condemn(data, "one");
	copied = backup(data, lab);
	assert_int_equal(copied.blobs.number, 2);
	assert_int_equal(copied.lost.number, 0);

	damage_copy(data, lab, "one");
	FAILS(backup_try(data, lab, NULL, &copied, &e), e, ERR_CORRUPT);
	assert_int_equal(copied.lost.number, 1);
	assert_int_equal(lab_files(lab, "backup/blobs"), 1);
}

static void ended_anywhere_the_one_before_stays_whole(void **state)
{
	struct lab *lab = *state;
	auto_data struct lab *data = data_of(lab);
	struct store_copied copied;
	int steps = 0;
	int left = steps;
	struct err e;

	lab_open(data);
	image_push(data, "v1", "one");
	backup(data, lab);
	image_sweep(data, "one");
	image_push(data, "v2", "two");
	image_push(data, "v3", "three");
	while (backup_try(data, lab, &left, &copied, &e) < 0) {
		assert_string_equal(err_kind_text(e.kind), "closed");
		auto_data struct lab *before = restored(lab);
		assert_true(lab_has(before, local("app"), "one"));
		left = ++steps;
	}
	assert_int_equal(steps, 2); /* before each of the two */
	auto_data struct lab *again = restored(lab);
	assert_true(lab_has(again, local("app"), "two"));
	assert_true(lab_has(again, local("app"), "three"));
	assert_int_equal(lab_files(lab, "backup/blobs"), 2);
}

static void a_store_that_closes_does_not_wait_for_it(void **state)
{
	struct lab *lab = *state;
	auto_data struct lab *data = data_of(lab);
	struct store_copied copied;
	struct err e;

	lab_open(data);
	image_push(data, "v1", "one");
	store_stop_sweeps(data->store);
	FAILS(backup_try(data, lab, NULL, &copied, &e), e, ERR_CLOSED);
}

/* --------------------------------------------------------- a lost database */

static void over_files_what_is_newer_is_spared_for_a_while(void **state)
{
	struct lab *lab = *state;
	auto_data struct lab *data = data_of(lab);
	struct store_copied copied;
	struct err e;

	lab_open(data);
	image_push(data, "v1", "one");
	image_push(data, "v2", "two");
	backup(data, lab);
	image_push(data, "v3", "three");
	image_sweep(data, "one");
	lab_close(data);
	unlink(place_of(lab, "data/registry.db").s);
	FAILS(store_open(data->path, &data->store, &e), e, ERR_CORRUPT);
	assert_non_null(strstr(e.message, "restore --over"));

	OK(restore_try(lab, "data", true, &copied, &e), e);
	assert_int_equal(added(copied), 1);
	lab_open(data);
	assert_true(lab_has(data, local("app"), "one"));
	assert_true(lab_has(data, local("app"), "two"));
	sweep_now(data);
	age(data, 1);
	sweep_now(data);
	assert_int_equal(lab_files(data, "blobs"), 3);
	image_push(data, "v4", "four");
	age(data, 1);
	sweep(data);
	assert_int_equal(lab_files(data, "blobs"), 3);
	assert_true(lab_has(data, local("app"), "four"));
}

/* --------------------------------------------------------- what is refused */

static void a_place_that_is_none_is_refused(void **state)
{
	struct lab *lab = *state;
	auto_data struct lab *data = data_of(lab);
	struct place inside = place_of(lab, "data/blobs/x");
	struct store_copying copying = { go_on, NULL };
	struct store_copied copied;
	struct err e;

	lab_open(data);
	FAILS(store_backup(data->store, inside.s, &copying, &copied, &e), e,
	      ERR_USAGE);
	assert_non_null(strstr(e.message, "within the data directory"));
	assert_int_equal(access(inside.s, F_OK), -1);
	FAILS(store_backup(data->store, lab->path, &copying, &copied, &e), e,
	      ERR_USAGE);
	assert_non_null(strstr(e.message, "is no backup"));

	mkdir(place_of(lab, "backup").s, 0700);
	FAILS(restore_try(lab, "new", false, &copied, &e), e, ERR_USAGE);
	assert_non_null(strstr(e.message, "holds no backup"));
	backup(data, lab);
	FAILS(restore_try(lab, "data", false, &copied, &e), e, ERR_USAGE);
	assert_non_null(strstr(e.message, "not empty"));
	FAILS(restore_try(lab, "data", true, &copied, &e), e, ERR_LOCKED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB_TEST(
			what_was_pushed_comes_back_and_what_is_cached_does_not),
		LAB_TEST(done_again_it_adds_what_is_new_and_removes_what_went),
		LAB_TEST(what_is_restored_does_not_change_with_the_backup),
		LAB_TEST(what_is_swept_before_it_was_copied_is_not_named),
		LAB_TEST(what_has_no_file_is_counted_and_the_rest_is_there),
		LAB_TEST(what_is_known_to_be_damaged_is_counted_as_lost),
		LAB_TEST(of_what_is_damaged_only_a_sound_copy_stays),
		LAB_TEST(ended_anywhere_the_one_before_stays_whole),
		LAB_TEST(a_store_that_closes_does_not_wait_for_it),
		LAB_TEST(over_files_what_is_newer_is_spared_for_a_while),
		LAB_TEST(a_place_that_is_none_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
