/*
 * The promises of store/store.h about what goes and what stays.
 */
#include "sweep_lab.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/metrics.h"

static void file_make(struct lab *lab, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", lab->path, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs("bytes", file);
	fclose(file);
}

/* ---------------------------------------------------------- what goes, when */

static void a_blob_that_no_manifest_names_goes_after_two_epochs(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	lab_push(lab, local("app"), "layer");
	for (int i = 0; i < 2; i++) {
		struct store_swept swept = sweep(lab);

		assert_int_equal(swept.blobs.number, 0);
		assert_int_equal(swept.waiting.number, 1);
		assert_int_equal(swept.waiting.bytes, 5);
		age(lab, 1);
	}
	struct store_swept swept = sweep(lab);
	assert_int_equal(swept.blobs.number, 1);
	assert_int_equal(swept.blobs.bytes, 5);
	assert_int_equal(swept.links.number, 1);
	assert_int_equal(lab_files(lab, "blobs"), 0);
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM blob"), 0);
	assert_false(lab_has(lab, local("app"), "layer"));
}

static void what_was_pushed_stays_tagged_or_not(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	lab_push(lab, local("app"), "one");
	lab_push(lab, local("app"), "two");
	lab_image(lab, local("app"), "v1", "one", NULL);
	lab_image(lab, local("app"), "v1", "two", NULL); /* the tag moves */
	age(lab, 9);
	assert_int_equal(sweep_now(lab).links.number, 0);
	assert_true(lab_has(lab, local("app"), "one"));
	assert_true(lab_has(lab, local("app"), "two"));
	assert_true(lab_has_manifest(lab, local("app"), by_digest("one+")));
}

static void what_a_manifest_let_go_has_its_grace(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	lab_push(lab, local("app"), "layer");
	lab_image(lab, local("app"), "v1", "layer", NULL);
	age(lab, 9);
	drop_image(lab, local("app"), "layer", NULL);
	age(lab, 1);
	assert_int_equal(sweep(lab).blobs.number, 0);
	age(lab, 1);
	assert_int_equal(sweep(lab).blobs.number, 1);
}

static void what_a_manifest_let_go_need_not_be_waited_for(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	push_and_drop(lab);
	lab_push(lab, local("app"), "unfinished");
	struct store_swept swept = sweep_now(lab);
	assert_int_equal(swept.blobs.number, 1);
	assert_int_equal(swept.waiting.number, 1);
	assert_int_equal(lab_files(lab, "blobs"), 1);
	lab_image(lab, local("app"), "v2", "unfinished", NULL);
}

static void a_part_of_the_grace_is_known_by_whole_epochs(void **state)
{
	struct lab *lab = *state;
	struct store_sweep hour = { .released_ms = 3600 * 1000 };
	struct meta_epoch epoch;
	struct err e;

	lab_open(lab);
	push_and_drop(lab);
	assert_int_equal(sweep_with(lab, hour).blobs.number, 0);
	age(lab, 1);
	assert_int_equal(sweep_with(lab, hour).blobs.number, 0);
	OK(meta_epoch_run(lab->meta, 3600 * 1000, GRACE_MS, &epoch, &e), e);
	assert_int_equal(sweep_with(lab, hour).blobs.number, 1);
}

static void a_longer_grace_spares_what_was_promised(void **state)
{
	struct lab *lab = *state;
	struct store_sweep days = { .released_ms = 3 * GRACE_MS };

	lab_open(lab);
	lab_push(lab, local("app"), "layer");
	age(lab, 3);
	assert_int_equal(sweep_with(lab, days).blobs.number, 0);
	age(lab, 1);
	assert_int_equal(sweep_with(lab, days).blobs.number, 1);
}

static void a_blob_stays_while_another_repository_needs_it(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	lab_push(lab, local("app"), "layer");
	lab_push(lab, local("other"), "layer");
	lab_image(lab, local("app"), "v1", "layer", NULL);
	lab_image(lab, local("other"), "v1", "layer", NULL);
	drop_image(lab, local("app"), "layer", NULL);
	struct store_swept swept = sweep_now(lab);
	assert_int_equal(swept.links.number, 1);
	assert_int_equal(swept.blobs.number, 0);
	assert_false(lab_has(lab, local("app"), "layer"));
	assert_true(lab_has(lab, local("other"), "layer"));
}

static void a_dropped_link_takes_its_blob_along(void **state)
{
	struct lab *lab = *state;
	struct err e;

	lab_open(lab);
	lab_push(lab, local("app"), "layer");
	OK(lab_unlink(lab, local("app"), "layer", &e), e);
	assert_int_equal(sweep(lab).blobs.number, 1);
	assert_int_equal(lab_files(lab, "blobs"), 0);
}

static void what_is_cached_goes_when_no_manifest_names_it(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	lab_fetch(lab, upstream("nginx"), "layer");
	lab_fetch(lab, upstream("nginx"), "config");
	lab_fetch(lab, upstream("nginx"), "shared");
	lab_image(lab, upstream("nginx"), "v1", "config", NULL);
	lab_image(lab, upstream("redis"), "v1", "shared", NULL);
	age(lab, 2);
	assert_int_equal(sweep(lab).blobs.number, 1);
	assert_true(lab_has(lab, upstream("nginx"), "config"));
	assert_true(lab_has(lab, upstream("redis"), "shared"));
	assert_false(lab_has(lab, upstream("nginx"), "layer"));
}

static void more_than_a_page_goes_in_one_pass(void **state)
{
	struct lab *lab = *state;
	struct meta_arrival arrival = { .repository = local("app"), .size = 7 };
	struct meta_session session = { .repository = local("app") };
	struct meta_blob winner;
	char bytes[16];
	struct err e;

	lab_open(lab);
	for (int i = 0; i < 2 * META_PAGE + 1; i++) {
		snprintf(bytes, sizeof(bytes), "layer%d", i);
		OK(meta_session_put(lab->meta, &session, &e), e);
		arrival.id = session.id;
		arrival.digest = digest_of(bytes);
		OK(meta_blob_put(lab->meta, &arrival, &winner, &e), e);
		OK(meta_session_put(lab->meta, &session, &e), e);
	}
	age(lab, 2);
	struct store_swept swept = sweep(lab);
	assert_int_equal(swept.arrivals.number, 2 * META_PAGE + 1);
	assert_int_equal(swept.links.number, 2 * META_PAGE + 1);
	assert_int_equal(swept.blobs.number, 2 * META_PAGE + 1);
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM link"), 0);
}

static void a_dry_sweep_tells_and_changes_nothing(void **state)
{
	struct lab *lab = *state;
	struct teller teller = { .lab = lab };

	lab_open(lab);
	lab_push(lab, local("app"), "layer");
	upload_leave(lab);
	file_make(lab, "incoming/999");
	age(lab, 2);
	struct store_swept swept =
		sweep_with(lab, (struct store_sweep){ .released_ms = GRACE_MS,
						      .dry = true,
						      .tell = tell,
						      .arg = &teller });
	assert_int_equal(teller.told[DEAD_UPLOAD], 1);
	assert_int_equal(teller.told[DEAD_LINK], 1);
	assert_int_equal(teller.told[DEAD_BLOB], 1);
	assert_int_equal(teller.told[DEAD_FILE], 1);
	assert_int_equal(swept.arrivals.bytes, 3);
	assert_int_equal(swept.files.bytes, 5);
	assert_int_equal(lab_files(lab, "blobs"), 1);
	assert_int_equal(lab_files(lab, "incoming"), 2);
	assert_true(lab_has(lab, local("app"), "layer"));
}

/* ----------------------------------------------------------------- arrivals */

static void sweep_meanwhile(struct lab *lab)
{
	assert_int_equal(sweep_now(lab).blobs.number, 1);
}

static void a_dry_sweep_may_be_read_slowly_and_holds_up_no_other(void **state)
{
	struct lab *lab = *state;
	struct teller teller = { .lab = lab, .meanwhile = sweep_meanwhile };
	struct store_sweep dry = {
		.grace_ms = GRACE_MS,
		.dry = true,
		.tell = tell,
		.arg = &teller,
	};

	lab_open(lab);
	push_and_drop(lab);
	sweep_with(lab, dry);
	assert_int_equal(teller.told[DEAD_LINK], 1);
	assert_false(lab_has(lab, local("app"), "layer"));
}

static void an_abandoned_upload_expires(void **state)
{
	struct lab *lab = *state;
	struct incoming *incoming;
	struct err e;

	lab_open(lab);
	upload_leave(lab);
	age(lab, 1);
	assert_int_equal(sweep(lab).arrivals.number, 0);
	age(lab, 1);
	struct store_swept swept = sweep(lab);
	assert_int_equal(swept.arrivals.number, 1);
	assert_int_equal(swept.arrivals.bytes, 3);
	assert_int_equal(lab_files(lab, "incoming"), 0);
	FAILS(upload_return(lab, &incoming, &e), e, ERR_UPLOAD_UNKNOWN);
}

static void an_upload_that_somebody_came_back_to_stays(void **state)
{
	struct lab *lab = *state;
	struct digest digest = digest_of("layer");
	struct incoming *incoming;
	struct err e;

	lab_open(lab);
	upload_leave(lab);
	for (int i = 0; i < 3; i++) {
		age(lab, 1);
		OK(upload_return(lab, &incoming, &e), e);
		incoming_leave(&incoming);
		assert_int_equal(sweep_now(lab).arrivals.number, 0);
	}
	OK(upload_return(lab, &incoming, &e), e);
	OK(incoming_write(incoming, SPAN("er"), &e), e);
	OK(incoming_commit(&incoming, &digest, &e), e);
}

static void what_is_arriving_stays_however_long_it_takes(void **state)
{
	struct lab *lab = *state;
	struct repository nginx = upstream("nginx");
	struct digest layer = digest_of("layer"), cached = digest_of("cached");
	struct incoming *upload, *fetch;
	struct err e;

	lab_open(lab);
	upload = upload_begin(lab, local("app"));
	OK(incoming_open_fetch(lab->store, &nginx, &cached, 6, &fetch, &e), e);
	for (int i = 0; i < 3; i++) {
		age(lab, 3);
		assert_int_equal(sweep_now(lab).arrivals.number, 0);
	}
	OK(incoming_write(upload, SPAN("er"), &e), e);
	OK(incoming_commit(&upload, &layer, &e), e);
	OK(incoming_write(fetch, SPAN("cached"), &e), e);
	OK(incoming_commit(&fetch, &cached, &e), e);
	assert_true(lab_has(lab, local("app"), "layer"));
	assert_true(lab_has(lab, nginx, "cached"));
}

static void a_fetch_that_nobody_goes_on_with_expires(void **state)
{
	struct lab *lab = *state;
	struct repository nginx = upstream("nginx");
	struct digest digest = digest_of("layer");
	struct incoming *incoming;
	struct err e;

	lab_open(lab);
	OK(incoming_open_fetch(lab->store, &nginx, &digest, 5, &incoming, &e),
	   e);
	OK(incoming_write(incoming, SPAN("lay"), &e), e);
	incoming_leave(&incoming);
	age(lab, 1);
	OK(incoming_open_fetch(lab->store, &nginx, &digest, 5, &incoming, &e),
	   e);
	incoming_leave(&incoming);
	age(lab, 1);
	assert_int_equal(sweep(lab).arrivals.number, 0);
	age(lab, 1);
	assert_int_equal(sweep(lab).arrivals.number, 1);
	assert_int_equal(lab_files(lab, "incoming"), 0);
}

/* -------------------------------------------------------------------- files */

/* A file of a blob that is here, and no row of its own. */
static void blob_file_make(struct lab *lab, const char *bytes, int id)
{
	struct digest digest = digest_of(bytes);
	struct digest_text hex = digest_hex(&digest);
	char name[200];

	snprintf(name, sizeof(name), "blobs/sha256/%.2s/%s.%d", hex.s, hex.s,
		 id);
	file_make(lab, name);
}

static void files_that_nothing_knows_go(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	lab_push(lab, local("app"), "layer");
	blob_file_make(lab, "layer", 999);
	file_make(lab, "incoming/998");
	file_make(lab, "incoming/notes"); /* not ours */
	assert_int_equal(lab_files(lab, "blobs"), 2);
	struct store_swept swept = sweep(lab);
	assert_int_equal(swept.files.number, 2);
	assert_int_equal(swept.files.bytes, 10);
	assert_int_equal(lab_files(lab, "blobs"), 1);
	assert_int_equal(lab_files(lab, "incoming"), 1);
	assert_true(lab_has(lab, local("app"), "layer"));
}

static void file_goes(struct lab *lab)
{
	struct digest digest = digest_of("layer");
	struct err e;

	OK(blob_delete(lab->faults, &digest, 999, &e), e);
}

/* An eviction removes rows first, and their files after. */
static void
a_file_that_somebody_else_has_removed_by_then_does_not_count(void **state)
{
	struct lab *lab = *state;

	lab_open_faulty(lab);
	lab_push(lab, local("app"), "layer");
	blob_file_make(lab, "layer", 999);
	lab_at_blob(lab, LAB_BEFORE, BLOB_PEEK, 1, file_goes);
	assert_int_equal(sweep(lab).files.number, 0);
	lab_was_paused(lab);
}

static void a_file_that_cannot_be_removed_goes_at_the_next_pass(void **state)
{
	struct lab *lab = *state;
	struct blob_fault fault = { BLOB_DELETE, 1, ERR_IO, .after = false };
	struct store_sweep how = { GRACE_MS, .released_ms = GRACE_MS };
	struct store_swept swept;
	struct err e;

	lab_open_faulty(lab);
	lab_push(lab, local("app"), "one");
	lab_push(lab, local("app"), "two");
	age(lab, 2);
	blob_fault_set(lab->faults, &fault);
	FAILS(store_sweep(lab->store, &how, &swept, &e), e, ERR_IO);
	assert_int_equal(swept.blobs.number, 2);
	assert_int_equal(swept.files.number, 1); /* the same pass, behind */
	assert_int_equal(lab_files(lab, "blobs"), 0);
}

/* --------------------------------------------------------------------- pace */

enum { TIMES = 14 }; /* as long as a change, the rest after it */

/* Milliseconds; the sweep changes something, and meanwhile: */
static int64_t sweep_takes(struct lab *lab, void (*meanwhile)(struct lab *))
{
	struct teller teller = { .meanwhile = meanwhile, .lab = lab };

	lab_push(lab, local("app"), "layer");
	age(lab, 2);
	int64_t began = clock_ms();
	sweep_with(lab, (struct store_sweep){ .released_ms = GRACE_MS,
					      .tell = tell,
					      .arg = &teller });
	return clock_ms() - began;
}

static void pull(struct lab *lab)
{
	(void)lab;
	usleep(20 * 1000);
	metric_add(METRIC_REQUESTS_2XX, 1);
	metric_add(METRIC_SERVED, 1);
}

static void scrape(struct lab *lab)
{
	(void)lab;
	usleep(1000 * 1000);
	metric_add(METRIC_REQUESTS_2XX, 1);
}

static void a_sweep_rests_where_somebody_pulls(void **state)
{
	lab_open(*state);
	assert_true(sweep_takes(*state, pull) >= TIMES * 20);
}

static void a_sweep_does_not_rest_for_who_only_watches(void **state)
{
	lab_open(*state);
	assert_true(sweep_takes(*state, scrape) < TIMES * 1000);
}

/* ------------------------------------------------------------ the collector */

static void epochs_are_made_of_uptime(void **state)
{
	struct lab *lab = *state;
	struct meta_epoch epoch;
	struct err e;

	lab_open(lab);
	OK(meta_epoch_run(lab->meta, 400, 1000, &epoch, &e), e);
	assert_int_equal(epoch.number, 1);
	assert_int_equal(epoch.uptime_ms, 400);
	lab_reopen(lab);
	OK(meta_epoch_run(lab->meta, 599, 1000, &epoch, &e), e);
	assert_int_equal(epoch.number, 1);
	assert_int_equal(epoch.uptime_ms, 999);
	OK(meta_epoch_run(lab->meta, 5000, 1000, &epoch, &e), e);
	assert_int_equal(epoch.number, 2);
	assert_int_equal(epoch.uptime_ms, 0);
}

static bool comes_true(struct lab *lab, const char *directory, unsigned files)
{
	int64_t deadline = clock_ms() + 20000;

	while (lab_files(lab, directory) != files && clock_ms() < deadline)
		usleep(10000);
	return lab_files(lab, directory) == files;
}

static void the_collector_does_it_by_itself(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	upload_leave(lab);
	lab_push(lab, local("app"), "layer");
	lab_push(lab, local("app"), "named");
	lab_image(lab, local("app"), "v1", "named", NULL);
	store_collect(lab->store, 1);
	assert_true(comes_true(lab, "incoming", 0));
	assert_true(comes_true(lab, "blobs", 1));
	assert_true(lab_has(lab, local("app"), "named"));
}

static void it_ends_at_once_and_knows_how_long_it_ran(void **state)
{
	struct lab *lab = *state;
	int64_t began = clock_ms();

	lab_open(lab);
	store_collect(lab->store, GRACE_MS);
	usleep(20000);
	lab_close(lab);
	assert_true(clock_ms() - began < 5000);
	lab_open(lab);
	assert_true(lab_number(lab, "SELECT uptime_ms FROM state") >= 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH_PARTY(a_blob_that_no_manifest_names_goes_after_two_epochs),
		EACH_PARTY(what_was_pushed_stays_tagged_or_not),
		EACH_PARTY(what_a_manifest_let_go_has_its_grace),
		EACH_PARTY(what_a_manifest_let_go_need_not_be_waited_for),
		EACH_PARTY(a_part_of_the_grace_is_known_by_whole_epochs),
		EACH_PARTY(a_longer_grace_spares_what_was_promised),
		EACH_PARTY(a_blob_stays_while_another_repository_needs_it),
		EACH_PARTY(a_dropped_link_takes_its_blob_along),
		EACH_PARTY(what_is_cached_goes_when_no_manifest_names_it),
		ALSO_KEEPER(more_than_a_page_goes_in_one_pass),
		ALSO_CLIENTS(a_dry_sweep_tells_and_changes_nothing),
		LAB_TEST(a_dry_sweep_may_be_read_slowly_and_holds_up_no_other),
		ALSO_KEEPER(an_abandoned_upload_expires),
		ALSO_KEEPER(an_upload_that_somebody_came_back_to_stays),
		LAB_TEST(what_is_arriving_stays_however_long_it_takes),
		ALSO_KEEPER(a_fetch_that_nobody_goes_on_with_expires),
		EACH_PARTY(files_that_nothing_knows_go),
		LAB_TEST(
			a_file_that_somebody_else_has_removed_by_then_does_not_count),
		ALSO_CLIENTS(
			a_file_that_cannot_be_removed_goes_at_the_next_pass),
		LAB_TEST(a_sweep_rests_where_somebody_pulls),
		LAB_TEST(a_sweep_does_not_rest_for_who_only_watches),
		LAB_TEST(epochs_are_made_of_uptime),
		ALSO_CLIENTS(the_collector_does_it_by_itself),
		LAB_TEST(it_ends_at_once_and_knows_how_long_it_ran),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
