/*
 * The promises of store/store.h about verifying: what may happen meanwhile,
 * how it is asked for, and that it is done quietly, too.
 */
#include "scrub_lab.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/metrics.h"

/* ------------------------------------------------------------------ faults */

/* Every look fails like this. */
static struct blob_fault forever;

static void again(void *arg)
{
	struct lab *lab = arg;

	blob_fault_set(lab->faults, &forever);
}

static void every_look_fails(struct lab *lab, enum err_kind kind)
{
	forever = (struct blob_fault){
		.verb = BLOB_PEEK,
		.nth = 1,
		.kind = kind,
		.meanwhile = again,
		.arg = lab,
	};
	again(lab);
}

static void no_look_fails(struct lab *lab)
{
	blob_fault_set(lab->faults, &(struct blob_fault){ 0 });
}

static void what_the_disk_cannot_read_is_damaged(void **state)
{
	struct lab *lab = *state;

	lab_push(lab, local("app"), "layer");
	every_look_fails(lab, ERR_IO);
	assert_found_one(lab, FOUND_UNREADABLE);
	no_look_fails(lab);
	assert_int_equal(pull_fails_as(lab, local("app"), "layer"),
			 ERR_BLOB_UNKNOWN);
}

static void what_can_be_read_again_is_back(void **state)
{
	struct lab *lab = *state;

	push_image(lab);
	every_look_fails(lab, ERR_IO);
	verify(lab);
	assert_int_equal(verify(lab).found[FOUND_UNREADABLE], 2);
	no_look_fails(lab);
	assert_int_equal(verify(lab).found[FOUND_SOUND], 2);
	assert_true(lab_has(lab, local("app"), "layer"));
	assert_true(is_clean(lab));
}

static void what_is_bad_only_once_is_not_condemned(void **state)
{
	struct lab *lab = *state;
	struct blob_fault once = { .verb = BLOB_PEEK,
				   .nth = 1,
				   .kind = ERR_IO };

	lab_push(lab, local("app"), "layer");
	blob_fault_set(lab->faults, &once);
	assert_true(is_clean(lab));
	assert_true(lab_has(lab, local("app"), "layer"));
}

static void what_could_not_be_opened_stays_as_it_is(void **state)
{
	struct lab *lab = *state;

	lab_push(lab, local("app"), "layer");
	every_look_fails(lab, ERR_BUSY);
	assert_found_one(lab, FOUND_UNCHECKED);
	no_look_fails(lab);
	assert_true(lab_has(lab, local("app"), "layer"));
	assert_true(is_clean(lab));
}

static void what_could_not_be_set_aside_is_not_served(void **state)
{
	struct lab *lab = *state;
	struct store_verify how = { 0 };
	struct store_verified verified;
	struct blob_fault fault = { .verb = BLOB_SET_ASIDE,
				    .nth = 1,
				    .kind = ERR_NO_SPACE };
	struct err e;

	push_image(lab);
	damage(lab, "layer");
	blob_fault_set(lab->faults, &fault);
	FAILS(store_verify(lab->store, &how, &verified, &e), e, ERR_NO_SPACE);
	assert_int_equal(pull_fails_as(lab, local("app"), "layer"),
			 ERR_BLOB_UNKNOWN);
	assert_found_one(lab, FOUND_BYTES);
	assert_found_one(lab, FOUND_WAITING);
	lab_push(lab, local("app"), "layer");
	assert_true(is_clean(lab));
}

static void what_could_not_be_set_aside_is_in_nobodys_way(void **state)
{
	struct lab *lab = *state;
	struct store_verify how = { 0 };
	struct store_verified verified;
	struct blob_fault fault = { .verb = BLOB_SET_ASIDE,
				    .nth = 1,
				    .kind = ERR_IO };
	struct err e;

	push_image(lab);
	damage(lab, "config");
	damage(lab, "layer");
	blob_fault_set(lab->faults, &fault);
	FAILS(store_verify(lab->store, &how, &verified, &e), e, ERR_IO);
	assert_int_equal(verified.found[FOUND_BYTES], 2);
	assert_int_equal(verified.manifests, 1);
}

/* The blob goes for good while its file is looked at. */
static void blob_goes(void *arg)
{
	struct lab *lab = arg;
	struct err e;

	OK(lab_unlink(lab, local("app"), "layer", &e), e);
	assert_int_equal(sweep(lab).blobs.number, 1);
}

static void what_is_swept_meanwhile_is_no_finding(void **state)
{
	struct lab *lab = *state;
	struct blob_fault fault = {
		.verb = BLOB_PEEK, .nth = 1, .meanwhile = blob_goes, .arg = lab
	};

	lab_push(lab, local("app"), "layer");
	blob_fault_set(lab->faults, &fault);
	assert_true(is_clean(lab));
	lab_push(lab, local("app"), "layer");
	blob_fault_set(lab->faults, &fault);
	struct store_verified verified =
		verify_with(lab, (struct store_verify){ .dry = true });
	assert_int_equal(store_findings(&verified), 0);
}

static void blob_is_mended(void *arg)
{
	struct lab *lab = arg;

	lose(lab, "layer");
	lab_push(lab, local("app"), "layer");
}

static void what_is_replaced_meanwhile_is_not_condemned(void **state)
{
	struct lab *lab = *state;
	/* The second look is the last. */
	struct blob_fault fault = { .verb = BLOB_PEEK,
				    .nth = 2,
				    .kind = ERR_IO,
				    .meanwhile = blob_is_mended,
				    .arg = lab };

	lab_push(lab, local("app"), "layer");
	damage(lab, "layer");
	blob_fault_set(lab->faults, &fault);
	assert_true(is_clean(lab));
	assert_true(lab_has(lab, local("app"), "layer"));
}

static void verify_too(struct lab *lab)
{
	struct store_verified verified = verify(lab);

	assert_int_equal(store_findings(&verified), 1);
}

/* At the second look, and when it is set aside. */
static void two_who_verify_at_once_set_it_aside_once(void **state)
{
	static const struct {
		enum blob_verb verb;
		unsigned nth;
	} rows[] = { { BLOB_PEEK, 2 }, { BLOB_SET_ASIDE, 1 } };
	struct lab *lab = *state;
	struct store_verify how = { 0 };

	for (size_t i = 0; i < array_size(rows); i++) {
		lab_push(lab, local("app"), "layer");
		damage(lab, "layer");
		lab_at_blob(lab, LAB_BEFORE, rows[i].verb, rows[i].nth,
			    verify_too);
		verify_as(lab, LAB_NOBODY, how);
		lab_was_paused(lab);
		assert_found_one(lab, FOUND_WAITING);
		assert_int_equal(lab_files(lab, "quarantine"), 1 + i);
		lab_push(lab, local("app"), "layer");
		assert_true(is_clean(lab));
	}
}

/* -------------------------------------------------------------------- ways */

static void layer_is_condemned(void *arg)
{
	struct lab *lab = arg;
	struct meta_copy copy = { .digest = digest_of("layer") };
	struct meta_losers losers;
	struct err e;

	OK(meta_blob_find(lab->meta, &copy.digest, &copy.blob, &e), e);
	copy.blob.damage = DAMAGE_BYTES;
	OK(meta_copy_condemn(lab->meta, &copy, &losers, &e), e);
}

static void what_is_condemned_while_a_push_finds_it_again_stays_so(void **state)
{
	struct lab *lab = *state;
	struct blob_fault fault = { .verb = BLOB_PEEK,
				    .nth = 1,
				    .meanwhile = layer_is_condemned,
				    .arg = lab };

	push_image(lab);
	lose(lab, "layer");
	assert_found_one(lab, FOUND_MISSING);
	restore(lab, "layer");
	blob_fault_set(lab->faults, &fault);
	lab_push(lab, local("app"), "layer");
	assert_false(lab_has(lab, local("app"), "layer"));
	lab_push(lab, local("app"), "layer");
	assert_true(lab_has(lab, local("app"), "layer"));
}

static void a_dry_look_changes_nothing(void **state)
{
	struct lab *lab = *state;

	push_image(lab);
	lab_fetch(lab, upstream("library/app"), "cached");
	damage(lab, "layer");
	damage(lab, "cached");
	damage_manifests(lab);
	for (int i = 0; i < 2; i++) {
		struct store_verified verified =
			verify_with(lab, (struct store_verify){ .dry = true });

		assert_int_equal(verified.found[FOUND_BYTES], 2);
		assert_int_equal(verified.found[FOUND_MANIFEST], 1);
	}
	assert_int_equal(lab_number(lab, "SELECT sum(damage) FROM blob"), 0);
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM blob"), 3);
	assert_true(lab_has_manifest(lab, local("app"), by_tag("v1")));
}

static bool enough(int64_t bytes, int64_t all, void *arg)
{
	assert_true(bytes <= all);
	assert_int_equal(all, 11);
	(void)arg;
	return false;
}

static void whoever_asked_may_end_it(void **state)
{
	struct lab *lab = *state;
	struct store_verify how = { .progress = enough };
	struct store_verified verified;
	struct err e;

	push_image(lab);
	FAILS(store_verify(lab->store, &how, &verified, &e), e, ERR_CLOSED);
	assert_int_equal(verified.blobs.number, 0);
}

static void a_closing_store_ends_it(void **state)
{
	struct lab *lab = *state;
	struct store_verify how = { .rate = 1 };
	struct store_verified verified;
	struct err e;

	push_image(lab);
	store_stop_verify(lab->store);
	FAILS(store_verify(lab->store, &how, &verified, &e), e, ERR_CLOSED);
}

static void the_rate_is_kept(void **state)
{
	struct lab *lab = *state;
	int64_t began = clock_ms();

	push_image(lab);
	verify_with(lab, (struct store_verify){ .rate = 100 });
	assert_true(clock_ms() - began >= 100);
}

/* ----------------------------------------------------------------- quietly */

/* Waits for it, for a minute. */
static bool comes_to(struct lab *lab, const char *sql, int64_t number)
{
	int64_t deadline = clock_ms() + 60000;

	while (lab_number(lab, sql) != number)
		if (clock_ms() > deadline)
			return false;
		else
			usleep(1000);
	return true;
}

static void what_is_suspected_is_looked_at(void **state)
{
	struct lab *lab = *state;
	struct store_scrub how = { .every_ms = 0 };
	struct digest layer = digest_of("layer");

	push_image(lab);
	store_scrub(lab->store, &how);
	damage(lab, "layer");
	store_suspect(lab->store, &layer);
	assert_true(
		comes_to(lab, "SELECT count(*) FROM blob WHERE damage = 1", 1));
}

static void who_stumbles_over_it_says_so(void **state)
{
	struct lab *lab = *state;
	struct store_scrub how = { .every_ms = 0 };

	push_image(lab);
	store_scrub(lab->store, &how);
	lose(lab, "layer");
	assert_int_equal(pull_fails_as(lab, local("app"), "layer"),
			 ERR_BLOB_UNKNOWN);
	assert_true(
		comes_to(lab, "SELECT count(*) FROM blob WHERE damage = 2", 1));
}

static void who_finds_it_again_says_so_too(void **state)
{
	struct lab *lab = *state;
	struct store_scrub how = { .every_ms = 0 };

	push_image(lab);
	store_scrub(lab->store, &how);
	lose(lab, "layer");
	verify(lab);
	restore(lab, "layer");
	assert_true(lab_has(lab, local("app"), "layer"));
	assert_true(comes_to(lab, "SELECT sum(damage) FROM blob", 0));
}

static void the_metrics_know_what_waits(void **state)
{
	struct lab *lab = *state;
	struct store_scrub how = { .every_ms = 0 };
	int64_t found = metric_read(METRIC_DAMAGE_PUSHED);

	push_image(lab);
	damage(lab, "layer");
	store_scrub(lab->store, &how);
	assert_int_equal(metric_read(METRIC_DAMAGED_BLOBS), 0);
	verify(lab);
	assert_int_equal(metric_read(METRIC_DAMAGE_PUSHED), found + 1);
	assert_int_equal(metric_read(METRIC_DAMAGED_BLOBS), 1);
	verify(lab);
	assert_int_equal(metric_read(METRIC_DAMAGE_PUSHED), found + 1);
	lab_push(lab, local("app"), "layer");
	assert_int_equal(metric_read(METRIC_DAMAGED_BLOBS), 0);
	damage_manifests(lab);
	verify(lab);
	assert_int_equal(metric_read(METRIC_DAMAGED_MANIFESTS), 1);
	lab_image(lab, local("app"), "v1", "config", "layer");
	assert_int_equal(metric_read(METRIC_DAMAGED_MANIFESTS), 0);
}

static void a_round_comes_when_it_is_time(void **state)
{
	struct lab *lab = *state;
	struct store_scrub how = { .every_ms = 1000 };

	push_image(lab);
	damage(lab, "layer");
	store_scrub(lab->store, &how);
	assert_true(
		comes_to(lab, "SELECT count(*) FROM blob WHERE damage = 1", 1));
}

static void a_round_goes_on_where_it_was(void **state)
{
	/* Its digest begins with 7d, that of "b" with 3e. */
	static const char slow_one[] =
		"gggggggggggggggggggggggggggggggggggggggg"
		"gggggggggggggggggggggggggggggggggggggggg";
	struct lab *lab = *state;
	struct store_scrub slow = { .every_ms = 1000, .rate = 1 };
	struct store_scrub fast = { .every_ms = 3600 * 1000 };
	int64_t before = metric_read(METRIC_VERIFIED_BLOBS);

	lab_push(lab, local("app"), "b");
	lab_push(lab, local("app"), slow_one);
	store_scrub(lab->store, &slow);
	for (int i = 0;
	     i < 60000 && metric_read(METRIC_VERIFIED_BLOBS) == before; i++)
		usleep(1000);
	lab_reopen(lab);
	assert_int_equal(
		lab_number(lab, "SELECT count(*) FROM scrub"
				" WHERE last = (SELECT min(digest) FROM blob)"),
		1);
	before = metric_read(METRIC_VERIFIED_BLOBS);
	store_scrub(lab->store, &fast);
	assert_true(comes_to(lab, "SELECT last IS NULL FROM scrub", 1));
	assert_int_equal(metric_read(METRIC_VERIFIED_BLOBS), before + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ALL(what_the_disk_cannot_read_is_damaged),
		WITH_ALL(what_can_be_read_again_is_back),
		WITH_ALL(what_is_bad_only_once_is_not_condemned),
		WITH_ALL(what_could_not_be_opened_stays_as_it_is),
		WITH_ALL(what_could_not_be_set_aside_is_not_served),
		WITH_ALL(what_could_not_be_set_aside_is_in_nobodys_way),
		WITH_ALL(what_is_swept_meanwhile_is_no_finding),
		WITH(clients, what_is_swept_meanwhile_is_no_finding),
		WITH_ALL(what_is_replaced_meanwhile_is_not_condemned),
		WITH(clients, what_is_replaced_meanwhile_is_not_condemned),
		/* Of one process, the second would wait for the first. */
		WITH(keeper, two_who_verify_at_once_set_it_aside_once),
		WITH_ALL(
			what_is_condemned_while_a_push_finds_it_again_stays_so),
		WITH_ALL(a_dry_look_changes_nothing),
		WITH_ALL(whoever_asked_may_end_it),
		WITH_ALL(a_closing_store_ends_it),
		WITH_ALL(the_rate_is_kept),
		WITH_ALL(what_is_suspected_is_looked_at),
		WITH_ALL(who_stumbles_over_it_says_so),
		WITH_ALL(who_finds_it_again_says_so_too),
		WITH_ALL(the_metrics_know_what_waits),
		WITH_ALL(a_round_comes_when_it_is_time),
		WITH(files, a_round_goes_on_where_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
