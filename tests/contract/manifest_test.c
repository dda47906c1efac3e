/*
 * The verbs of meta/meta.h about manifests that name others: what is missing
 * or of another size, conditions, several tags, referrers, and the lists.
 */
#include "store_lab.h"

#include <string.h>

#include "meta/db.h"

#define IMAGE "application/vnd.oci.image.manifest.v1+json"

static struct descriptor blob(const char *bytes, int64_t size)
{
	return (struct descriptor){
		.role = DESCRIPTOR_LAYER,
		.digest = digest_of(bytes),
		.size = size,
	};
}

/* A manifest that is its text, and names blobs. */
static struct manifest manifest_of(const char *text, struct descriptor *named,
				   size_t count)
{
	return (struct manifest){
		.media_type = IMAGE,
		.bytes = span_of(text),
		.digest = digest_of(text),
		.descriptors = named,
		.count = count,
	};
}

struct putting {
	struct repository at;
	struct reference reference;
	struct manifest manifest;
	struct descriptor named[4];
	struct meta_guard guard;
};

static int manifest_put(struct lab *lab, void *arg, struct err *e)
{
	struct putting *it = arg;
	struct meta_put put = {
		.repository = &it->at,
		.manifest = &it->manifest,
		.reference = &it->reference,
		.guard = it->guard.allows ? &it->guard : NULL,
	};

	it->manifest.descriptors = it->named;
	return meta_manifest_put(lab->meta, &put, e);
}

static int put(struct lab *lab, struct repository at, struct manifest *manifest,
	       const struct meta_guard *guard, struct err *e)
{
	struct putting it = {
		.at = at,
		.reference = by_tag("v1"),
		.manifest = *manifest,
		.guard = guard ? *guard : (struct meta_guard){ 0 },
	};
	size_t size = manifest->count * sizeof(it.named[0]);

	assert_true(size <= sizeof(it.named));
	if (size > 0)
		memcpy(it.named, manifest->descriptors, size);
	int failed = lab_do(lab, LAB_CLIENT, manifest_put, &it, sizeof(it), e);
	if (size > 0)
		memcpy(manifest->descriptors, it.named, size);
	return failed;
}

/* ------------------------------------------------------ what it names */

static void each_blob_that_is_missing_is_marked(void **state)
{
	struct lab *lab = *state;
	struct descriptor named[] = {
		blob("here", 4),
		blob("one", 3),
		blob("two", 3),
		{ .role = DESCRIPTOR_LAYER, .foreign = true },
	};
	struct manifest manifest = manifest_of("m", named, array_size(named));
	struct err e;

	lab_open(lab);
	lab_push(lab, local("app"), "here");
	FAILS(put(lab, local("app"), &manifest, NULL, &e), e,
	      ERR_MANIFEST_BLOB_UNKNOWN);
	assert_false(named[0].missing);
	assert_true(named[1].missing);
	assert_true(named[2].missing);
	assert_false(named[3].missing);
	assert_false(lab_has_manifest(lab, local("app"), by_digest("m")));
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM named"), 0);
}

static void what_is_missing_may_be_accepted(void **state)
{
	struct lab *lab = *state;
	struct repository app = local("app");
	struct descriptor named[] = { blob("one", 3) };
	struct manifest manifest = manifest_of("m", named, 1);
	struct reference reference = by_digest("m");
	struct meta_put accepted = {
		.repository = &app,
		.manifest = &manifest,
		.reference = &reference,
		.accept_missing = true,
	};
	struct err e;

	lab_open(lab);
	OK(meta_manifest_put(lab->meta, &accepted, &e), e);
	assert_true(named[0].missing);
	assert_true(lab_has_manifest(lab, app, reference));
}

static void whatever_an_index_names_may_be_missing(void **state)
{
	struct lab *lab = *state;
	struct descriptor named[] = {
		{ .role = DESCRIPTOR_MANIFEST, .digest = digest_of("gone") },
		blob("a layer of a cache", 1),
		blob("a manifest of an unknown type", 29),
	};
	struct manifest index = manifest_of("index", named, array_size(named));
	struct manifest child =
		manifest_of("a manifest of an unknown type", NULL, 0);
	struct err e;

	lab_open(lab);
	index.kind = MANIFEST_INDEX;
	OK(put(lab, local("app"), &child, NULL, &e), e);
	OK(put(lab, local("app"), &index, NULL, &e), e);
	assert_true(named[0].missing);
	assert_true(named[1].missing);
	assert_false(named[2].missing);
}

static void a_descriptor_has_the_size_of_what_is_here(void **state)
{
	struct lab *lab = *state;
	struct descriptor layer[] = { blob("layer", 6) };
	struct descriptor child[] = {
		{ .role = DESCRIPTOR_MANIFEST,
		  .digest = digest_of("child"),
		  .size = 4 },
	};
	struct manifest image = manifest_of("image", layer, 1);
	struct manifest index = manifest_of("index", child, 1);
	struct manifest empty = manifest_of("child", NULL, 0);
	struct err e;

	lab_open(lab);
	index.kind = MANIFEST_INDEX;
	lab_push(lab, local("app"), "layer");
	OK(put(lab, local("app"), &empty, NULL, &e), e);
	FAILS(put(lab, local("app"), &image, NULL, &e), e, ERR_SIZE_INVALID);
	FAILS(put(lab, local("app"), &index, NULL, &e), e, ERR_SIZE_INVALID);
	layer[0].size = child[0].size = 5;
	OK(put(lab, local("app"), &image, NULL, &e), e);
	OK(put(lab, local("app"), &index, NULL, &e), e);
}

/* ------------------------------------------------------------- conditions */

/* Allows a change while the reference means `arg`, a text; null is nothing. */
static bool is_still(const void *arg, const struct digest *now)
{
	struct digest digest = digest_of(arg ? arg : "");

	return arg ? now && digest_eq(now, &digest) : !now;
}

static void a_tag_moves_only_while_it_is_what_the_client_knows(void **state)
{
	struct lab *lab = *state;
	struct repository app = local("app");
	struct manifest one = manifest_of("one", NULL, 0);
	struct manifest two = manifest_of("two", NULL, 0);
	struct meta_guard is_none = { is_still, NULL };
	struct meta_guard is_one = { is_still, "one" };
	struct tag v1 = tag_of("v1");
	struct digest digest = digest_of("two");
	struct err e;

	lab_open(lab);
	FAILS(put(lab, app, &one, &is_one, &e), e, ERR_PRECONDITION);
	OK(put(lab, app, &one, &is_none, &e), e);
	FAILS(put(lab, app, &two, &is_none, &e), e, ERR_PRECONDITION);
	assert_false(lab_has_manifest(lab, app, by_digest("two")));
	OK(put(lab, app, &two, &is_one, &e), e);

	FAILS(meta_tag_drop(lab->meta, &app, &v1, &is_one, &e), e,
	      ERR_PRECONDITION);
	FAILS(meta_manifest_drop(lab->meta, &app, &digest, &is_one, &e), e,
	      ERR_PRECONDITION);
	assert_true(lab_has_manifest(lab, app, by_tag("v1")));
}

static void a_push_by_digest_points_all_its_tags_or_none(void **state)
{
	struct lab *lab = *state;
	struct repository app = local("app");
	struct descriptor named[] = { blob("layer", 5) };
	struct manifest manifest = manifest_of("m", named, 1);
	struct reference reference = by_digest("m");
	struct tag tags[] = { tag_of("a"), tag_of("b") };
	struct meta_put several = {
		.repository = &app,
		.manifest = &manifest,
		.reference = &reference,
		.tags = tags,
		.tag_count = array_size(tags),
	};
	struct err e;

	lab_open(lab);
	FAILS(meta_manifest_put(lab->meta, &several, &e), e,
	      ERR_MANIFEST_BLOB_UNKNOWN);
	assert_false(lab_has_manifest(lab, app, by_tag("a")));
	lab_push(lab, app, "layer");
	OK(meta_manifest_put(lab->meta, &several, &e), e);
	assert_true(lab_has_manifest(lab, app, by_tag("a")));
	assert_true(lab_has_manifest(lab, app, by_tag("b")));
}

/* -------------------------------------------------------------- referrers */

/* A manifest whose subject is the text "subject". */
static void refer(struct lab *lab, struct repository at, const char *text,
		  const char *type)
{
	struct manifest manifest = manifest_of(text, NULL, 0);
	struct err e;

	manifest.has_subject = true;
	manifest.subject = digest_of("subject");
	strcpy(manifest.artifact_type, type);
	OK(put(lab, at, &manifest, NULL, &e), e);
}

static struct meta_referrers to_subject(void)
{
	return (struct meta_referrers){
		.subject = digest_of("subject"),
		.room = SIZE_MAX,
	};
}

/* The sizes in their descriptors, in order: "3 5 ". */
static const char *listed(struct lab *lab, struct repository at,
			  struct meta_referrers *list)
{
	auto_buf struct buf out = { 0 }, sizes = { 0 };
	struct err e;

	OK(meta_referrers_peek(lab->meta, &at, list, &out, &e), e);
	buf_add(&sizes, SPAN(""));
	for (const char *at_size = out.at;
	     at_size && (at_size = strstr(at_size, "\"size\":")); at_size++)
		buf_addf(&sizes, "%d ", atoi(at_size + strlen("\"size\":")));
	return arena_text(lab->arena, buf_span(&sizes));
}

static const char *all_listed(struct lab *lab, struct repository at)
{
	struct meta_referrers list = to_subject();

	return listed(lab, at, &list);
}

static void referrers_are_listed_in_the_order_of_their_puts(void **state)
{
	struct lab *lab = *state;
	struct repository app = local("app");
	struct digest two = digest_of("22"), subject = digest_of("subject");
	struct manifest manifest = manifest_of("subject", NULL, 0);
	struct err e;

	lab_open(lab);
	assert_string_equal(all_listed(lab, local("app")), "");
	refer(lab, local("app"), "333", "a/b");
	refer(lab, local("app"), "22", "a/b");
	refer(lab, local("app"), "333", "a/b");
	refer(lab, upstream("app"), "55555", "a/b");
	assert_string_equal(all_listed(lab, local("app")), "3 2 ");
	assert_string_equal(all_listed(lab, upstream("app")), "5 ");
	assert_string_equal(all_listed(lab, local("other")), "");

	/* With the subject, and without it. */
	OK(put(lab, local("app"), &manifest, NULL, &e), e);
	OK(meta_manifest_drop(lab->meta, &app, &subject, NULL, &e), e);
	assert_string_equal(all_listed(lab, local("app")), "3 2 ");
	OK(meta_manifest_drop(lab->meta, &app, &two, NULL, &e), e);
	assert_string_equal(all_listed(lab, local("app")), "3 ");
}

static void referrers_come_in_pages_of_so_many_bytes(void **state)
{
	struct lab *lab = *state;
	struct meta_referrers list = to_subject();

	lab_open(lab);
	refer(lab, local("app"), "1", "a/b");
	refer(lab, local("app"), "22", "a/b");
	refer(lab, local("app"), "333", "a/b");
	list.room = 1;
	assert_string_equal(listed(lab, local("app"), &list), "1 ");
	assert_true(list.more);
	list.room = 500;
	assert_string_equal(listed(lab, local("app"), &list), "2 3 ");
	assert_int_equal(list.count, 2);
	assert_false(list.more);
	assert_string_equal(listed(lab, local("app"), &list), "");
	assert_int_equal(list.count, 0);
}

static void referrers_are_chosen_by_their_type(void **state)
{
	struct lab *lab = *state;
	struct span types[] = { SPAN("a/b"), SPAN("a/c") };
	struct meta_referrers list = to_subject();

	lab_open(lab);
	refer(lab, local("app"), "1", "a/b");
	refer(lab, local("app"), "22", "");
	refer(lab, local("app"), "333", "a/c");
	list.types = types;
	list.type_count = 1;
	assert_string_equal(listed(lab, local("app"), &list), "1 ");
	list.type_count = 2;
	list.after = 0;
	assert_string_equal(listed(lab, local("app"), &list), "1 3 ");
	types[0] = SPAN("a");
	list.type_count = 1;
	list.after = 0;
	assert_string_equal(listed(lab, local("app"), &list), "");
}

/* A database as the first step of the schema made it. */
static struct db *first_database(struct lab *lab)
{
	char path[256], text[16384];
	struct db *db;
	struct err e;

	snprintf(path, sizeof(path), "%s/src/meta/schema/0001_first.sql",
		 getenv("SOURCE_ROOT"));
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	snprintf(path, sizeof(path), "%s/registry.db", lab->path);
	OK(db_open(path, DB_WRITER, &db, &e), e);
	OK(db_step_take(db, 1, text, &e), e);
	return db;
}

static void what_was_put_before_there_were_lists_is_listed(void **state)
{
	static const char *const rows[] = {
		"INSERT INTO repository (id, upstream, name)"
		" VALUES (1, 'docker.io', 'app')",
		"INSERT INTO manifest (repository, digest, media_type,"
		" artifact_type, subject, bytes) VALUES (1,"
		" zeroblob(33), '" IMAGE "', '', x'00',"
		" CAST('{\"schemaVersion\":2,\"config\":{\"digest\":\"sha256:"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaa\",\"size\":1},\"subject\":{\"digest\":\"sha256:"
		"0000000000000000000000000000000000000000000000000000000000000"
		"000\",\"size\":1}}' AS BLOB))",
	};
	struct lab *lab = *state;
	struct meta_referrers list = { .room = SIZE_MAX };
	struct meta_page page = { .limit = 9, .arena = lab->arena };
	struct db *db = first_database(lab);
	struct err e;

	for (size_t i = 0; i < array_size(rows); i++)
		OK(db_do(db, rows[i], DB_NO_ARGS, &e), e);
	db_close(&db);
	lab_open(lab);
	assert_string_equal(listed(lab, upstream("app"), &list), "226 ");
	OK(meta_repositories_peek(lab->meta, "docker.io", &page, &e), e);
	assert_int_equal(page.count, 1);
}

static void what_was_pushed_before_an_upgrade_is_as_it_was(void **state)
{
	static const char *const rows[] = {
		"INSERT INTO repository (id, upstream, name) VALUES"
		" (1, '', 'app'), (2, 'docker.io', 'cached')",
		"INSERT INTO blob (id, digest, size) VALUES"
		" (1, randomblob(33), 10), (2, randomblob(33), 5)",
		"INSERT INTO link (digest, repository, touched)"
		" SELECT digest, id, 1 FROM blob",
		"INSERT INTO manifest (id, repository, digest, media_type,"
		" artifact_type, bytes) VALUES"
		" (1, 1, zeroblob(33), '" IMAGE "', '', x'00')",
		"INSERT INTO tag (repository, name, manifest, checked) VALUES"
		" (1, 'a', 1, 200), (1, 'b', 1, 100)",
	};
	struct lab *lab = *state;
	struct db *db = first_database(lab);
	struct err e;

	for (size_t i = 0; i < array_size(rows); i++)
		OK(db_do(db, rows[i], DB_NO_ARGS, &e), e);
	db_close(&db);
	lab_open(lab);
	assert_true(lab_has_manifest(lab, local("app"), by_tag("b")));
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM link"), 2);
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM stamp"), 1);
	assert_int_equal(lab_number(lab, "SELECT cached_bytes FROM state"), 5);
	assert_int_equal(
		lab_number(lab, "SELECT turn FROM tag WHERE name = 'a'"), 2);
}

/* ------------------------------------------------------------------ lists */

static void repositories_are_listed_once_their_name_is_taken(void **state)
{
	struct lab *lab = *state;
	struct manifest manifest = manifest_of("m", NULL, 0);
	struct repository b = local("b");
	struct digest digest = digest_of("m");
	struct meta_page page = { .limit = 2, .arena = lab->arena };
	struct err e;

	lab_open(lab);
	lab_push(lab, local("only-a-blob"), "layer");
	OK(put(lab, b, &manifest, NULL, &e), e);
	OK(put(lab, local("a/b"), &manifest, NULL, &e), e);
	OK(put(lab, local("a-b"), &manifest, NULL, &e), e);
	OK(put(lab, upstream("library/a"), &manifest, NULL, &e), e);
	OK(meta_manifest_drop(lab->meta, &b, &digest, NULL, &e), e);

	OK(meta_repositories_peek(lab->meta, "", &page, &e), e);
	assert_int_equal(page.count, 2);
	assert_string_equal(page.names[0], "a-b");
	assert_string_equal(page.names[1], "a/b");
	assert_true(page.more);
	page.after = "a/c"; /* which is not there */
	OK(meta_repositories_peek(lab->meta, "", &page, &e), e);
	assert_int_equal(page.count, 1);
	assert_string_equal(page.names[0], "b");
	assert_false(page.more);

	page.after = NULL;
	OK(meta_repositories_peek(lab->meta, "docker.io", &page, &e), e);
	assert_int_equal(page.count, 1);
	assert_string_equal(page.names[0], "library/a");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ALSO_CLIENTS(each_blob_that_is_missing_is_marked),
		LAB_TEST(what_is_missing_may_be_accepted),
		ALSO_CLIENTS(whatever_an_index_names_may_be_missing),
		ALSO_CLIENTS(a_descriptor_has_the_size_of_what_is_here),
		ALSO_CLIENTS(
			a_tag_moves_only_while_it_is_what_the_client_knows),
		ALSO_CLIENTS(a_push_by_digest_points_all_its_tags_or_none),
		ALSO_CLIENTS(referrers_are_listed_in_the_order_of_their_puts),
		ALSO_CLIENTS(referrers_come_in_pages_of_so_many_bytes),
		ALSO_CLIENTS(referrers_are_chosen_by_their_type),
		LAB_TEST(what_was_put_before_there_were_lists_is_listed),
		LAB_TEST(what_was_pushed_before_an_upgrade_is_as_it_was),
		ALSO_CLIENTS(repositories_are_listed_once_their_name_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
