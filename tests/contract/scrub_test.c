/*
 * The promises of store/store.h about verifying: what is found, and what
 * becomes of it.
 */
#include "scrub_lab.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* ------------------------------------------------------------------- blobs */

static void what_is_sound_is_only_counted(void **state)
{
	struct lab *lab = *state;

	push_image(lab);
	lab_fetch(lab, upstream("library/app"), "cached");
	struct store_verified verified = verify(lab);
	assert_int_equal(store_findings(&verified), 0);
	assert_int_equal(verified.blobs.number, 3);
	assert_int_equal(verified.blobs.bytes, 17);
	assert_int_equal(verified.manifests, 1);
}

static void a_damaged_blob_that_was_pushed_is_set_aside(void **state)
{
	struct lab *lab = *state;

	push_image(lab);
	lab_push(lab, local("other"), "layer");
	damage(lab, "layer");
	assert_found_one(lab, FOUND_BYTES);
	assert_string_equal(told.repository.s, "app");
	assert_int_equal(told.others, 1);
	assert_int_equal(pull_fails_as(lab, local("app"), "layer"),
			 ERR_BLOB_UNKNOWN);
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM link"), 3);
}

static void it_is_told_every_time_until_it_is_mended(void **state)
{
	struct lab *lab = *state;

	push_image(lab);
	damage(lab, "layer");
	verify(lab);
	assert_found_one(lab, FOUND_WAITING);
	assert_found_one(lab, FOUND_WAITING);
}

static void a_push_mends_it_for_all_who_have_it(void **state)
{
	struct lab *lab = *state;

	push_image(lab);
	lab_push(lab, local("other"), "layer");
	damage(lab, "layer");
	verify(lab);
	lab_push(lab, local("third"), "layer");
	assert_true(lab_has(lab, local("app"), "layer"));
	assert_true(lab_has(lab, local("other"), "layer"));
	assert_true(is_clean(lab));
}

static void a_fetch_mends_what_was_pushed_as_well(void **state)
{
	struct lab *lab = *state;

	push_image(lab);
	lab_fetch(lab, upstream("library/app"), "layer");
	damage(lab, "layer");
	assert_found_one(lab, FOUND_BYTES);
	assert_int_equal(pull_fails_as(lab, upstream("library/app"), "layer"),
			 ERR_NOT_HERE);
	lab_fetch(lab, upstream("library/app"), "layer");
	assert_true(lab_has(lab, local("app"), "layer"));
	assert_true(is_clean(lab));
}

static void a_manifest_cannot_name_it(void **state)
{
	struct lab *lab = *state;
	struct err e;

	push_image(lab);
	damage(lab, "layer");
	verify(lab);
	FAILS(lab_put_image(lab, local("app"), "v2", "config", "layer", &e), e,
	      ERR_MANIFEST_BLOB_UNKNOWN);
	lab_push(lab, local("app"), "layer");
	OK(lab_put_image(lab, local("app"), "v2", "config", "layer", &e), e);
}

static void nobody_may_mount_it(void **state)
{
	struct lab *lab = *state;
	struct repository app = local("app"), other = local("other");
	struct digest layer = digest_of("layer");
	struct err e;

	push_image(lab);
	damage(lab, "layer");
	verify(lab);
	FAILS(lab_mount(lab, app, other, "layer", &e), e, ERR_BLOB_UNKNOWN);
	FAILS(store_mount(lab->store, NULL, &other, &layer, &e), e,
	      ERR_BLOB_UNKNOWN);
}

static void a_damaged_blob_that_is_only_cached_is_dropped(void **state)
{
	struct lab *lab = *state;
	struct repository from = upstream("library/app");

	lab_fetch(lab, from, "layer");
	lab_image(lab, from, "v1", "layer", NULL);
	damage(lab, "layer");
	assert_found_one(lab, FOUND_BYTES);
	assert_false(told.pushed);
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM blob"), 0);
	assert_int_equal(pull_fails_as(lab, from, "layer"), ERR_NOT_HERE);
	assert_true(is_clean(lab));
	lab_fetch(lab, from, "layer");
	assert_true(lab_has(lab, from, "layer"));
}

static void a_short_file_is_damage(void **state)
{
	struct lab *lab = *state;

	push_image(lab);
	shorten(lab, "layer");
	assert_found_one(lab, FOUND_SIZE);
	assert_found_one(lab, FOUND_WAITING);
}

static void a_missing_file_may_come_back(void **state)
{
	struct lab *lab = *state;
	struct err e;

	push_image(lab);
	lose(lab, "layer");
	assert_found_one(lab, FOUND_MISSING);
	assert_found_one(lab, FOUND_MISSING);
	FAILS(lab_put_image(lab, local("app"), "v2", "config", "layer", &e), e,
	      ERR_MANIFEST_BLOB_UNKNOWN);
	restore(lab, "layer");
	assert_true(lab_has(lab, local("app"), "layer"));
	struct store_verified verified = verify(lab);
	assert_int_equal(verified.found[FOUND_SOUND], 1);
	assert_int_equal(store_findings(&verified), 0);
	OK(lab_put_image(lab, local("app"), "v2", "config", "layer", &e), e);
}

static void a_push_notices_that_it_came_back(void **state)
{
	struct lab *lab = *state;
	struct err e;

	push_image(lab);
	lose(lab, "layer");
	verify(lab);
	restore(lab, "layer");
	lab_push(lab, local("app"), "layer");
	OK(lab_put_image(lab, local("app"), "v2", "config", "layer", &e), e);
	assert_true(is_clean(lab));
}

/* --------------------------------------------------------------- manifests */

static void a_damaged_manifest_that_was_pushed_waits_for_a_push(void **state)
{
	struct lab *lab = *state;

	push_image(lab);
	damage_manifests(lab);
	assert_found_one(lab, FOUND_MANIFEST);
	assert_false(lab_has_manifest(lab, local("app"), by_tag("v1")));
	assert_found_one(lab, FOUND_MANIFEST);
	lab_image(lab, local("app"), NULL, "config", "layer");
	assert_true(lab_has_manifest(lab, local("app"), by_tag("v1")));
	assert_true(is_clean(lab));
}

static void a_damaged_manifest_that_is_only_cached_is_dropped(void **state)
{
	struct lab *lab = *state;
	struct repository from = upstream("library/app");

	lab_image(lab, from, "v1", "config", "layer");
	damage_manifests(lab);
	assert_found_one(lab, FOUND_MANIFEST);
	assert_false(lab_has_manifest(lab, from, by_tag("v1")));
	assert_true(is_clean(lab));
}

static void what_a_local_image_names_has_to_be_there(void **state)
{
	struct lab *lab = *state;
	struct digest layer = digest_of("layer");

	push_image(lab);
	lab_image(lab, upstream("library/app"), "v1", "far", "away");
	assert_true(is_clean(lab));
	lab_number(lab, "DELETE FROM link WHERE digest IN"
			" (SELECT digest FROM blob WHERE size = 5)"
			" RETURNING 1");
	assert_found_one(lab, FOUND_LACKING);
	assert_true(digest_eq(&told.digest, &layer));
	assert_string_equal(told.repository.s, "app");
}

/* ------------------------------------------------------------------- files */

static void file_make(struct lab *lab, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", lab->path, name);
	auto_fd int fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
}

static void what_lies_around_is_told(void **state)
{
	struct lab *lab = *state;

	push_image(lab);
	struct incoming *incoming = upload_begin(lab, local("app"));
	assert_true(is_clean(lab));
	incoming_drop(&incoming);
	file_make(lab, "incoming/4711");
	assert_found_one(lab, FOUND_FILE);
	assert_string_equal(told.path, "incoming/4711");
	sweep(lab);
	assert_true(is_clean(lab));
	file_make(lab, "incoming/note");
	assert_found_one(lab, FOUND_FILE);
	assert_string_equal(told.path, "incoming/note");
	sweep(lab);
	assert_found_one(lab, FOUND_FILE);
}

static void a_file_without_a_row_is_told_and_swept(void **state)
{
	struct lab *lab = *state;

	push_image(lab);
	lab_number(lab, "DELETE FROM named RETURNING 1");
	lab_number(lab, "DELETE FROM link RETURNING 1");
	lab_number(lab, "DELETE FROM blob WHERE size = 5 RETURNING 1");
	assert_found_one(lab, FOUND_FILE);
	sweep(lab);
	assert_true(is_clean(lab));
}

static void what_is_set_aside_is_kept(void **state)
{
	struct lab *lab = *state;

	push_image(lab);
	damage(lab, "layer");
	verify(lab);
	assert_int_equal(lab_files(lab, "quarantine"), 1);
	lab_push(lab, local("app"), "layer");
	sweep(lab);
	assert_true(is_clean(lab));
	assert_int_equal(lab_files(lab, "quarantine"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ALL(what_is_sound_is_only_counted),
		WITH_PARTIES(what_is_sound_is_only_counted),
		WITH_ALL(a_damaged_blob_that_was_pushed_is_set_aside),
		WITH_PARTIES(a_damaged_blob_that_was_pushed_is_set_aside),
		WITH_ALL(it_is_told_every_time_until_it_is_mended),
		WITH_PARTIES(it_is_told_every_time_until_it_is_mended),
		WITH_ALL(a_push_mends_it_for_all_who_have_it),
		WITH_PARTIES(a_push_mends_it_for_all_who_have_it),
		WITH_ALL(a_fetch_mends_what_was_pushed_as_well),
		WITH_PARTIES(a_fetch_mends_what_was_pushed_as_well),
		WITH_ALL(a_manifest_cannot_name_it),
		WITH_PARTIES(a_manifest_cannot_name_it),
		WITH_ALL(nobody_may_mount_it),
		WITH_PARTIES(nobody_may_mount_it),
		WITH_ALL(a_damaged_blob_that_is_only_cached_is_dropped),
		WITH_PARTIES(a_damaged_blob_that_is_only_cached_is_dropped),
		WITH_ALL(a_short_file_is_damage),
		WITH_PARTIES(a_short_file_is_damage),
		WITH_ALL(a_missing_file_may_come_back),
		WITH_PARTIES(a_missing_file_may_come_back),
		WITH_ALL(a_push_notices_that_it_came_back),
		WITH_PARTIES(a_push_notices_that_it_came_back),
		WITH_ALL(a_damaged_manifest_that_was_pushed_waits_for_a_push),
		WITH_PARTIES(
			a_damaged_manifest_that_was_pushed_waits_for_a_push),
		WITH_ALL(a_damaged_manifest_that_is_only_cached_is_dropped),
		WITH_PARTIES(a_damaged_manifest_that_is_only_cached_is_dropped),
		WITH_ALL(what_a_local_image_names_has_to_be_there),
		WITH_PARTIES(what_a_local_image_names_has_to_be_there),
		WITH(files, what_lies_around_is_told),
		WITH_PARTIES(what_lies_around_is_told),
		WITH(files, a_file_without_a_row_is_told_and_swept),
		WITH_PARTIES(a_file_without_a_row_is_told_and_swept),
		WITH(files, what_is_set_aside_is_kept),
		WITH_PARTIES(what_is_set_aside_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
