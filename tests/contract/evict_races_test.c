/*
 * Eviction takes nothing that somebody is about to use, and loses nothing
 * that somebody is about to keep. A page of rows goes in one transaction, and
 * its files after it: so others come between two pages, between rows and
 * files, or, in an arrival, between its own file and row. Each of these is
 * walked through in one thread; then once more with the other side in another
 * process.
 */
#include "evict_lab.h"

#include <string.h>
#include <unistd.h>

/* ------------------------------------------------------ words of this file */

enum {
	IMAGES = 40,
	PAGE = META_EVICTED / 2 /* images: each is a blob and a manifest */
};

struct image_name {
	char repository[16];
	char config[16];
};

/* From the oldest on; of ten bytes each. */
static struct image_name image_number(int number)
{
	struct image_name name;

	snprintf(name.repository, sizeof(name.repository), "app%d", number);
	snprintf(name.config, sizeof(name.config), "config-%03d", number);
	return name;
}

static void cache_images(struct lab *lab, int count)
{
	for (int i = 0; i < count; i++) {
		struct image_name name = image_number(i);

		cache(lab, name.repository, "v1", name.config, NULL);
	}
	assert_int_equal(cached(lab), count * 10);
}

static bool has_image(struct lab *lab, int number)
{
	struct image_name name = image_number(number);

	return has_tag(lab, name.repository, "v1") && is_here(lab, name.config);
}

/* A byte is fetched, for which all above so many have to go. */
static void make_room(struct lab *lab, int64_t bytes)
{
	limit(lab, bytes);
	lab_fetch_as(lab, LAB_KEEPER, upstream("evictor"), "x");
}

/* Each file is of a row, and the other way round. */
static void assert_nothing_lies_around(struct lab *lab)
{
	assert_int_equal(lab_files(lab, "blobs"),
			 lab_number(lab, "SELECT count(*) FROM blob"));
	assert_int_equal(lab_files(lab, "incoming"), 0);
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM session"), 0);
}

/* ------------------------------------------------------- between two pages */

/* Of 40 images 36 are to go, 32 have gone, and now: */
static void between_pages(struct lab *lab, void (*meanwhile)(struct lab *))
{
	lab_open_faulty(lab);
	cache_images(lab, IMAGES);
	lab_at_blob(lab, LAB_AFTER, BLOB_DELETE, PAGE, meanwhile);
	make_room(lab, 41);
	lab_was_paused(lab);
}

static void pull_34(struct lab *lab)
{
	minute_passes(lab);
	lab_pull(lab, upstream("app34"), by_tag("v1"));
}

static void an_image_that_is_pulled_is_no_longer_the_oldest(void **state)
{
	struct lab *lab = *state;

	between_pages(lab, pull_34);
	assert_true(has_image(lab, 34));
	assert_false(has_image(lab, 36));
	assert_true(has_image(lab, 37));
	assert_int_equal(cached(lab), 41);
	assert_nothing_lies_around(lab);
}

static void mount_34(struct lab *lab)
{
	struct err e;

	OK(lab_mount(lab, upstream("app34"), local("app"), "config-034", &e),
	   e);
}

static void what_is_mounted_stays_and_its_image_goes(void **state)
{
	struct lab *lab = *state;

	between_pages(lab, mount_34);
	assert_true(lab_has(lab, local("app"), "config-034"));
	assert_false(has_tag(lab, "app34", "v1"));
	assert_in_range(cached(lab), 31, 41);
	assert_nothing_lies_around(lab);
}

static void name_34(struct lab *lab)
{
	mount_34(lab);
	lab_image(lab, local("app"), "v1", "config-034", NULL);
}

static void what_a_local_manifest_names_meanwhile_stays(void **state)
{
	struct lab *lab = *state;

	between_pages(lab, name_34);
	assert_true(lab_has_manifest(lab, local("app"), by_tag("v1")));
	assert_true(lab_has(lab, local("app"), "config-034"));
	assert_false(has_tag(lab, "app34", "v1"));
	assert_nothing_lies_around(lab);
}

static void fetch_gone_one(struct lab *lab)
{
	cache(lab, "app0", "v1", "config-000", NULL);
}

static void what_comes_again_meanwhile_is_the_youngest(void **state)
{
	struct lab *lab = *state;

	between_pages(lab, fetch_gone_one);
	assert_true(has_image(lab, 0));
	assert_true(lab_has(lab, upstream("app0"), "config-000"));
	assert_in_range(cached(lab), 31, 41);
	assert_nothing_lies_around(lab);
}

/*
 * The page ends within an image: 21 of three steps each went, and of the next
 * one the config.
 */
static void amid_an_image(struct lab *lab, void (*meanwhile)(struct lab *))
{
	char layer[16];

	lab_open_faulty(lab);
	for (int i = 0; i < 25; i++) {
		struct image_name name = image_number(i);

		snprintf(layer, sizeof(layer), "layer--%03d", i);
		cache(lab, name.repository, "v1", name.config, layer);
	}
	lab_at_blob(lab, LAB_AFTER, BLOB_DELETE, 43, meanwhile);
	make_room(lab, 25 * 20 - 21 * 20 - 10 + 1);
	lab_was_paused(lab);
}

static void nothing(struct lab *lab)
{
	assert_true(has_tag(lab, "app21", "v1"));
	assert_int_equal(
		is_here(lab, "config-021") + is_here(lab, "layer--021"), 1);
}

static void an_image_of_which_a_part_went_goes_whole(void **state)
{
	struct lab *lab = *state;

	amid_an_image(lab, nothing);
	assert_false(has_tag(lab, "app21", "v1"));
	assert_false(is_here(lab, "layer--021"));
	assert_true(has_tag(lab, "app22", "v1"));
	assert_int_equal(cached(lab), 3 * 20 + 1);
	assert_nothing_lies_around(lab);
}

/* The manifest is answered, and then a part of it is not there any more. */
static void pull_21(struct lab *lab)
{
	nothing(lab);
	minute_passes(lab);
	lab_pull(lab, upstream("app21"), by_tag("v1"));
}

static void an_image_that_is_pulled_amid_its_going_can_be_fetched(void **state)
{
	struct lab *lab = *state;

	amid_an_image(lab, pull_21);
	limit(lab, 0);
	cache(lab, "app21", "v1", "config-021", "layer--021");
	assert_true(has_tag(lab, "app21", "v1"));
	assert_true(lab_has(lab, upstream("app21"), "config-021"));
	assert_true(lab_has(lab, upstream("app21"), "layer--021"));
	assert_true(has_tag(lab, "app23", "v1"));
	assert_nothing_lies_around(lab);
}

/* --------------------------------------------------- between row and file */

/* The row of the only blob is gone, its file is about to go. */
static void before_the_file_goes(struct lab *lab,
				 void (*meanwhile)(struct lab *))
{
	lab_open_faulty(lab);
	cache(lab, "one", "v1", "config-one", NULL);
	lab_at_blob(lab, LAB_BEFORE, BLOB_DELETE, 1, meanwhile);
	make_room(lab, 5);
	lab_was_paused(lab);
	assert_nothing_lies_around(lab);
}

static void mount_fails(struct lab *lab)
{
	struct err e;

	FAILS(lab_mount(lab, upstream("one"), local("app"), "config-one", &e),
	      e, ERR_BLOB_UNKNOWN);
	lab_push(lab, local("app"), "config-one");
}

static void what_has_just_gone_is_not_mounted_but_pushed(void **state)
{
	struct lab *lab = *state;

	before_the_file_goes(lab, mount_fails);
	assert_true(lab_has(lab, local("app"), "config-one"));
	assert_int_equal(cached(lab), 1);
}

static void fetch_again(struct lab *lab)
{
	assert_false(lab_has(lab, upstream("one"), "config-one"));
	minute_passes(lab);
	cache(lab, "one", "v1", "config-one", NULL);
}

static void what_is_fetched_before_the_file_went_has_its_own(void **state)
{
	struct lab *lab = *state;

	lab_open_faulty(lab);
	cache(lab, "one", "v1", "config-one", NULL);
	cache(lab, "two", "v1", "config-two", NULL);
	lab_at_blob(lab, LAB_BEFORE, BLOB_DELETE, 1, fetch_again);
	make_room(lab, 20);
	lab_was_paused(lab);
	assert_true(lab_has(lab, upstream("one"), "config-one"));
	assert_false(is_here(lab, "config-two"));
	assert_nothing_lies_around(lab);
}

/* ------------------------------------------------------------------ readers */

static void evict_all(struct lab *lab)
{
	make_room(lab, 1);
}

static void evict_and_fetch(struct lab *lab)
{
	evict_all(lab);
	limit(lab, 0);
	lab_fetch(lab, upstream("one"), "config-one");
}

/* Whether its manifest still names it or not, upstream is asked. */
static void a_reader_who_came_too_late_has_it_fetched(void **state)
{
	struct lab *lab = *state;
	struct repository one = upstream("one");
	struct digest digest = digest_of("config-one");
	struct blob_place place;
	struct err e;

	lab_open_faulty(lab);
	cache(lab, "one", "v1", "config-one", NULL);
	lab_at_blob(lab, LAB_BEFORE, BLOB_PEEK, 1, evict_all);
	int failed = store_pull_blob(lab->store, &one, &digest, &place, &e);
	lab_was_paused(lab);
	assert_int_equal(failed, -1);
	assert_true(e.kind == ERR_NOT_HERE || e.kind == ERR_BLOB_UNKNOWN);
	limit(lab, 0);
	lab_fetch(lab, one, "config-one");
	assert_true(lab_has(lab, one, "config-one"));
}

/* The source was looked at, and now it is to be linked. */
static void what_goes_while_it_is_mounted_is_refused(void **state)
{
	struct lab *lab = *state;
	struct repository one = upstream("one"), app = local("app");
	struct digest digest = digest_of("config-one");
	struct err e;

	lab_open_faulty(lab);
	cache(lab, "one", "v1", "config-one", NULL);
	lab_at_blob(lab, LAB_BEFORE, BLOB_PEEK, 1, evict_all);
	int failed = store_mount(lab->store, &one, &app, &digest, &e);
	lab_was_paused(lab);
	FAILS(failed, e, ERR_BLOB_UNKNOWN);
	assert_nothing_lies_around(lab);
}

static void a_reader_finds_what_came_in_the_place_of_the_old(void **state)
{
	struct lab *lab = *state;

	lab_open_faulty(lab);
	cache(lab, "one", "v1", "config-one", NULL);
	lab_at_blob(lab, LAB_BEFORE, BLOB_PEEK, 1, evict_and_fetch);
	assert_true(lab_has(lab, upstream("one"), "config-one"));
	lab_was_paused(lab);
}

static void a_reader_who_was_there_first_reads_to_the_end(void **state)
{
	struct lab *lab = *state;
	struct repository one = upstream("one");
	struct digest digest = digest_of("config-one");
	struct blob_place place;
	char bytes[10];
	struct err e;

	lab_open(lab);
	cache(lab, "one", "v1", "config-one", NULL);
	OK(store_peek_blob(lab->store, &one, &digest, &place, &e), e);
	assert_int_equal(pread(place.fd, bytes, 5, 0), 5);
	evict_all(lab);
	assert_int_equal(lab_files(lab, "blobs"), 1); /* "x" */
	assert_int_equal(pread(place.fd, bytes + 5, 5, 5), 5);
	assert_memory_equal(bytes, "config-one", 10);
	close(place.fd);
}

/* ----------------------------------------------------------------- arrivals */

/* Before the file has its name, and between name and row. */
static void what_is_pushed_while_its_copy_goes_stays(void **state)
{
	struct lab *lab = *state;

	lab_open_faulty(lab);
	for (int side = LAB_BEFORE; side <= LAB_AFTER; side++) {
		struct err e;

		limit(lab, 0);
		cache(lab, "one", "v1", "config-one", NULL);
		lab_at_blob(lab, side, BLOB_COMMIT, 1, evict_all);
		lab_push_as(lab, LAB_NOBODY, local("app"), "config-one");
		lab_was_paused(lab);
		assert_true(lab_has(lab, local("app"), "config-one"));
		assert_nothing_lies_around(lab);
		OK(lab_unlink(lab, local("app"), "config-one", &e), e);
	}
}

/* The row of the cached one is kept, and now its file is looked at. */
static void what_a_push_has_found_is_cached_no_longer(void **state)
{
	struct lab *lab = *state;

	lab_open_faulty(lab);
	cache(lab, "one", "v1", "config-one", NULL);
	lab_at_blob(lab, LAB_BEFORE, BLOB_PEEK, 1, evict_all);
	lab_push_as(lab, LAB_NOBODY, local("app"), "config-one");
	lab_was_paused(lab);
	assert_true(lab_has(lab, local("app"), "config-one"));
	assert_int_equal(cached(lab), 1);
	assert_nothing_lies_around(lab);
}

static void evict_one(struct lab *lab)
{
	make_room(lab, 11);
}

/* Somebody else fetched the same, and that is evicted while this one comes. */
static void what_is_fetched_while_its_copy_goes_is_there(void **state)
{
	static const struct {
		enum lab_side side;
		enum blob_verb verb;
	} rows[] = {
		{ LAB_BEFORE, BLOB_COMMIT },
		{ LAB_AFTER, BLOB_COMMIT },
		{ LAB_BEFORE, BLOB_PEEK },
	};
	struct lab *lab = *state;

	for (size_t i = 0; i < array_size(rows); i++) {
		lab_renew(state);
		lab = *state;
		lab_open_faulty(lab);
		cache(lab, "one", "v1", "config-one", NULL);
		lab_at_blob(lab, rows[i].side, rows[i].verb, 1, evict_one);
		lab_fetch_as(lab, LAB_NOBODY, upstream("two"), "config-one");
		lab_was_paused(lab);
		assert_true(lab_has(lab, upstream("two"), "config-one"));
		assert_nothing_lies_around(lab);
	}
}

/* ---------------------------------------------------------------- the limit */

static void lower_limit(struct lab *lab)
{
	limit(lab, 15);
}

/* It was promised its place; whoever comes next makes up for it. */
static void a_fetch_enters_though_the_limit_falls(void **state)
{
	struct lab *lab = *state;

	lab_open_faulty(lab);
	limit(lab, 30);
	cache(lab, "one", "v1", "config-one", NULL);
	minute_passes(lab);
	for (int side = LAB_BEFORE; side <= LAB_AFTER; side++) {
		limit(lab, 30);
		lab_at_blob(lab, side, BLOB_COMMIT, 1, lower_limit);
		lab_image(lab, upstream("two"), "v1", "config-two", NULL);
		lab_fetch_as(lab, LAB_NOBODY, upstream("two"), "config-two");
		lab_was_paused(lab);
		assert_true(lab_has(lab, upstream("two"), "config-two"));
		make_room(lab, 15);
		assert_true(cached(lab) <= 15);
		assert_nothing_lies_around(lab);
	}
}

static void make_more_room(struct lab *lab)
{
	lab_fetch(lab, upstream("other"), "y");
}

static void two_who_make_room_at_once_take_no_more_than_needed(void **state)
{
	struct lab *lab = *state;

	between_pages(lab, make_more_room);
	assert_int_equal(cached(lab), 41);
	assert_false(has_image(lab, 35));
	assert_true(has_image(lab, 36));
	assert_nothing_lies_around(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ALSO_CLIENTS(an_image_that_is_pulled_is_no_longer_the_oldest),
		ALSO_CLIENTS(what_is_mounted_stays_and_its_image_goes),
		ALSO_CLIENTS(what_a_local_manifest_names_meanwhile_stays),
		ALSO_CLIENTS(an_image_of_which_a_part_went_goes_whole),
		ALSO_CLIENTS(
			an_image_that_is_pulled_amid_its_going_can_be_fetched),
		ALSO_CLIENTS(what_has_just_gone_is_not_mounted_but_pushed),
		/* Of one process, a fetch would wait for whoever evicts. */
		CLIENTS_TEST(what_comes_again_meanwhile_is_the_youngest),
		CLIENTS_TEST(what_is_fetched_before_the_file_went_has_its_own),
		CLIENTS_TEST(
			two_who_make_room_at_once_take_no_more_than_needed),
		EACH_PARTY(a_reader_who_came_too_late_has_it_fetched),
		ALSO_KEEPER(what_goes_while_it_is_mounted_is_refused),
		EACH_PARTY(a_reader_finds_what_came_in_the_place_of_the_old),
		EACH_PARTY(a_reader_who_was_there_first_reads_to_the_end),
		ALSO_KEEPER(what_is_pushed_while_its_copy_goes_stays),
		ALSO_KEEPER(what_a_push_has_found_is_cached_no_longer),
		ALSO_KEEPER(what_is_fetched_while_its_copy_goes_is_there),
		ALSO_KEEPER(a_fetch_enters_though_the_limit_falls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
