/*
 * Registry time, and what is stamped with it.
 */
#include "store_lab.h"

#include "base/thread.h"

/* ------------------------------------------------------ words of this file */

static int64_t run_for(struct lab *lab, int64_t seconds)
{
	return lab_runs(lab, seconds * 1000);
}

static void use(struct lab *lab, struct repository at, struct reference what)
{
	struct meta_manifest manifest;
	struct err e;

	OK(meta_manifest_peek(lab->meta, &at, &what, lab->arena, &manifest, &e),
	   e);
	meta_use(lab->meta, manifest.use);
}

static void flush(struct lab *lab)
{
	struct err e;

	OK(meta_use_flush(lab->meta, &e), e);
}

/* An index that names the image of that config. */
static void put_index(struct lab *lab, struct repository at, const char *config)
{
	struct descriptor child = {
		.role = DESCRIPTOR_MANIFEST,
		.digest = image_of(config, NULL),
	};
	struct manifest manifest = {
		.kind = MANIFEST_INDEX,
		.media_type = "application/vnd.oci.image.index.v1+json",
		.bytes = SPAN("index"),
		.digest = digest_of("index"),
		.descriptors = &child,
		.count = 1,
	};
	struct reference reference = by_tag("all");
	struct meta_put put = {
		.repository = &at,
		.manifest = &manifest,
		.reference = &reference,
	};
	struct err e;

	OK(store_put_manifest(lab->store, &put, &e), e);
}

#define USED(name)                                                    \
	"SELECT used FROM stamp JOIN manifest ON id = manifest WHERE" \
	" bytes = CAST('" name "' AS BLOB)"

/* ---------------------------------------------------------- registry time */

static void registry_time_is_the_time_that_it_ran(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	assert_int_equal(run_for(lab, 30), 30);
	lab_reopen(lab);
	assert_int_equal(run_for(lab, 100000), 100030);
	assert_int_equal(run_for(lab, 5), 100035);
}

/* ----------------------------------------------------------------- stamps */

static void what_is_put_is_stamped(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	run_for(lab, 70);
	lab_image(lab, upstream("app"), "v1", "config", NULL);
	assert_int_equal(lab_number(lab, "SELECT pushed FROM stamp"), 70);
	assert_int_equal(lab_number(lab, "SELECT used FROM stamp"), 70000);
	assert_int_equal(lab_number(lab, "SELECT pushed FROM tag"), 70);
	assert_int_equal(lab_number(lab, "SELECT pulled FROM tag"), 0);

	run_for(lab, 30);
	lab_image(lab, upstream("app"), "v1", "config", NULL);
	assert_int_equal(lab_number(lab, "SELECT pushed FROM stamp"), 100);
	assert_int_equal(lab_number(lab, "SELECT pushed FROM tag"), 100);
}

static void a_pull_by_digest_stamps_the_manifest(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	lab_image(lab, upstream("app"), "v1", "config", NULL);
	run_for(lab, 70);
	use(lab, upstream("app"), by_digest("config+"));
	assert_int_equal(lab_number(lab, USED("config+")), 0);
	flush(lab);
	assert_int_equal(lab_number(lab, USED("config+")), 70000);
	assert_int_equal(lab_number(lab, "SELECT pulled FROM tag"), 0);
}

static void a_pull_by_tag_stamps_both(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	lab_image(lab, upstream("app"), "v1", "config", NULL);
	run_for(lab, 70);
	use(lab, upstream("app"), by_tag("v1"));
	use(lab, upstream("app"), by_tag("v1"));
	flush(lab);
	assert_int_equal(lab_number(lab, USED("config+")), 70000);
	assert_int_equal(lab_number(lab, "SELECT pulled FROM tag"), 70);
}

static void a_pull_of_an_index_stamps_what_it_names(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	lab_image(lab, upstream("app"), NULL, "config", NULL);
	lab_image(lab, upstream("app"), NULL, "other", NULL);
	run_for(lab, 10);
	put_index(lab, upstream("app"), "config");
	assert_int_equal(lab_number(lab, USED("config+")), 10000);
	run_for(lab, 10);
	use(lab, upstream("app"), by_tag("all"));
	flush(lab);
	assert_int_equal(lab_number(lab, USED("index")), 20000);
	assert_int_equal(lab_number(lab, USED("config+")), 20000);
	assert_int_equal(lab_number(lab, USED("other+")), 0);
}

/* Numbers 1 to 6000, of which the first three name all others. */
static void put_large_indexes(struct lab *lab)
{
	lab_number(lab, "INSERT INTO repository (id, upstream, name)"
			" VALUES (1, '', 'app') RETURNING 1");
	lab_number(lab, "WITH RECURSIVE count (i) AS (SELECT 1 UNION ALL"
			" SELECT i + 1 FROM count WHERE i < 6000)"
			" INSERT INTO manifest (id, repository, digest,"
			"  media_type, artifact_type, bytes)"
			" SELECT i, 1, CAST(printf('%033d', i) AS BLOB),"
			"  '', '', x'' FROM count RETURNING 1");
	lab_number(lab, "INSERT INTO stamp (manifest, pushed, used, cached)"
			" SELECT id, 0, 0, 0 FROM manifest RETURNING 1");
	lab_number(lab, "INSERT INTO named"
			" SELECT child.digest, 1, above.id, 3, 0"
			" FROM manifest AS child, manifest AS above"
			" WHERE child.id > 3 AND above.id <= 3 RETURNING 1");
}

static void pulls_of_large_indexes_are_stamped_all_the_same(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	put_large_indexes(lab);
	run_for(lab, 10);
	for (uint64_t index = 1; index <= 3; index++)
		meta_use(lab->meta, index * 2);
	flush(lab);
	assert_int_equal(
		lab_number(lab,
			   "SELECT count(*) FROM stamp WHERE used = 10000"),
		6000);
}

static void what_is_gone_by_the_flush_is_no_error(void **state)
{
	struct lab *lab = *state;
	struct repository app = local("app");
	struct reference v1 = by_tag("v1");
	struct reference digest = by_digest("config+");
	struct err e;

	lab_open(lab);
	lab_push(lab, app, "config");
	lab_image(lab, app, "v1", "config", NULL);
	use(lab, app, v1);
	use(lab, app, digest);
	OK(lab_drop(lab, app, digest, &e), e);
	flush(lab);
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM stamp"), 0);
}

static void what_is_pushed_is_not_marked_as_cached(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	lab_push(lab, local("app"), "config");
	lab_image(lab, local("app"), "v1", "config", NULL);
	lab_image(lab, upstream("app"), "v1", "other", NULL);
	assert_int_equal(lab_number(lab, "SELECT sum(cached) FROM stamp"), 1);
}

static void the_collector_stamps_at_its_end(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	lab_image(lab, upstream("app"), "v1", "config", NULL);
	run_for(lab, 70);
	use(lab, upstream("app"), by_tag("v1"));
	store_collect(lab->store, 1000000);
	lab_reopen(lab);
	assert_in_range(lab_number(lab, USED("config+")), 70000, 80000);
}

/* ------------------------------------------------------------ many at once */

enum { THREADS = 4, IMAGES = 100, ROUNDS = 2000 };

static void use_many(void *arg)
{
	for (uint64_t i = 0; i < ROUNDS; i++)
		meta_use(arg, (1 + i % IMAGES) * 2);
}

static void no_note_is_lost_among_many_threads(void **state)
{
	struct lab *lab = *state;
	struct thread threads[THREADS];
	char config[16];

	lab_open(lab);
	for (int i = 0; i < IMAGES; i++) {
		snprintf(config, sizeof(config), "config%d", i);
		lab_image(lab, upstream("app"), NULL, config, NULL);
	}
	run_for(lab, 70);
	for (size_t i = 0; i < THREADS; i++)
		thread_start(&threads[i], "use", use_many, lab->meta);
	for (int i = 0; i < 10; i++)
		flush(lab);
	for (size_t i = 0; i < THREADS; i++)
		thread_join(&threads[i]);
	flush(lab);
	assert_int_equal(
		lab_number(lab,
			   "SELECT count(*) FROM stamp WHERE used = 70000"),
		IMAGES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ALSO_KEEPER(registry_time_is_the_time_that_it_ran),
		EACH_PARTY(what_is_put_is_stamped),
		EACH_PARTY(a_pull_by_digest_stamps_the_manifest),
		EACH_PARTY(a_pull_by_tag_stamps_both),
		EACH_PARTY(a_pull_of_an_index_stamps_what_it_names),
		ALSO_KEEPER(pulls_of_large_indexes_are_stamped_all_the_same),
		EACH_PARTY(what_is_gone_by_the_flush_is_no_error),
		EACH_PARTY(what_is_pushed_is_not_marked_as_cached),
		ALSO_CLIENTS(the_collector_stamps_at_its_end),
		LAB_TEST(no_note_is_lost_among_many_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
