/*
 * A sweep never takes what somebody is about to use. A race is walked through
 * in one thread: sweeps tell what they are about to remove, and a faulty store
 * says when it is about to touch a file; there, the other side does its part.
 * All of it three times: either side may be in another process, for nothing
 * may depend on there being only one.
 */
#include "sweep_lab.h"

#include <string.h>
#include <unistd.h>

#include "base/io.h"

static void sweep_meanwhile(struct lab *lab, int64_t released_ms,
			    void (*meanwhile)(struct lab *))
{
	struct teller teller = { .lab = lab, .meanwhile = meanwhile };

	sweep_with(lab, (struct store_sweep){ .released_ms = released_ms,
					      .tell = tell,
					      .arg = &teller });
	assert_null(teller.meanwhile);
}

static void what_was_promised_stays_until_a_manifest_names_it(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	lab_push(lab, local("app"), "layer");
	age(lab, 9);
	assert_true(lab_has(lab, local("app"), "layer")); /* 200 */
	for (int i = 0; i < 3; i++)
		assert_int_equal(sweep_now(lab).links.number, 0);
	age(lab, 1);
	assert_int_equal(sweep_now(lab).links.number, 0);
	lab_image(lab, local("app"), "v1", "layer", NULL);
	age(lab, 9);
	assert_int_equal(sweep_now(lab).links.number, 0);
}

/* HEAD, as of a push that would rather not send it. */
static void head_layer(struct lab *lab)
{
	struct repository app = local("app");
	struct digest digest = digest_of("layer");
	int64_t size;
	struct err e;

	if (store_peek_size(lab->store, &app, &digest, &size, &e) == 0)
		return;
	assert_int_equal(e.kind, ERR_NOT_HERE);
	assert_int_equal(size, strlen("layer"));
	OK(store_promise(lab->store, &app, &digest, &e), e);
}

static void put_and_drop(struct lab *lab, const char *tag)
{
	lab_image(lab, local("app"), tag, "layer", NULL);
	drop_image(lab, local("app"), "layer", NULL);
}

/* The only manifest that names it goes while the next is on its way. */
static void a_push_may_rely_on_what_is_just_being_deleted(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	lab_push(lab, local("app"), "layer");
	lab_image(lab, local("app"), "v1", "layer", NULL);
	head_layer(lab);
	drop_image(lab, local("app"), "layer", NULL);
	for (int i = 0; i < 3; i++)
		assert_int_equal(sweep_now(lab).waiting.number, 1);
	put_and_drop(lab, "v2");
	assert_int_equal(sweep_now(lab).blobs.number, 1);
}

/* Of two that rely on it, one names it and lets it go again. */
static void a_push_may_rely_on_what_another_push_named(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	lab_push(lab, local("app"), "layer");
	head_layer(lab);
	for (int i = 0; i < 3; i++) {
		put_and_drop(lab, "v1");
		assert_int_equal(sweep_now(lab).waiting.number, 1);
	}
	put_and_drop(lab, "v2");

	/* Who the second one was is not known: both are forgotten by age. */
	age(lab, 2);
	head_layer(lab);
	put_and_drop(lab, "v3");
	assert_int_equal(sweep_now(lab).blobs.number, 1);
}

static void a_promise_to_several_is_written_once_an_epoch(void **state)
{
	struct lab *lab = *state;
	struct repository app = local("app");
	struct digest digest = digest_of("layer");
	int64_t size;
	struct err e;

	lab_open(lab);
	lab_push(lab, app, "layer");
	lab_image(lab, app, "v1", "layer", NULL);
	for (int i = 0; i < 2; i++) {
		head_layer(lab);
		head_layer(lab);
		OK(store_peek_size(lab->store, &app, &digest, &size, &e), e);
		age(lab, 1);
	}
}

/* The page on which it stands is about to be removed. */
static void sweep_page(struct lab *lab, enum meta_kind kind,
		       void (*meanwhile)(struct lab *), size_t expected)
{
	static struct meta_sweep page;
	struct err e;

	page = (struct meta_sweep){
		.kind = kind,
		.horizon = { .promised = lab_number(lab, "SELECT epoch - 1"
							 " FROM state") },
	};
	page.horizon.released = page.horizon.promised;
	OK(meta_sweep_look(lab->meta, &page, &e), e);
	assert_int_equal(page.count, 1);
	assert_false(page.more);
	meanwhile(lab);
	OK(meta_sweep_take(lab->meta, &page, &e), e);
	assert_int_equal(page.count, expected);
}

static void ask_for_layer(struct lab *lab)
{
	assert_true(lab_has(lab, local("app"), "layer"));
}

static void a_promise_between_look_and_removal_is_kept(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	lab_push(lab, local("app"), "layer");
	age(lab, 2);
	sweep_page(lab, META_LINKS, ask_for_layer, 0);
	lab_image(lab, local("app"), "v1", "layer", NULL);
}

static void come_back(struct lab *lab)
{
	struct incoming *incoming;
	struct err e;

	OK(upload_return(lab, &incoming, &e), e);
	incoming_leave(&incoming);
}

static void an_upload_resumed_between_look_and_removal_stays(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	upload_leave(lab);
	age(lab, 2);
	sweep_page(lab, META_SESSIONS, come_back, 0);
	come_back(lab);
}

static void come_back_too_late(struct lab *lab)
{
	struct incoming *incoming;
	struct err e;

	FAILS(upload_return(lab, &incoming, &e), e, ERR_UPLOAD_UNKNOWN);
}

static void an_upload_resumed_before_its_file_went_is_unknown(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	upload_leave(lab);
	age(lab, 2);
	sweep_meanwhile(lab, GRACE_MS, come_back_too_late);
	come_back_too_late(lab);
	assert_int_equal(lab_files(lab, "incoming"), 0);
}

static int mount_layer(struct lab *lab, struct err *e)
{
	return lab_mount(lab, local("app"), local("other"), "layer", e);
}

static void mount(struct lab *lab)
{
	struct err e;

	OK(mount_layer(lab, &e), e);
}

static void a_mount_between_look_and_removal_keeps_the_blob(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	lab_push(lab, local("app"), "layer");
	age(lab, 2);
	sweep_page(lab, META_LINKS, mount, 1); /* the source may go */
	assert_int_equal(sweep(lab).blobs.number, 0);
	lab_image(lab, local("other"), "v1", "layer", NULL);
	assert_true(lab_has(lab, local("other"), "layer"));
}

static void link_elsewhere(struct lab *lab)
{
	lab_push(lab, local("other"), "layer");
}

/* Its last link went a moment ago. */
static void a_push_between_link_and_blob_keeps_the_blob(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	lab_push(lab, local("app"), "layer");
	age(lab, 2);
	sweep_meanwhile(lab, GRACE_MS, link_elsewhere);
	assert_true(lab_has(lab, local("other"), "layer"));
	assert_false(lab_has(lab, local("app"), "layer"));
	assert_int_equal(lab_number(lab, "SELECT id FROM blob"), 1);
}

static void mount_fails(struct lab *lab)
{
	struct err e;

	FAILS(mount_layer(lab, &e), e, ERR_BLOB_UNKNOWN);
}

static void a_mount_of_what_just_went_is_refused(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	lab_push(lab, local("app"), "layer");
	age(lab, 2);
	sweep_meanwhile(lab, GRACE_MS, mount_fails);
	lab_push(lab, local("other"), "layer");
	assert_true(lab_has(lab, local("other"), "layer"));
}

static void push_again(struct lab *lab)
{
	lab_push(lab, local("app"), "layer");
	lab_image(lab, local("app"), "v2", "layer", NULL);
}

/* The row is gone, the file is about to go. */
static void a_push_before_the_file_went_has_a_file_of_its_own(void **state)
{
	struct lab *lab = *state;

	lab_open_faulty(lab);
	push_and_drop(lab);
	lab_at_blob(lab, LAB_BEFORE, BLOB_DELETE, 1, push_again);
	assert_int_equal(sweep_now(lab).blobs.number, 1);
	lab_was_paused(lab);
	assert_int_equal(lab_files(lab, "blobs"), 1);
	assert_true(lab_has(lab, local("app"), "layer"));
	assert_true(lab_has_manifest(lab, local("app"), by_tag("v2")));
}

static void sweep_all(struct lab *lab)
{
	sweep_now(lab);
}

/* Before the file has its name, and between name and row. */
static void a_sweep_in_a_commit_takes_the_old_and_leaves_the_new(void **state)
{
	struct lab *lab = *state;

	lab_open_faulty(lab);
	for (int side = LAB_BEFORE; side <= LAB_AFTER; side++) {
		push_and_drop(lab);
		age(lab, 2);
		lab_at_blob(lab, side, BLOB_COMMIT, 1, sweep_all);
		lab_push_as(lab, LAB_NOBODY, local("app"), "layer");
		lab_was_paused(lab);
		assert_int_equal(lab_files(lab, "blobs"), 1);
		assert_true(lab_has(lab, local("app"), "layer"));
		lab_image(lab, local("app"), "v1", "layer", NULL);
		drop_image(lab, local("app"), "layer", NULL);
	}
}

/* The row of the first is kept, and now its file is looked at. */
static void a_sweep_between_two_of_one_digest_takes_neither(void **state)
{
	struct lab *lab = *state;

	lab_open_faulty(lab);
	push_and_drop(lab);
	age(lab, 2);
	lab_at_blob(lab, LAB_BEFORE, BLOB_PEEK, 1, sweep_all);
	lab_push_as(lab, LAB_NOBODY, local("app"), "layer");
	lab_was_paused(lab);
	assert_int_equal(lab_files(lab, "blobs"), 1);
	assert_int_equal(lab_files(lab, "incoming"), 0);
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM session"), 0);
	assert_true(lab_has(lab, local("app"), "layer"));
}

/* The file of the second belongs to no row for a moment. */
static void
a_file_that_is_about_to_replace_a_lost_one_is_no_orphan(void **state)
{
	struct lab *lab = *state;
	struct digest digest = digest_of("layer");
	struct err e;

	lab_open_faulty(lab);
	lab_push(lab, local("app"), "layer");
	OK(blob_delete(lab->faults, &digest, 1, &e), e);
	lab_at_blob(lab, LAB_BEFORE, BLOB_PEEK, 1, sweep_all);
	lab_push_as(lab, LAB_NOBODY, local("app"), "layer");
	lab_was_paused(lab);
	assert_true(lab_has(lab, local("app"), "layer"));
	assert_int_equal(sweep(lab).files.number, 0);
}

static void upload_meanwhile(struct lab *lab)
{
	lab_push(lab, local("other"), "layer");
}

static void of_two_uploads_at_once_one_file_stays(void **state)
{
	struct lab *lab = *state;

	lab_open_faulty(lab);
	for (int side = LAB_BEFORE; side <= LAB_AFTER; side++) {
		lab_at_blob(lab, side, BLOB_COMMIT, 1, upload_meanwhile);
		lab_push_as(lab, LAB_NOBODY, local("app"), "layer");
		lab_was_paused(lab);
		assert_int_equal(sweep_now(lab).files.number, 0);
		assert_int_equal(lab_files(lab, "blobs"), 1);
		assert_true(lab_has(lab, local("app"), "layer"));
		assert_true(lab_has(lab, local("other"), "layer"));
	}
}

static void sweep_meanwhile_too(struct lab *lab)
{
	assert_int_equal(sweep(lab).blobs.number, 3);
}

/* One has removed a link; the other one finds that, and all the rest. */
static void of_two_sweeps_at_once_each_file_goes_once(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	lab_push(lab, local("app"), "one");
	lab_push(lab, local("app"), "two");
	lab_push(lab, local("app"), "three");
	age(lab, 2);
	lab_push(lab, local("app"), "young");
	sweep_meanwhile(lab, GRACE_MS, sweep_meanwhile_too);
	assert_int_equal(lab_files(lab, "blobs"), 1);
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM blob"), 1);
	assert_true(lab_has(lab, local("app"), "young"));
}

static void a_reader_who_came_too_late_hears_so(void **state)
{
	struct lab *lab = *state;

	lab_open_faulty(lab);
	push_and_drop(lab);
	lab_at_blob(lab, LAB_BEFORE, BLOB_PEEK, 1, sweep_all);
	assert_false(lab_has(lab, local("app"), "layer"));
	lab_was_paused(lab);
}

static void sweep_and_push(struct lab *lab)
{
	sweep_all(lab);
	lab_push(lab, local("app"), "layer");
}

static void a_reader_finds_what_came_in_the_place_of_the_old(void **state)
{
	struct lab *lab = *state;

	lab_open_faulty(lab);
	push_and_drop(lab);
	lab_at_blob(lab, LAB_BEFORE, BLOB_PEEK, 1, sweep_and_push);
	assert_true(lab_has(lab, local("app"), "layer"));
	lab_was_paused(lab);
}

static void a_reader_keeps_what_it_has_open(void **state)
{
	struct lab *lab = *state;
	struct repository app = local("app");
	struct digest digest = digest_of("layer");
	struct blob_place place;
	char bytes[5];
	struct err e;

	lab_open(lab);
	push_and_drop(lab);
	OK(store_peek_blob(lab->store, &app, &digest, &place, &e), e);
	assert_int_equal(sweep_now(lab).blobs.number, 1);
	OK(io_read_at(place.fd, 0, bytes, sizeof(bytes), &e), e);
	assert_memory_equal(bytes, "layer", 5);
	close(place.fd);
}

/* clang-format off */
#define TESTS(test) \
	test(what_was_promised_stays_until_a_manifest_names_it), \
	test(a_push_may_rely_on_what_is_just_being_deleted), \
	test(a_push_may_rely_on_what_another_push_named), \
	test(a_promise_to_several_is_written_once_an_epoch), \
	test(a_promise_between_look_and_removal_is_kept), \
	test(an_upload_resumed_between_look_and_removal_stays), \
	test(an_upload_resumed_before_its_file_went_is_unknown), \
	test(a_mount_between_look_and_removal_keeps_the_blob), \
	test(a_push_between_link_and_blob_keeps_the_blob), \
	test(a_mount_of_what_just_went_is_refused), \
	test(a_sweep_in_a_commit_takes_the_old_and_leaves_the_new), \
	test(a_sweep_between_two_of_one_digest_takes_neither), \
	test(a_file_that_is_about_to_replace_a_lost_one_is_no_orphan), \
	test(of_two_uploads_at_once_one_file_stays), \
	test(a_reader_who_came_too_late_hears_so), \
	test(a_reader_finds_what_came_in_the_place_of_the_old), \
	test(a_reader_keeps_what_it_has_open)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB_TEST(a_push_before_the_file_went_has_a_file_of_its_own),
		CLIENTS_TEST(a_push_before_the_file_went_has_a_file_of_its_own),
		/* Of one process, the second would wait for the first. */
		KEEPER_TEST(of_two_sweeps_at_once_each_file_goes_once),
		TESTS(LAB_TEST),
		TESTS(CLIENTS_TEST),
		TESTS(KEEPER_TEST),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
