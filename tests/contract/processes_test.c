/*
 * What one process knows of what others did to the same database, and when
 * (docs/decisions/0026). That most of it is known at once is what tests say
 * that run with somebody elsewhere; here is what takes its time.
 */
#include "sweep_lab.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"

/* -------------------------------------------------------- what it remembers */

/* Twice: what was found before is remembered. */
static void read_tag(struct lab *lab, const char *config)
{
	struct repository app = local("app");
	struct reference v1 = by_tag("v1");
	struct digest digest = image_of(config, NULL);
	struct meta_manifest found;
	struct err e;

	for (int i = 0; i < 2; i++) {
		OK(meta_manifest_peek(lab->meta, &app, &v1, lab->arena, &found,
				      &e),
		   e);
		assert_true(digest_eq(&found.digest, &digest));
		assert_int_equal(found.bytes.len, strlen(config) + 1);
		assert_true(span_starts(found.bytes, config));
		assert_true(span_starts(found.media_type, "application/vnd."));
	}
}

static bool is_taken(struct lab *lab, const char *name)
{
	struct repository at = local(name);
	bool taken;
	struct err e;

	OK(meta_repository_peek(lab->meta, &at.name, &taken, &e), e);
	return taken;
}

static void what_was_read_is_forgotten_when_something_is_written(void **state)
{
	struct lab *lab = *state;
	struct err e;

	lab_open(lab);
	assert_false(is_taken(lab, "app"));
	assert_false(is_taken(lab, "app"));
	lab_push(lab, local("app"), "one");
	lab_push(lab, local("app"), "second");
	lab_image(lab, local("app"), "v1", "one", NULL);
	assert_true(is_taken(lab, "app"));
	read_tag(lab, "one");
	lab_image(lab, local("app"), "v1", "second", NULL);
	read_tag(lab, "second");
	OK(lab_drop(lab, local("app"), by_tag("v1"), &e), e);
	assert_false(lab_has_manifest(lab, local("app"), by_tag("v1")));
}

static int tag_moves(struct lab *lab, void *arg, struct err *e)
{
	(void)arg;
	return lab_put_image(lab, local("app"), "v1", "two", NULL, e);
}

static bool tag_has_moved(struct lab *lab)
{
	struct repository app = local("app");
	struct reference v1 = by_tag("v1");
	struct digest two = image_of("two", NULL);
	struct meta_manifest found;
	struct err e;

	OK(meta_manifest_peek(lab->meta, &app, &v1, lab->arena, &found, &e), e);
	return digest_eq(&found.digest, &two);
}

static int tag_goes(struct lab *lab, void *arg, struct err *e)
{
	(void)arg;
	return lab_drop(lab, local("app"), by_tag("v1"), e);
}

static bool tag_is_gone(struct lab *lab)
{
	return !lab_has_manifest(lab, local("app"), by_tag("v1"));
}

static int blob_goes(struct lab *lab, void *arg, struct err *e)
{
	(void)arg;
	return lab_unlink(lab, local("app"), "two", e);
}

static bool blob_is_gone(struct lab *lab)
{
	return !lab_has(lab, local("app"), "two");
}

static int name_is_taken(struct lab *lab, void *arg, struct err *e)
{
	(void)arg;
	return lab_put_image(lab, local("new"), "v1", "one", NULL, e);
}

static bool name_is_known(struct lab *lab)
{
	return is_taken(lab, "new");
}

/* Reads again and again, and writes nothing. */
static bool comes_true(struct lab *lab, bool (*is_seen)(struct lab *))
{
	int64_t deadline = clock_ms() + 20000;

	while (!is_seen(lab) && clock_ms() < deadline)
		usleep(1000);
	return is_seen(lab);
}

static void what_another_process_did_is_seen_after_a_second(void **state)
{
	static const struct {
		lab_act act;
		bool (*is_seen)(struct lab *);
	} rows[] = {
		{ tag_moves, tag_has_moved },
		{ tag_goes, tag_is_gone },
		{ blob_goes, blob_is_gone },
		{ name_is_taken, name_is_known },
	};
	struct lab *lab = *state;
	struct err e;

	for (size_t i = 0; i < array_size(rows); i++) {
		lab_renew(state);
		lab = *state;
		lab_open(lab);
		lab_push(lab, local("app"), "one");
		lab_push(lab, local("app"), "two");
		lab_push(lab, local("new"), "one");
		lab_image(lab, local("app"), "v1", "one", NULL);
		assert_false(rows[i].is_seen(lab));
		OK(lab_ask(lab, rows[i].act, "", 0, &e), e);
		assert_true(comes_true(lab, rows[i].is_seen));
	}
}

/* ---------------------------------------------------- what it alone knows of
 */

/* Whoever has it says so once an epoch; another's sweep cannot know. */
static void what_arrives_here_stays_while_this_process_collects(void **state)
{
	struct lab *lab = *state;
	struct teller teller = { .lab = lab };
	struct digest layer = digest_of("layer");
	struct err e;

	lab_open(lab);
	struct incoming *upload = upload_begin(lab, local("app"));
	for (int i = 0; i < 4; i++) {
		age(lab, 1);
		sweep_with(lab, (struct store_sweep){ .tell = tell,
						      .arg = &teller });
		assert_int_equal(sweep_now(lab).arrivals.number, 0);
	}
	OK(incoming_write(upload, SPAN("er"), &e), e);
	OK(incoming_commit(&upload, &layer, &e), e);
	assert_true(lab_has(lab, local("app"), "layer"));
}

static int pull_unstamped(struct lab *lab, void *arg, struct err *e)
{
	struct repository at = upstream("app");
	struct reference *reference = arg;
	auto_of(arena) struct arena *arena = arena_open();
	struct meta_manifest manifest;

	if (meta_manifest_peek(lab->meta, &at, reference, arena, &manifest, e) <
	    0)
		return -1;
	meta_use(lab->meta, manifest.use);
	return 0;
}

static int stamp(struct lab *lab, void *arg, struct err *e)
{
	(void)arg;
	return meta_use_flush(lab->meta, e);
}

static void a_pull_counts_for_others_once_it_is_stamped(void **state)
{
	static const char used[] = "SELECT used FROM stamp";
	struct lab *lab = *state;
	struct reference v1 = by_tag("v1");
	struct err e;

	lab_open(lab);
	lab_image(lab, upstream("app"), "v1", "config", NULL);
	lab_runs(lab, 60000);
	OK(lab_ask(lab, pull_unstamped, &v1, sizeof(v1), &e), e);
	assert_int_equal(lab_number(lab, used), 0);
	OK(lab_ask(lab, stamp, "", 0, &e), e);
	assert_int_equal(lab_number(lab, used), 60000);
}

/* ------------------------------------------------------- both of them at once
 */

enum { EACH = 12, ROOM = 5 };

struct pusher {
	struct lab *lab;
	char letter;
	int denied;
	int failed;
	struct err why;
};

/* Blobs of ten bytes each. */
static int push_many(struct lab *lab, void *arg, struct err *e)
{
	struct pusher *pusher = arg;
	char bytes[11];

	for (int i = 0; i < EACH; i++) {
		snprintf(bytes, sizeof(bytes), "%c-%08d", pusher->letter, i);
		if (lab_upload(lab, local("ci/app"), bytes, bytes, e) == 0)
			continue;
		if (e->kind != ERR_DENIED)
			return -1;
		pusher->denied++;
	}
	return 0;
}

static void push_elsewhere(void *arg)
{
	struct pusher *pusher = arg;

	pusher->failed = lab_ask(pusher->lab, push_many, pusher,
				 sizeof(*pusher), &pusher->why);
}

static void pushes_of_both_do_not_exceed_a_quota_together(void **state)
{
	struct lab *lab = *state;
	struct meta_quota quota = { "ci/*", ROOM * 10 + 9 };
	struct meta_rules rules = { .quotas = &quota, .quota_count = 1 };
	struct pusher here = { .lab = lab, .letter = 'h' };
	struct pusher there = { .lab = lab, .letter = 't' };
	struct thread thread;
	struct err e;

	lab_open(lab);
	OK(meta_rules_set(lab->meta, &rules, &e), e);
	thread_start(&thread, "ask", push_elsewhere, &there);
	int failed = push_many(lab, &here, &e);
	thread_join(&thread);
	OK(failed, e);
	OK(there.failed, there.why);
	assert_int_equal(here.denied + there.denied, 2 * EACH - ROOM);
	assert_int_equal(lab_number(lab, "SELECT bytes FROM quota"), ROOM * 10);
	assert_int_equal(lab_files(lab, "blobs"), ROOM);
	assert_int_equal(lab_files(lab, "incoming"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB_TEST(what_was_read_is_forgotten_when_something_is_written),
		KEEPER_TEST(what_another_process_did_is_seen_after_a_second),
		KEEPER_TEST(
			what_arrives_here_stays_while_this_process_collects),
		KEEPER_TEST(a_pull_counts_for_others_once_it_is_stamped),
		KEEPER_TEST(pushes_of_both_do_not_exceed_a_quota_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
