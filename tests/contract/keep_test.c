/*
 * The promises of meta/rules.h and store/store.h about what rules keep: what
 * goes, what never does, and what happens between the look and the removal.
 */
#include "store_lab.h"

#include <stdatomic.h>
#include <string.h>

#include "base/thread.h"

#define MINUTE INT64_C(60000)
#define DAY (1440 * MINUTE)

/* ------------------------------------------------------ words of this file */

struct keeping {
	struct keep_rule rule;
	bool dry;
	char told[8000];
};

static void tell(const struct store_gone *gone, void *arg)
{
	struct keeping *it = arg;
	char line[400];

	snprintf(line, sizeof(line), "%s%s%s ", gone->repository->name.s,
		 gone->tag ? ":" : "@", gone->tag ? gone->tag->s : "");
	strcat(it->told, line);
}

static int keep_do(struct lab *lab, void *arg, struct err *e)
{
	struct keeping *it = arg;
	struct store_keep how = {
		.rules = &it->rule,
		.count = 1,
		.dry = it->dry,
		.tell = tell,
		.arg = it,
	};
	struct store_kept kept;

	return store_keep(lab->store, &how, &kept, e);
}

/* What was told. */
static const char *keep(struct lab *lab, struct keep_rule rule, bool dry)
{
	static struct keeping it;
	struct err e;

	it = (struct keeping){ .rule = rule, .dry = dry };
	OK(lab_do(lab, LAB_KEEPER, keep_do, &it, sizeof(it), &e), e);
	return it.told;
}

static void push(struct lab *lab, const char *name, const char *tag,
		 const char *config)
{
	lab_push(lab, local(name), config);
	lab_image(lab, local(name), tag, config, NULL);
}

static bool has(struct lab *lab, const char *name, const char *tag)
{
	return lab_has_manifest(lab, local(name), by_tag(tag));
}

static bool has_image(struct lab *lab, const char *name, const char *config)
{
	struct digest digest = image_of(config, NULL);

	return lab_has_manifest(lab, local(name), reference_to_digest(&digest));
}

static void drop(struct lab *lab, const char *name, struct reference reference)
{
	struct err e;

	OK(lab_drop(lab, local(name), reference, &e), e);
}

/* With one child, or one subject. */
static void put(struct lab *lab, const char *name, const char *tag,
		const char *text, const struct digest *child,
		const struct digest *subject)
{
	struct repository at = local(name);
	struct descriptor named = { .role = DESCRIPTOR_MANIFEST };
	struct manifest manifest = {
		.kind = MANIFEST_INDEX,
		.media_type = "application/vnd.oci.image.index.v1+json",
		.artifact_type = "",
		.bytes = span_of(text),
		.digest = digest_of(text),
		.has_subject = subject,
		.descriptors = &named,
		.count = child ? 1 : 0,
	};
	struct reference reference = tag ? by_tag(tag) : by_digest(text);
	struct meta_put put = {
		.repository = &at,
		.manifest = &manifest,
		.reference = &reference,
	};
	struct err e;

	if (child) {
		named.digest = *child;
		named.size = lab_number(lab, "SELECT length(bytes)"
					     " FROM manifest LIMIT 1");
	}
	if (subject)
		manifest.subject = *subject;
	OK(store_put_manifest(lab->store, &put, &e), e);
}

#define ALL .repositories = "**"

/* ------------------------------------------------------------------- tags */

static void the_last_pushed_stay_also_if_they_were_only_moved(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	push(lab, "app", "latest", "one");
	push(lab, "app", "a", "one");
	push(lab, "app", "b", "two");
	push(lab, "app", "latest", "three");
	struct keep_rule rule = { ALL, .last = 2 };
	assert_string_equal(keep(lab, rule, true), "app:a ");
	assert_true(has(lab, "app", "a"));
	assert_string_equal(keep(lab, rule, false), "app:a ");
	assert_false(has(lab, "app", "a"));
	assert_true(has(lab, "app", "b") && has(lab, "app", "latest"));
	assert_true(has_image(lab, "app", "one"));
	assert_string_equal(keep(lab, rule, false), "");
}

static void other_repositories_keep_everything(void **state)
{
	struct lab *lab = *state;
	struct keep_rule rule = { .repositories = "ci/*", .tags = "none" };

	lab_open(lab);
	push(lab, "app", "1", "one");
	lab_image(lab, upstream("ci/app"), "1", "one", NULL);
	push(lab, "ci/app", "1", "one");
	assert_string_equal(keep(lab, rule, false), "ci/app:1 ");
	assert_true(has(lab, "app", "1"));
	assert_true(lab_has_manifest(lab, upstream("ci/app"), by_tag("1")));
}

static void what_is_pulled_stays_by_tag_and_by_digest(void **state)
{
	struct lab *lab = *state;
	struct digest digest = image_of("two", NULL);

	lab_open(lab);
	push(lab, "app", "1", "one");
	push(lab, "app", "2", "two");
	push(lab, "app", "3", "three");
	lab_runs(lab, 3 * DAY);
	lab_pull(lab, local("app"), by_tag("1"));
	lab_pull(lab, local("app"), reference_to_digest(&digest));
	push(lab, "app", "4", "four");
	struct keep_rule rule = { ALL, .pulled_within = DAY };
	assert_string_equal(keep(lab, rule, false), "app:3 ");
}

static void what_was_pushed_long_ago_goes(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	push(lab, "app", "1", "one");
	push(lab, "app", "2", "two");
	lab_runs(lab, 3 * DAY);
	push(lab, "app", "2", "two");
	struct keep_rule rule = { ALL, .pushed_within = DAY };
	assert_string_equal(keep(lab, rule, false), "app:1 ");
}

static void an_immutable_tag_stays(void **state)
{
	struct lab *lab = *state;
	struct meta_immutable one = { "**", "v*" };
	struct meta_rules rules = { .immutable = &one, .immutable_count = 1 };
	struct keep_rule rule = { ALL, .tags = "none" };
	struct err e;

	lab_open(lab);
	OK(meta_rules_set(lab->meta, &rules, &e), e);
	push(lab, "app", "v1", "one");
	push(lab, "app", "x", "one");
	assert_string_equal(keep(lab, rule, false), "app:x ");
}

static void an_attached_tag_stays_with_its_manifest_and_counts_not(void **state)
{
	struct lab *lab = *state;
	struct digest digest = image_of("one", NULL);
	char tag[200];

	lab_open(lab);
	snprintf(tag, sizeof(tag), "sha256-%.64s.sig",
		 digest_text(&digest).s + strlen("sha256:"));
	push(lab, "app", "1", "one");
	push(lab, "app", tag, "signature");
	struct keep_rule rule = { ALL, .last = 1 };
	assert_string_equal(keep(lab, rule, false), "");
	drop(lab, "app", reference_to_digest(&digest));
	keep(lab, rule, false);
	assert_false(has(lab, "app", tag));
}

static void many_tags_go_page_by_page(void **state)
{
	struct lab *lab = *state;
	char tag[16];

	lab_open(lab);
	for (int i = 0; i < 700; i++) {
		snprintf(tag, sizeof(tag), "%s%d", i % 3 ? "x" : "v", i);
		if (i)
			lab_image(lab, local("app"), tag, "one", NULL);
		else
			push(lab, "app", tag, "one");
	}
	keep(lab, (struct keep_rule){ ALL, .tags = "v*" }, false);
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM tag"), 234);
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM tag"
					 " WHERE name LIKE 'v%'"),
			 234);
}

/* -------------------------------------------------------------- manifests */

static void
an_untagged_manifest_goes_after_its_time_and_never_else(void **state)
{
	struct lab *lab = *state;
	struct keep_rule rule = { ALL, .untagged_after = 2 * DAY };

	lab_open(lab);
	push(lab, "app", "1", "one");
	lab_runs(lab, 9 * DAY);
	push(lab, "app", "1", "two"); /* from now on, one is untagged */
	assert_string_equal(keep(lab, rule, false), "");
	lab_runs(lab, DAY);
	assert_string_equal(keep(lab, rule, false), "");
	lab_runs(lab, DAY);
	assert_string_equal(
		keep(lab, (struct keep_rule){ ALL, .last = 9 }, false), "");
	assert_string_equal(keep(lab, rule, true), "app@ ");
	assert_string_equal(keep(lab, rule, false), "app@ ");
	assert_false(has_image(lab, "app", "one"));
	assert_true(has(lab, "app", "1"));
}

static void one_that_is_pulled_by_digest_stays(void **state)
{
	struct lab *lab = *state;
	struct keep_rule rule = { ALL, .untagged_after = 2 * DAY };
	struct digest digest = image_of("one", NULL);

	lab_open(lab);
	push(lab, "app", "1", "one");
	push(lab, "app", "1", "two");
	lab_runs(lab, 3 * DAY);
	lab_pull(lab, local("app"), reference_to_digest(&digest));
	assert_string_equal(keep(lab, rule, false), "");
}

static void what_an_index_names_stays_with_it_and_goes_with_it(void **state)
{
	struct lab *lab = *state;
	struct keep_rule rule = { ALL, .untagged_after = DAY };
	struct digest child = image_of("one", NULL);

	lab_open(lab);
	lab_push(lab, local("app"), "one");
	lab_image(lab, local("app"), NULL, "one", NULL);
	put(lab, "app", "all", "index", &child, NULL);
	lab_runs(lab, 9 * DAY);
	assert_string_equal(keep(lab, rule, false), "");
	drop(lab, "app", by_tag("all"));
	assert_string_equal(keep(lab, rule, false), "");
	lab_runs(lab, 2 * DAY);
	assert_string_equal(keep(lab, rule, true), "app@ app@ ");
	assert_string_equal(keep(lab, rule, false), "app@ app@ ");
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM manifest"), 0);
}

static void a_referrer_stays_with_its_subject_and_then_if_it_may(void **state)
{
	struct lab *lab = *state;
	struct keep_rule rule = { ALL, .untagged_after = DAY };
	struct digest subject = image_of("one", NULL);

	lab_open(lab);
	push(lab, "app", "1", "one");
	put(lab, "app", NULL, "signature", NULL, &subject);
	lab_runs(lab, 9 * DAY);
	rule.orphans = true;
	assert_string_equal(keep(lab, rule, false), "");
	drop(lab, "app", reference_to_digest(&subject));
	rule.orphans = false;
	assert_string_equal(keep(lab, rule, false), "");
	rule.orphans = true;
	assert_string_equal(keep(lab, rule, false), "app@ ");
}

/* Each of a layer is named by all of the next: there are 16^8 ways through. */
static void a_web_of_old_indexes_goes_layer_by_layer(void **state)
{
	struct lab *lab = *state;
	struct keep_rule rule = { ALL, .untagged_after = DAY };
	char text[16];

	lab_open(lab);
	for (int i = 0; i < 9 * 16; i++) {
		snprintf(text, sizeof(text), "index %d", i);
		put(lab, "app", NULL, text, NULL, NULL);
	}
	lab_number(lab, "INSERT INTO named"
			" SELECT below.digest, below.repository, above.id, 3, 1"
			" FROM manifest AS below JOIN manifest AS above"
			" ON (above.id - 1) / 16 = (below.id - 1) / 16 + 1"
			" RETURNING 1");
	lab_runs(lab, 2 * DAY);
	keep(lab, rule, true);
	keep(lab, rule, false);
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM manifest"), 0);
}

static void blobs_of_what_went_are_released(void **state)
{
	struct lab *lab = *state;
	struct keep_rule rule = { ALL, .untagged_after = DAY };

	lab_open(lab);
	push(lab, "app", "1", "one");
	lab_age(lab);
	push(lab, "app", "1", "two");
	lab_runs(lab, 2 * DAY);
	assert_string_equal(keep(lab, rule, false), "app@ ");
	assert_true(lab_has(lab, local("app"), "one"));
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM link, state"
					 " WHERE touched = epoch"),
			 2);
}

/* ------------------------------------------- between look and removal */

struct walk {
	struct keep_rule rule;
	const struct keep_rule *fit[1];
	struct keep_rules rules;
	struct meta_place place;
	struct meta_keep page;
};

static void look(struct lab *lab, struct walk *walk, enum meta_surplus kind)
{
	struct err e;

	walk->fit[0] = &walk->rule;
	walk->rules = (struct keep_rules){ walk->fit, 1 };
	OK(meta_place_next(lab->meta, 0, &walk->place, &e), e);
	walk->page = (struct meta_keep){
		.kind = kind,
		.place = &walk->place,
		.rules = &walk->rules,
		.arena = lab->arena,
	};
	OK(meta_keep_look(lab->meta, &walk->page, &e), e);
	assert_int_equal(walk->page.count, 1);
}

static void take(struct lab *lab, struct walk *walk, size_t expected)
{
	struct err e;

	OK(meta_keep_take(lab->meta, &walk->page, &e), e);
	assert_int_equal(walk->page.count, expected);
}

static void nothing(struct lab *lab)
{
	(void)lab;
}

static void tag_pulled(struct lab *lab)
{
	lab_pull(lab, local("app"), by_tag("old"));
}

static void tag_pulled_and_noted(struct lab *lab)
{
	struct err e;

	lab_pull(lab, local("app"), by_tag("old"));
	OK(meta_use_flush(lab->meta, &e), e);
}

static void image_pulled(struct lab *lab)
{
	struct digest digest = image_of("one", NULL);

	lab_pull(lab, local("app"), reference_to_digest(&digest));
}

static void tag_pushed(struct lab *lab)
{
	push(lab, "app", "old", "one");
}

static void tag_moved(struct lab *lab)
{
	push(lab, "app", "old", "three");
}

static void others_deleted(struct lab *lab)
{
	drop(lab, "app", by_tag("new"));
}

static void made_immutable(struct lab *lab)
{
	struct meta_immutable one = { "**", "*" };
	struct meta_rules rules = { .immutable = &one, .immutable_count = 1 };
	struct err e;

	OK(meta_rules_set(lab->meta, &rules, &e), e);
}

static void a_tag_used_since_the_look_stays(void **state)
{
	static const struct {
		void (*meanwhile)(struct lab *);
		size_t gone;
	} rows[] = {
		{ nothing, 1 },	       { tag_pulled, 0 },
		{ image_pulled, 0 },   { tag_pulled_and_noted, 0 },
		{ tag_pushed, 0 },     { tag_moved, 0 },
		{ others_deleted, 0 }, { made_immutable, 0 },
	};
	struct lab *lab = *state;

	for (size_t i = 0; i < array_size(rows); i++) {
		struct walk walk = { .rule = { ALL, .last = 1,
					       .pulled_within = DAY } };

		lab_renew(state);
		lab = *state;
		lab_open(lab);
		push(lab, "app", "old", "one");
		push(lab, "app", "new", "two");
		lab_runs(lab, 9 * DAY);
		look(lab, &walk, META_TAGS);
		rows[i].meanwhile(lab);
		take(lab, &walk, rows[i].gone);
		assert_int_equal(has(lab, "app", "old"), !rows[i].gone);
	}
}

static void manifest_tagged(struct lab *lab)
{
	lab_image(lab, local("app"), "again", "one", NULL);
}

static void manifest_tagged_and_left(struct lab *lab)
{
	manifest_tagged(lab);
	drop(lab, "app", by_tag("again"));
}

static void manifest_named(struct lab *lab)
{
	struct digest child = image_of("one", NULL);

	put(lab, "app", "all", "index", &child, NULL);
}

static void a_manifest_used_since_the_look_stays(void **state)
{
	static const struct {
		void (*meanwhile)(struct lab *);
		size_t gone;
	} rows[] = {
		{ nothing, 1 },		{ image_pulled, 0 },
		{ manifest_tagged, 0 }, { manifest_tagged_and_left, 0 },
		{ manifest_named, 0 },
	};
	struct lab *lab = *state;

	for (size_t i = 0; i < array_size(rows); i++) {
		struct walk walk = { .rule = { ALL, .untagged_after = DAY } };

		lab_renew(state);
		lab = *state;
		lab_open(lab);
		push(lab, "app", NULL, "one");
		lab_runs(lab, 9 * DAY);
		look(lab, &walk, META_MANIFESTS);
		rows[i].meanwhile(lab);
		take(lab, &walk, rows[i].gone);
		assert_int_equal(has_image(lab, "app", "one"), !rows[i].gone);
	}
}

struct flushing {
	struct thread thread;
	struct meta *meta;
	atomic_bool over;
};

static void flush_on(void *arg)
{
	struct flushing *flushing = arg;
	struct err e;

	while (!flushing->over)
		OK(meta_use_flush(flushing->meta, &e), e);
}

static void take_while_flushing(struct lab *lab, struct walk *walk)
{
	struct flushing flushing = { .meta = lab->meta };

	thread_start(&flushing.thread, "flush", flush_on, &flushing);
	tag_pulled(lab);
	take(lab, walk, 0);
	flushing.over = true;
	thread_join(&flushing.thread);
}

static void a_pull_counts_also_while_it_is_being_written_down(void **state)
{
	struct lab *lab = *state;
	struct walk walk = { .rule = { ALL, .pulled_within = DAY } };
	struct err e;

	lab_open(lab);
	push(lab, "app", "old", "one");
	for (int i = 0; i < 200; i++) {
		lab_runs(lab, 9 * DAY);
		look(lab, &walk, META_TAGS);
		take_while_flushing(lab, &walk);
		OK(meta_use_flush(lab->meta, &e), e);
	}
}

static void of_two_who_keep_at_once_one_removes(void **state)
{
	struct lab *lab = *state;
	struct walk walk = { .rule = { ALL, .last = 1 } };

	lab_open(lab);
	push(lab, "app", "old", "one");
	push(lab, "app", "new", "two");
	look(lab, &walk, META_TAGS);
	assert_string_equal(keep(lab, walk.rule, false), "app:old ");
	take(lab, &walk, 0);
	assert_true(has(lab, "app", "new"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH_PARTY(the_last_pushed_stay_also_if_they_were_only_moved),
		EACH_PARTY(other_repositories_keep_everything),
		EACH_PARTY(what_is_pulled_stays_by_tag_and_by_digest),
		EACH_PARTY(what_was_pushed_long_ago_goes),
		EACH_PARTY(an_immutable_tag_stays),
		EACH_PARTY(
			an_attached_tag_stays_with_its_manifest_and_counts_not),
		ALSO_KEEPER(many_tags_go_page_by_page),
		EACH_PARTY(
			an_untagged_manifest_goes_after_its_time_and_never_else),
		EACH_PARTY(one_that_is_pulled_by_digest_stays),
		EACH_PARTY(what_an_index_names_stays_with_it_and_goes_with_it),
		EACH_PARTY(
			a_referrer_stays_with_its_subject_and_then_if_it_may),
		ALSO_KEEPER(a_web_of_old_indexes_goes_layer_by_layer),
		EACH_PARTY(blobs_of_what_went_are_released),
		ALSO_CLIENTS(a_tag_used_since_the_look_stays),
		ALSO_CLIENTS(a_manifest_used_since_the_look_stays),
		ALSO_KEEPER(of_two_who_keep_at_once_one_removes),
		LAB_TEST(a_pull_counts_also_while_it_is_being_written_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
