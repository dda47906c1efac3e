/*
 * The database as a whole: restarts, damage, other versions, many threads and
 * other processes. What the verbs say is in meta_test.c.
 */
#include "store_lab.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/thread.h"
#include "meta/db.h"

/* ------------------------------------------------------ words of this file */

static struct meta_session session_new(struct meta *meta)
{
	struct meta_session session = { .repository = local("app") };
	struct err e;

	OK(meta_session_put(meta, &session, &e), e);
	return session;
}

static bool sees(struct meta *meta, const char *bytes)
{
	struct repository app = local("app");
	struct digest digest = digest_of(bytes);
	struct meta_blob blob;
	struct err e;

	return meta_blob_peek(meta, &app, &digest, &blob, &e) == 0;
}

/* ----------------------------------------------------------- the database */

static void everything_is_there_after_a_restart(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	lab_push(lab, local("app"), "config");
	lab_image(lab, local("app"), "v1", "config", NULL);
	lab_reopen(lab);
	assert_true(lab_has_manifest(lab, local("app"), by_tag("v1")));
	assert_true(sees(lab->meta, "config"));
}

static bool go_on(void *arg)
{
	(void)arg;
	return true;
}

static void
a_registry_is_the_same_after_a_restart_and_not_in_a_copy(void **state)
{
	struct meta_instance first, again, copied;
	struct lab *lab = *state;
	auto_of(meta) struct meta *copy = NULL;
	struct meta_snapshot *snapshot;
	struct err e;

	lab_open(lab);
	meta_instance(lab->meta, &first);
	assert_int_equal(strlen(first.s), 16);
	lab_reopen(lab);
	meta_instance(lab->meta, &again);
	assert_string_equal(again.s, first.s);

	const char *path = arena_printf(lab->arena, "%s/copy", lab->path);
	OK(meta_snapshot_make(lab->meta, path, go_on, NULL, &snapshot, &e), e);
	meta_snapshot_close(&snapshot);
	OK(meta_open(path, &copy, &e), e);
	meta_instance(copy, &copied);
	assert_string_not_equal(copied.s, first.s);
}

static void database_path(struct lab *lab, char *out, size_t room)
{
	snprintf(out, room, "%s/registry.db", lab->path);
}

static void a_newer_schema_is_refused_with_a_sentence(void **state)
{
	struct lab *lab = *state;
	struct meta *meta;
	struct db *db;
	char path[96];
	struct err e;

	database_path(lab, path, sizeof(path));
	OK(db_open(path, DB_WRITER, &db, &e), e);
	OK(db_step_take(db, 999, "", &e), e);
	db_close(&db);
	FAILS(meta_open(path, &meta, &e), e, ERR_USAGE);
	assert_non_null(strstr(e.message, "newer version"));
}

static void what_is_no_database_is_corrupt(void **state)
{
	struct lab *lab = *state;
	struct meta *meta;
	char path[96];
	struct err e;

	database_path(lab, path, sizeof(path));
	FILE *file = fopen(path, "w");
	for (int i = 0; i < 1000; i++)
		fputs("this is not a database\n", file);
	fclose(file);
	FAILS(meta_open(path, &meta, &e), e, ERR_CORRUPT);
}

static void a_peek_does_not_wait_for_a_writer(void **state)
{
	struct lab *lab = *state;
	struct db *db;
	char path[96];
	struct err e;

	lab_open(lab);
	lab_push(lab, local("app"), "layer");
	database_path(lab, path, sizeof(path));
	OK(db_open(path, DB_WRITER, &db, &e), e);
	OK(db_begin(db, DB_DURABLE, &e), e);
	OK(db_do(db, "DELETE FROM link", DB_NO_ARGS, &e), e);
	assert_true(sees(lab->meta, "layer"));
	db_rollback(db);
	db_close(&db);
}

static void a_failed_write_changes_nothing_and_the_next_one_works(void **state)
{
	struct lab *lab = *state;
	struct rlimit old, none = { 0 };
	struct repository app = local("app");
	struct meta_session session = { .repository = app };
	struct err e;

	lab_open(lab);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	none.rlim_max = old.rlim_max;
	setrlimit(RLIMIT_FSIZE, &none);
	int failed = meta_session_put(lab->meta, &session, &e);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(failed, -1);
	assert_int_equal(e.kind, ERR_IO);
	session_new(lab->meta);
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM session"), 1);
}

/* Of the database: "" the file, "-wal" its log. */
static void copy_part(struct lab *lab, const char *part, const char *from,
		      const char *to)
{
	char command[300];

	snprintf(command, sizeof(command), "cp %s/registry%s%s %s/registry%s%s",
		 lab->path, from, part, lab->path, to, part);
	assert_int_equal(system(command), 0);
}

static void a_number_that_a_loss_of_power_took_is_not_given_again(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	session_new(lab->meta);
	copy_part(lab, "", ".db", ".old");
	copy_part(lab, "-wal", ".db", ".old");
	struct meta_session lost = session_new(lab->meta);
	lab_close(lab);

	copy_part(lab, "", ".old", ".db");
	copy_part(lab, "-wal", ".old", ".db");
	lab_open(lab);
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM session"), 0);
	assert_true(session_new(lab->meta).id > lost.id);
}

/* ---------------------------------------------------------------- copies */

struct meddler {
	struct db *db;
	int times;
};

static bool meddle(void *arg)
{
	struct meddler *meddler = arg;
	struct err e;

	meddler->times++;
	OK(db_do(meddler->db,
		 "DELETE FROM filler WHERE i IN"
		 " (SELECT i FROM filler ORDER BY i LIMIT 100)",
		 DB_NO_ARGS, &e),
	   e);
	return meddler->times < 100;
}

static int64_t fillers(const char *path)
{
	auto_of(db) struct db *db = NULL;
	auto_rows struct rows row;
	struct err e;

	OK(db_open(path, DB_DRAFT, &db, &e), e);
	OK(db_check(db, &e), e);
	OK(db_find(db, "SELECT count(*) FROM filler", DB_NO_ARGS, &row, &e), e);
	return row_number(&row, 0);
}

static void a_copy_is_of_one_moment_and_nobody_waits_for_it(void **state)
{
	struct lab *lab = *state;
	auto_of(db) struct db *writer = NULL, *reader = NULL;
	struct meddler meddler = { 0 };
	char path[96], copy[96];
	struct err e;

	database_path(lab, path, sizeof(path));
	snprintf(copy, sizeof(copy), "%s/copy.db", lab->path);
	OK(db_open(path, DB_WRITER, &writer, &e), e);
	OK(db_do(writer, "CREATE TABLE filler (i INTEGER, bytes BLOB)",
		 DB_NO_ARGS, &e),
	   e);
	OK(db_do(writer,
		 "WITH RECURSIVE n (i) AS"
		 " (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)"
		 " INSERT INTO filler SELECT i, zeroblob(2000) FROM n",
		 DB_NO_ARGS, &e),
	   e);
	OK(db_open(path, DB_READER, &reader, &e), e);
	meddler.db = writer;
	OK(db_copy(reader, copy, meddle, &meddler, &e), e);
	assert_int_equal(fillers(copy), 2000);
	assert_in_range(meddler.times, 2, 20);

	meddler.times = 100;
	FAILS(db_copy(reader, copy, meddle, &meddler, &e), e, ERR_CLOSED);
}

/* ------------------------------------------------------- many at a time */

static void two_handles_of_one_database_see_each_other(void **state)
{
	struct lab *lab = *state;
	struct repository app = local("app"), other = local("other");
	struct digest digest = digest_of("layer");
	auto_of(meta) struct meta *second = NULL;
	char path[96];
	struct err e;

	lab_open(lab);
	database_path(lab, path, sizeof(path));
	OK(meta_open(path, &second, &e), e);
	lab_push(lab, app, "layer");
	assert_true(sees(second, "layer"));
	OK(meta_link_drop(second, &app, &digest, &e), e);
	assert_false(sees(lab->meta, "layer"));
	OK(meta_link_put(second, &other, &digest, &e), e);
	OK(meta_link_mount(lab->meta, &other, &app, &digest, &e), e);
	assert_true(sees(second, "layer"));
	assert_int_not_equal(session_new(lab->meta).id, session_new(second).id);
}

enum { THREADS = 16, ROUNDS = 50 };

struct writer_of_many {
	struct thread thread;
	struct lab *lab;
	int number;
	int wrong;
};

/* Each write is seen by the thread that made it as soon as it returns. */
static void write_many(void *arg)
{
	struct writer_of_many *many = arg;
	struct meta *meta = many->lab->meta;
	struct repository at = { 0 };
	struct digest digest = digest_of("config");
	struct err e;

	snprintf(at.name.s, sizeof(at.name.s), "app%d", many->number);
	for (int i = 0; i < ROUNDS; i++) {
		struct meta_blob blob;

		many->wrong += meta_link_put(meta, &at, &digest, &e) < 0;
		many->wrong += meta_blob_peek(meta, &at, &digest, &blob, &e) <
			       0;
		many->wrong += meta_link_drop(meta, &at, &digest, &e) < 0;
		many->wrong += meta_blob_peek(meta, &at, &digest, &blob, &e) ==
			       0;
		/* A verb that fails harms no other of its group. */
		many->wrong += meta_link_drop(meta, &at, &digest, &e) == 0;
	}
	many->wrong += meta_link_put(meta, &at, &digest, &e) < 0;
}

static void many_writers_share_commits_and_read_their_own_writes(void **state)
{
	struct lab *lab = *state;
	struct writer_of_many many[THREADS];
	int wrong = 0;

	lab_open(lab);
	lab_push(lab, local("app"), "config");
	for (int i = 0; i < THREADS; i++) {
		many[i] = (struct writer_of_many){ .lab = lab, .number = i };
		thread_start(&many[i].thread, "many", write_many, &many[i]);
	}
	for (int i = 0; i < THREADS; i++) {
		thread_join(&many[i].thread);
		wrong += many[i].wrong;
	}
	assert_int_equal(wrong, 0);
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM link"),
			 THREADS + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB_TEST(everything_is_there_after_a_restart),
		LAB_TEST(
			a_registry_is_the_same_after_a_restart_and_not_in_a_copy),
		LAB_TEST(a_newer_schema_is_refused_with_a_sentence),
		LAB_TEST(what_is_no_database_is_corrupt),
		LAB_TEST(a_peek_does_not_wait_for_a_writer),
		LAB_TEST(a_failed_write_changes_nothing_and_the_next_one_works),
		LAB_TEST(a_number_that_a_loss_of_power_took_is_not_given_again),
		LAB_TEST(a_copy_is_of_one_moment_and_nobody_waits_for_it),
		LAB_TEST(two_handles_of_one_database_see_each_other),
		LAB_TEST(many_writers_share_commits_and_read_their_own_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
