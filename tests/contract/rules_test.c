/*
 * The promises of meta/rules.h about changes: immutable tags, quotas.
 */
#include "store_lab.h"

#include "base/thread.h"

struct ruling {
	struct meta_rules rules;
	struct meta_immutable immutable[1];
	struct meta_quota quotas[2];
};

static int rules_set(struct lab *lab, void *arg, struct err *e)
{
	struct ruling *it = arg;

	it->rules.immutable = it->immutable;
	it->rules.quotas = it->quotas;
	return meta_rules_set(lab->meta, &it->rules, e);
}

/* Patterns are literals. */
static void rules(struct lab *lab, struct meta_rules rules)
{
	struct ruling it = { .rules = rules };
	struct err e;

	for (size_t i = 0; i < rules.immutable_count; i++)
		it.immutable[i] = rules.immutable[i];
	for (size_t i = 0; i < rules.quota_count; i++)
		it.quotas[i] = rules.quotas[i];
	OK(lab_do(lab, LAB_KEEPER, rules_set, &it, sizeof(it), &e), e);
}

static void quota(struct lab *lab, const char *repositories, int64_t size)
{
	struct meta_quota one = { repositories, size };

	rules(lab, (struct meta_rules){ .quotas = &one, .quota_count = 1 });
}

static void immutable(struct lab *lab, const char *repositories,
		      const char *tags)
{
	struct meta_immutable one = { repositories, tags };

	rules(lab,
	      (struct meta_rules){ .immutable = &one, .immutable_count = 1 });
}

/* What is counted is what is there. */
static int64_t counted(struct lab *lab)
{
	int64_t bytes = lab_number(lab, "SELECT bytes FROM quota");

	assert_int_equal(
		bytes,
		lab_number(lab,
			   "SELECT (SELECT COALESCE(SUM(size), 0) FROM blob"
			   " WHERE digest IN (SELECT digest FROM link"
			   "  WHERE repository IN"
			   "  (SELECT repository FROM quota_member)))"
			   " + (SELECT COALESCE(SUM(length(bytes)), 0)"
			   "  FROM manifest WHERE repository IN"
			   "  (SELECT repository FROM quota_member))"));
	return bytes;
}

static int drop(struct lab *lab, const char *name, struct reference reference,
		struct err *e)
{
	return lab_drop(lab, local(name), reference, e);
}

/* -------------------------------------------------------------- immutable */

static void an_immutable_tag_is_neither_moved_nor_deleted(void **state)
{
	struct lab *lab = *state;
	struct err e;

	lab_open(lab);
	immutable(lab, "rel/**", "v*");
	lab_push(lab, local("rel/app"), "one");
	lab_push(lab, local("rel/app"), "two");
	lab_image(lab, local("rel/app"), "v1", "one", NULL);
	lab_image(lab, local("rel/app"), "v1", "one", NULL);
	FAILS(lab_put_image(lab, local("rel/app"), "v1", "two", NULL, &e), e,
	      ERR_DENIED);
	FAILS(drop(lab, "rel/app", by_tag("v1"), &e), e, ERR_DENIED);
	struct digest image = image_of("one", NULL);
	FAILS(drop(lab, "rel/app", reference_to_digest(&image), &e), e,
	      ERR_DENIED);
	assert_true(lab_has_manifest(lab, local("rel/app"), by_tag("v1")));
}

static void what_an_immutable_index_names_is_not_deleted(void **state)
{
	struct lab *lab = *state;
	struct digest child = image_of("child", NULL);
	struct err e;

	lab_open(lab);
	immutable(lab, "rel/**", "v*");
	lab_push(lab, local("rel/app"), "child");
	lab_image(lab, local("rel/app"), NULL, "child", NULL);
	lab_push(lab, local("rel/app"), "index");
	lab_image(lab, local("rel/app"), "v1", "index", NULL);
	lab_number(lab, "INSERT INTO named"
			" SELECT child.digest, 1, tag.manifest, 3, 1"
			" FROM manifest AS child, tag"
			" WHERE child.id <> tag.manifest RETURNING 1");
	FAILS(drop(lab, "rel/app", reference_to_digest(&child), &e), e,
	      ERR_DENIED);
	rules(lab, (struct meta_rules){ 0 });
	OK(drop(lab, "rel/app", reference_to_digest(&child), &e), e);
}

static void other_tags_and_other_repositories_are_free(void **state)
{
	struct lab *lab = *state;
	struct err e;

	lab_open(lab);
	immutable(lab, "rel/*", "v*");
	for (int i = 0; i < 2; i++) {
		const char *const at = i ? "app" : "rel/app";

		lab_push(lab, local(at), "one");
		lab_push(lab, local(at), "two");
		lab_image(lab, local(at), i ? "v1" : "latest", "one", NULL);
		lab_image(lab, local(at), i ? "v1" : "latest", "two", NULL);
		OK(drop(lab, at, by_tag(i ? "v1" : "latest"), &e), e);
	}
	lab_image(lab, upstream("rel/app"), "v1", "one", NULL);
	lab_image(lab, upstream("rel/app"), "v1", "two", NULL);
}

static void rules_hold_after_a_restart_until_others_are_set(void **state)
{
	struct lab *lab = *state;
	struct err e;

	lab_open(lab);
	immutable(lab, "**", "*");
	lab_push(lab, local("app"), "one");
	lab_image(lab, local("app"), "v1", "one", NULL);
	lab_reopen(lab);
	FAILS(drop(lab, "app", by_tag("v1"), &e), e, ERR_DENIED);
	rules(lab, (struct meta_rules){ 0 });
	OK(drop(lab, "app", by_tag("v1"), &e), e);
}

/* ----------------------------------------------------------------- quotas */

static void a_blob_counts_once_for_all_repositories_of_a_quota(void **state)
{
	struct lab *lab = *state;
	struct repository a = local("ci/a"), b = local("ci/b");
	struct err e;

	lab_open(lab);
	quota(lab, "ci/*", 25);
	lab_push(lab, a, "0123456789");
	assert_int_equal(counted(lab), 10);
	OK(lab_mount(lab, a, b, "0123456789", &e), e);
	lab_push(lab, b, "0123456789");
	lab_push(lab, local("other"), "something else entirely");
	lab_fetch(lab, upstream("ci/a"), "something that is fetched");
	assert_int_equal(counted(lab), 10);

	OK(lab_unlink(lab, a, "0123456789", &e), e);
	assert_int_equal(counted(lab), 10);
	OK(lab_unlink(lab, b, "0123456789", &e), e);
	assert_int_equal(counted(lab), 0);
}

static void what_would_be_more_is_denied(void **state)
{
	struct lab *lab = *state;
	struct repository other = local("other"), a = local("ci/a");
	struct digest digest = digest_of("0123456789");
	struct err e;

	lab_open(lab);
	quota(lab, "ci/*", 15);
	lab_push(lab, a, "abcdefghij");
	lab_push(lab, other, "0123456789");
	FAILS(lab_upload(lab, a, "0123456789", "0123456789", &e), e,
	      ERR_DENIED);
	FAILS(lab_mount(lab, other, a, "0123456789", &e), e, ERR_DENIED);
	FAILS(lab_put_image(lab, a, "v1", "abcdefghij", NULL, &e), e,
	      ERR_DENIED);
	assert_int_equal(counted(lab), 10);
	assert_int_equal(lab_files(lab, "incoming"), 0);
	lab_push(lab, a, "12345");
	assert_int_equal(counted(lab), 15);
	FAILS(meta_room_peek(lab->meta, &a, &digest, 10, &e), e, ERR_DENIED);
	digest = digest_of("12345");
	OK(meta_room_peek(lab->meta, &a, &digest, 5, &e), e);
	FAILS(meta_room_peek(lab->meta, &a, NULL, 1, &e), e, ERR_DENIED);
	OK(meta_room_peek(lab->meta, &other, NULL, 1, &e), e);
}

static void what_is_there_may_come_again_though_it_is_too_much(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	lab_push(lab, local("app"), "layer");
	lab_image(lab, local("app"), "v1", "layer", NULL);
	quota(lab, "**", 1);
	assert_int_equal(counted(lab), 11);
	lab_push(lab, local("app"), "layer");
	lab_push(lab, local("second"), "layer");
	lab_image(lab, local("app"), "v2", "layer", NULL);
	assert_int_equal(counted(lab), 11);
}

static void manifests_count_and_their_deletion_frees(void **state)
{
	struct lab *lab = *state;
	struct digest image = image_of("layer", NULL);
	struct err e;

	lab_open(lab);
	quota(lab, "app", 100);
	lab_push(lab, local("app"), "layer");
	lab_image(lab, local("app"), "v1", "layer", NULL);
	assert_int_equal(counted(lab), 11);
	OK(drop(lab, "app", reference_to_digest(&image), &e), e);
	assert_int_equal(counted(lab), 5);
}

static void a_new_pattern_is_summed_up_and_an_old_one_forgotten(void **state)
{
	struct lab *lab = *state;
	struct err e;

	lab_open(lab);
	lab_push(lab, local("a"), "12345");
	lab_push(lab, local("b"), "12345");
	lab_push(lab, local("b"), "67890");
	quota(lab, "a", 5);
	assert_int_equal(counted(lab), 5);
	quota(lab, "*", 10);
	assert_int_equal(counted(lab), 10);
	FAILS(lab_upload(lab, local("c"), "x", "x", &e), e, ERR_DENIED);
	quota(lab, "*", 11);
	lab_push(lab, local("c"), "x");
	rules(lab, (struct meta_rules){ 0 });
	lab_push(lab, local("c"), "y");
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM quota_member"),
			 0);
}

static void each_of_several_quotas_counts(void **state)
{
	struct lab *lab = *state;
	struct meta_quota both[] = { { "ci/**", 20 }, { "ci/a", 5 } };
	struct err e;

	lab_open(lab);
	rules(lab, (struct meta_rules){ .quotas = both, .quota_count = 2 });
	lab_push(lab, local("ci/b"), "abcdefghij");
	FAILS(lab_upload(lab, local("ci/a"), "abcdefghij", "abcdefghij", &e), e,
	      ERR_DENIED);
	lab_push(lab, local("ci/a"), "12345");
	lab_push(lab, local("ci/b"), "12345");
	lab_push(lab, local("ci/b"), "67890");
	FAILS(lab_upload(lab, local("ci/b"), "x", "x", &e), e, ERR_DENIED);
	lab_push(lab, local("cd"), "x");
}

/* ------------------------------------------------------------ all at once */

struct pusher {
	struct lab *lab;
	struct thread thread;
	int number;
	bool denied;
};

static void push(void *arg)
{
	struct pusher *pusher = arg;
	char bytes[16], name[16];
	struct err e;

	snprintf(bytes, sizeof(bytes), "content %02d", pusher->number);
	snprintf(name, sizeof(name), "ci/%d", pusher->number % 3);
	int failed = lab_upload(pusher->lab, local(name), bytes, bytes, &e);
	assert_true(!failed || e.kind == ERR_DENIED);
	pusher->denied = failed;
}

static void pushes_at_once_do_not_exceed_it_together(void **state)
{
	struct lab *lab = *state;
	struct pusher pushers[16];
	int denied = 0;

	lab_open(lab);
	quota(lab, "ci/*", 59);
	for (int i = 0; i < 16; i++) {
		pushers[i] = (struct pusher){ .lab = lab, .number = i };
		thread_start(&pushers[i].thread, "push", push, &pushers[i]);
	}
	for (int i = 0; i < 16; i++) {
		thread_join(&pushers[i].thread);
		denied += pushers[i].denied;
	}
	assert_int_equal(denied, 11);
	assert_int_equal(counted(lab), 50);
	assert_int_equal(lab_files(lab, "blobs"), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH_PARTY(an_immutable_tag_is_neither_moved_nor_deleted),
		EACH_PARTY(what_an_immutable_index_names_is_not_deleted),
		EACH_PARTY(other_tags_and_other_repositories_are_free),
		EACH_PARTY(rules_hold_after_a_restart_until_others_are_set),
		EACH_PARTY(a_blob_counts_once_for_all_repositories_of_a_quota),
		EACH_PARTY(what_would_be_more_is_denied),
		EACH_PARTY(what_is_there_may_come_again_though_it_is_too_much),
		EACH_PARTY(manifests_count_and_their_deletion_frees),
		EACH_PARTY(a_new_pattern_is_summed_up_and_an_old_one_forgotten),
		EACH_PARTY(each_of_several_quotas_counts),
		LAB_TEST(pushes_at_once_do_not_exceed_it_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
