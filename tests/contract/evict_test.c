/*
 * The promises of store/store.h about what is cached: what goes, and what
 * never does.
 */
#include "evict_lab.h"

#include <string.h>
#include <unistd.h>

#include "base/thread.h"

/* ------------------------------------------------------ words of this file */

struct index {
	struct repository at;
	struct text tag; /* also its bytes */
	struct digest child;
};

static int index_put(struct lab *lab, void *arg, struct err *e)
{
	struct index *it = arg;
	struct descriptor named = {
		.role = DESCRIPTOR_MANIFEST,
		.digest = it->child,
	};
	struct manifest manifest = {
		.kind = MANIFEST_INDEX,
		.media_type = "application/vnd.oci.image.index.v1+json",
		.bytes = span_of(it->tag.s),
		.digest = digest_of(it->tag.s),
		.descriptors = &named,
		.count = 1,
	};
	struct reference reference = by_tag(it->tag.s);
	struct meta_put put = {
		.repository = &it->at,
		.manifest = &manifest,
		.reference = &reference,
	};

	return store_put_manifest(lab->store, &put, e);
}

static void put_index(struct lab *lab, const char *name, const char *tag,
		      struct digest child)
{
	struct index it = { upstream(name), text_of(tag), child };
	struct err e;

	OK(lab_do(lab, LAB_CLIENT, index_put, &it, sizeof(it), &e), e);
}

/* ------------------------------------------------------------ what goes first
 */

static void the_image_that_was_longest_not_used_goes_first(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	limit(lab, 30);
	cache(lab, "one", "v1", "config-one", "layer");
	minute_passes(lab);
	cache(lab, "two", "v1", "config-two", "LAYER");
	assert_int_equal(cached(lab), 30);
	pull(lab, "one", "v1");
	cache(lab, "three", "v1", "config-333", NULL);

	assert_true(has_tag(lab, "one", "v1"));
	assert_true(lab_has(lab, upstream("one"), "layer"));
	assert_false(is_here(lab, "config-two"));
	assert_true(lab_has(lab, upstream("three"), "config-333"));
	assert_in_range(cached(lab), 25, 30);
}

static void an_image_goes_with_its_tags_and_all_that_only_it_needs(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	limit(lab, 30);
	cache(lab, "one", "v1", "config-one", "layer");
	lab_image(lab, upstream("one"), "v2", "config-one", "layer");
	minute_passes(lab);
	cache(lab, "two", "v1", "config-of-two,-thirty-bytes...", NULL);
	assert_int_equal(cached(lab), 30);
	assert_false(has_tag(lab, "one", "v1"));
	assert_false(has_tag(lab, "one", "v2"));
	assert_int_equal(lab_files(lab, "blobs"), 1);
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM manifest"), 1);
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM tag"), 1);
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM link"), 1);
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM named"), 1);
}

static void a_blob_that_a_younger_image_shares_stays(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	limit(lab, 20);
	cache(lab, "one", "v1", "one", "shared");
	minute_passes(lab);
	cache(lab, "two", "v1", "two", "shared");
	minute_passes(lab);
	cache(lab, "three", "v1", "three-three", NULL);
	assert_false(is_here(lab, "one"));
	assert_true(lab_has(lab, upstream("two"), "shared"));
	assert_int_equal(cached(lab), 20);
}

static void an_index_keeps_what_it_names(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	limit(lab, 20);
	cache(lab, "one", NULL, "config-one", NULL);
	put_index(lab, "one", "all", image_of("config-one", NULL));
	minute_passes(lab);
	cache(lab, "two", "v1", "config-two", NULL);
	pull(lab, "one", "all");
	cache(lab, "three", "v1", "config-333", NULL);
	assert_true(lab_has(lab, upstream("one"), "config-one"));
	assert_false(is_here(lab, "config-two"));
}

static void an_index_goes_with_what_it_names(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	limit(lab, 20);
	put_index(lab, "one", "all", image_of("config-one", NULL));
	cache(lab, "one", NULL, "config-one", NULL);
	pull(lab, "one", "all");
	minute_passes(lab);
	cache(lab, "two", "v1", "config-two", NULL);
	minute_passes(lab);
	cache(lab, "three", "v1", "config-333", NULL);
	assert_false(is_here(lab, "config-one"));
	assert_false(has_tag(lab, "one", "all"));
	assert_true(is_here(lab, "config-two"));
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM manifest"), 2);
}

static void what_no_image_needs_goes_before_all(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	limit(lab, 20);
	cache(lab, "one", "v1", "config-one", NULL);
	minute_passes(lab);
	lab_fetch(lab, upstream("two"), "loose-blob");
	cache(lab, "three", "v1", "config-333", NULL);
	assert_true(is_here(lab, "config-one"));
	assert_false(is_here(lab, "loose-blob"));
}

static void what_came_before_its_manifest_is_not_loose(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	limit(lab, 20);
	cache(lab, "one", "v1", "config-one", NULL);
	minute_passes(lab);
	lab_fetch(lab, upstream("two"), "config-two");
	lab_image(lab, upstream("two"), "v1", "config-two", NULL);
	minute_passes(lab);
	cache(lab, "three", "v1", "config-333", NULL);
	assert_false(is_here(lab, "config-one"));
	assert_true(is_here(lab, "config-two"));
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM loose"), 0);
}

static void ages_survive_a_restart(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	cache(lab, "one", "v1", "config-one", NULL);
	minute_passes(lab);
	cache(lab, "two", "v1", "config-two", NULL);
	pull(lab, "one", "v1");
	store_collect(lab->store, 1000000);
	lab_reopen(lab);
	limit(lab, 20);
	assert_int_equal(cached(lab), 20);
	cache(lab, "three", "v1", "config-333", NULL);
	assert_true(is_here(lab, "config-one"));
	assert_false(is_here(lab, "config-two"));
}

/* ------------------------------------------------------------ what never goes
 */

static void what_was_pushed_neither_counts_nor_goes(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	limit(lab, 10);
	lab_push(lab, local("app"), "pushed-layer");
	lab_image(lab, local("app"), "v1", "pushed-layer", NULL);
	cache(lab, "one", "v1", "pushed-layer", NULL);
	assert_int_equal(cached(lab), 0);
	minute_passes(lab);
	cache(lab, "two", "v1", "config-two", NULL);
	minute_passes(lab);
	cache(lab, "three", "v1", "config-333", NULL);
	assert_int_equal(cached(lab), 10);
	assert_true(lab_has(lab, local("app"), "pushed-layer"));
	assert_true(lab_has_manifest(lab, local("app"), by_tag("v1")));
}

static void a_push_of_what_is_cached_keeps_it(void **state)
{
	struct lab *lab = *state;
	struct repository to = local("app");
	struct err e;

	lab_open(lab);
	limit(lab, 10);
	cache(lab, "one", "v1", "config-one", NULL);
	assert_int_equal(cached(lab), 10);
	OK(lab_mount(lab, upstream("one"), to, "config-one", &e), e);
	assert_int_equal(cached(lab), 0);
	lab_push(lab, local("other"), "config-one");
	assert_int_equal(cached(lab), 0);
	cache(lab, "two", "v1", "config-two", NULL);
	minute_passes(lab);
	cache(lab, "three", "v1", "config-333", NULL);
	assert_true(lab_has(lab, to, "config-one"));

	OK(lab_unlink(lab, to, "config-one", &e), e);
	assert_int_equal(cached(lab), 10);
	OK(lab_unlink(lab, local("other"), "config-one", &e), e);
	assert_int_equal(cached(lab), 20);
}

static void what_was_evicted_can_come_again(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	limit(lab, 10);
	for (int i = 0; i < 3; i++) {
		cache(lab, "one", "v1", "config-one", NULL);
		assert_true(lab_has(lab, upstream("one"), "config-one"));
		minute_passes(lab);
		cache(lab, "two", "v1", "config-two", NULL);
		minute_passes(lab);
		assert_int_equal(cached(lab), 10);
		assert_int_equal(lab_files(lab, "blobs"), 1);
	}
}

/* -------------------------------------------------------------- the limit */

static void room_is_made_before_a_fetch_begins(void **state)
{
	struct lab *lab = *state;
	struct repository two = upstream("two");
	struct digest digest = digest_of("config-two");
	struct incoming *incoming;
	struct err e;

	lab_open(lab);
	limit(lab, 15);
	cache(lab, "one", "v1", "config-one", NULL);
	OK(incoming_open_fetch(lab->store, &two, &digest, 10, &incoming, &e),
	   e);
	assert_int_equal(cached(lab), 0);
	incoming_drop(&incoming);
	cache(lab, "one", "v1", "config-one", NULL);
	assert_int_equal(cached(lab), 10);
}

static void what_is_larger_than_the_limit_is_read_and_not_kept(void **state)
{
	struct lab *lab = *state;
	struct repository two = upstream("two");
	struct digest digest = digest_of("larger than the limit");
	struct incoming *incoming;
	char bytes[21];
	struct err e;

	lab_open(lab);
	limit(lab, 15);
	cache(lab, "one", "v1", "config-one", NULL);
	OK(incoming_open_fetch(lab->store, &two, &digest, 21, &incoming, &e),
	   e);
	auto_of(growing) struct growing *growing =
		growing_keep(incoming_growing(incoming));
	OK(incoming_write(incoming, SPAN("larger than the limit"), &e), e);
	OK(incoming_commit(&incoming, &digest, &e), e);
	assert_int_equal(growing_state(growing), GROWING_WHOLE);
	assert_int_equal(pread(growing_fd(growing), bytes, 21, 0), 21);
	assert_memory_equal(bytes, "larger than the limit", 21);

	assert_true(is_here(lab, "config-one"));
	assert_int_equal(lab_files(lab, "blobs"), 1);
	assert_int_equal(lab_files(lab, "incoming"), 0);
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM session"), 0);
}

static void a_lower_limit_is_kept_as_soon_as_something_comes(void **state)
{
	struct lab *lab = *state;
	char config[16], name[16];

	lab_open(lab);
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "app%d", i);
		snprintf(config, sizeof(config), "config-%03d", i);
		cache(lab, name, "v1", config, NULL);
	}
	assert_int_equal(cached(lab), 2000);
	limit(lab, 55);
	lab_fetch(lab, upstream("more"), "more");
	assert_in_range(cached(lab), 50, 55);
}

enum { THREADS = 8, EACH = 100 };

struct crowd {
	struct lab *lab;
	int number;
	bool failed;
};

static void fetch_many(void *arg)
{
	struct crowd *crowd = arg;
	struct repository at = upstream("crowd");
	char bytes[16];
	struct err e;

	for (int i = 0; i < EACH; i++) {
		struct incoming *incoming;
		int64_t seen = 0;

		snprintf(bytes, sizeof(bytes), "blob-%02d-%02d", crowd->number,
			 i);
		struct digest digest = digest_of(bytes);
		if (incoming_open_fetch(crowd->lab->store, &at, &digest, 10,
					&incoming, &e) < 0 ||
		    incoming_write(incoming, span_of(bytes), &e) < 0 ||
		    incoming_commit(&incoming, &digest, &e) < 0 ||
		    meta_cached_peek(crowd->lab->meta, &seen, &e) < 0 ||
		    seen > 20)
			crowd->failed = true;
	}
}

static void many_fetches_never_have_more_than_the_limit_cached(void **state)
{
	struct lab *lab = *state;
	struct thread threads[THREADS];
	struct crowd crowds[THREADS];

	lab_open(lab);
	limit(lab, 20);
	for (int i = 0; i < THREADS; i++) {
		crowds[i] = (struct crowd){ .lab = lab, .number = i };
		thread_start(&threads[i], "fetch", fetch_many, &crowds[i]);
	}
	for (int i = 0; i < THREADS; i++)
		thread_join(&threads[i]);
	for (int i = 0; i < THREADS; i++)
		assert_false(crowds[i].failed);
	assert_in_range(cached(lab), 10, 20);
	assert_int_equal(lab_files(lab, "blobs"),
			 lab_number(lab, "SELECT count(*) FROM blob"));
}

/* ------------------------------------------------------------ a full disk */

static void a_push_on_a_full_disk_has_the_room_of_what_is_cached(void **state)
{
	struct lab *lab = *state;
	struct blob_fault full = {
		.verb = BLOB_COMMIT,
		.nth = 1,
		.kind = ERR_NO_SPACE,
	};
	struct err e;

	lab_open_faulty(lab);
	cache(lab, "one", "v1", "config-one", "layer");
	blob_fault_set(lab->faults, &full);
	lab_push(lab, local("app"), "pushed");
	assert_true(lab_has(lab, local("app"), "pushed"));
	assert_int_equal(cached(lab), 0);

	blob_fault_set(lab->faults, &full);
	FAILS(lab_upload(lab, local("app"), "more", "more", &e), e,
	      ERR_NO_SPACE);
}

static void a_fetch_that_would_take_the_last_room_is_refused(void **state)
{
	struct lab *lab = *state;
	struct store_cache cache_all = { .keep_free = INT64_MAX };
	struct repository two = upstream("two");
	struct digest digest = digest_of("x");
	struct incoming *incoming;
	struct err e;

	lab_open(lab);
	store_cache(lab->store, &cache_all);
	/* A tenth of the disk is free here, so that is asked for in full. */
	int failed = incoming_open_fetch(lab->store, &two, &digest,
					 INT64_C(1) << 60, &incoming, &e);
	FAILS(failed, e, ERR_NO_SPACE);
	assert_int_equal(lab_files(lab, "incoming"), 0);
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM session"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH_PARTY(the_image_that_was_longest_not_used_goes_first),
		ALSO_CLIENTS(
			an_image_goes_with_its_tags_and_all_that_only_it_needs),
		ALSO_CLIENTS(a_blob_that_a_younger_image_shares_stays),
		ALSO_CLIENTS(an_index_keeps_what_it_names),
		ALSO_CLIENTS(an_index_goes_with_what_it_names),
		ALSO_CLIENTS(what_no_image_needs_goes_before_all),
		ALSO_CLIENTS(what_came_before_its_manifest_is_not_loose),
		EACH_PARTY(ages_survive_a_restart),
		ALSO_CLIENTS(what_was_pushed_neither_counts_nor_goes),
		ALSO_CLIENTS(a_push_of_what_is_cached_keeps_it),
		ALSO_CLIENTS(what_was_evicted_can_come_again),
		LAB_TEST(room_is_made_before_a_fetch_begins),
		LAB_TEST(what_is_larger_than_the_limit_is_read_and_not_kept),
		ALSO_CLIENTS(a_lower_limit_is_kept_as_soon_as_something_comes),
		LAB_TEST(many_fetches_never_have_more_than_the_limit_cached),
		LAB_TEST(a_push_on_a_full_disk_has_the_room_of_what_is_cached),
		LAB_TEST(a_fetch_that_would_take_the_last_room_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
