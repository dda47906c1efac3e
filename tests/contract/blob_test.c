/*
 * The promises of blob/store.h, against every backend.
 */
#include "store_lab.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "oci/hash.h"

/* The store under test, and where it may keep files. */
struct bench {
	struct lab *lab;
	struct blob_store *store;
};

/* ------------------------------------------------------ words of this file */

/* A file below the lab, so that it can be linked. */
static int file_in(struct bench *bench, const char *bytes)
{
	struct err e;
	auto_fd int dir = io_open_dir(bench->lab->path, &e);
	int fd = io_open_at(dir, "arrival", O_RDWR | O_CREAT | O_TRUNC, &e);

	OK(fd, e);
	OK(io_write_at(fd, 0, span_of(bytes), &e), e);
	return fd;
}

static int commit(struct bench *bench, const char *bytes, uint64_t id,
		  struct err *e)
{
	struct digest digest = digest_of(bytes);
	auto_fd int fd = file_in(bench, bytes);
	int failed = blob_commit(bench->store, &digest, id, fd, e);
	auto_fd int dir = io_open_dir(bench->lab->path, e);

	unlinkat(dir, "arrival", 0);
	return failed;
}

static bool reads_as(int fd, const char *bytes)
{
	auto_free char *found = mem_alloc(strlen(bytes) + 2);

	return pread(fd, found, strlen(bytes) + 1, 0) ==
		       (ssize_t)strlen(bytes) &&
	       !strcmp(found, bytes);
}

static bool holds(struct bench *bench, const char *bytes, uint64_t id)
{
	struct digest digest = digest_of(bytes);
	struct blob_place place;
	struct err e;

	if (blob_peek(bench->store, &digest, id, &place, &e) < 0) {
		assert_int_equal(e.kind, ERR_NOT_FOUND);
		return false;
	}
	auto_fd int fd = place.fd;
	assert_int_equal(place.kind, BLOB_AT_FILE);
	assert_int_equal(place.size, strlen(bytes));
	assert_true(reads_as(fd, bytes));
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	return true;
}

static int count_one(const struct digest *digest, uint64_t id, int64_t size,
		     void *arg, struct err *e)
{
	struct digest config = digest_of("config");

	(void)e;
	assert_true(id == 1 || id == 2);
	assert_int_equal(size, digest_eq(digest, &config) ? 6 : 5);
	++*(unsigned *)arg;
	return 0;
}

static unsigned count(struct bench *bench)
{
	unsigned seen = 0;
	struct err e;

	OK(blob_list(bench->store, count_one, &seen, &e), e);
	return seen;
}

/* -------------------------------------------------------------- promises */

static void what_was_committed_is_read_back(void **state)
{
	struct bench *bench = *state;
	struct err e;

	assert_false(holds(bench, "layer", 1));
	OK(commit(bench, "layer", 1, &e), e);
	assert_true(holds(bench, "layer", 1));
	assert_false(holds(bench, "layer", 2));
	assert_false(holds(bench, "other", 1));
}

static void an_empty_blob_is_a_blob(void **state)
{
	struct bench *bench = *state;
	struct err e;

	OK(commit(bench, "", 1, &e), e);
	assert_true(holds(bench, "", 1));
}

static void two_incarnations_are_two_files(void **state)
{
	struct bench *bench = *state;
	struct digest digest = digest_of("layer");
	struct err e;

	OK(commit(bench, "layer", 1, &e), e);
	OK(commit(bench, "layer", 2, &e), e);
	OK(blob_delete(bench->store, &digest, 1, &e), e);
	assert_false(holds(bench, "layer", 1));
	assert_true(holds(bench, "layer", 2));
}

static void an_incarnation_may_come_again(void **state)
{
	struct bench *bench = *state;
	struct err e;

	OK(commit(bench, "layer", 1, &e), e);
	OK(commit(bench, "layer", 1, &e), e);
	assert_true(holds(bench, "layer", 1));
	assert_int_equal(count(bench), 1);
}

static void a_delete_does_not_hurt_readers_and_may_come_twice(void **state)
{
	struct bench *bench = *state;
	struct digest digest = digest_of("layer");
	struct blob_place place;
	struct err e;

	OK(commit(bench, "layer", 1, &e), e);
	OK(blob_peek(bench->store, &digest, 1, &place, &e), e);
	auto_fd int fd = place.fd;
	OK(blob_delete(bench->store, &digest, 1, &e), e);
	OK(blob_delete(bench->store, &digest, 1, &e), e);
	assert_true(reads_as(fd, "layer"));
}

static void what_is_set_aside_is_not_here_any_more(void **state)
{
	struct bench *bench = *state;
	struct digest digest = digest_of("layer");
	struct err e;

	OK(commit(bench, "layer", 1, &e), e);
	OK(commit(bench, "layer", 2, &e), e);
	OK(blob_set_aside(bench->store, &digest, 1, &e), e);
	OK(blob_set_aside(bench->store, &digest, 1, &e), e);
	assert_false(holds(bench, "layer", 1));
	assert_true(holds(bench, "layer", 2));
	assert_int_equal(count(bench), 1);
}

static void a_list_shows_each_incarnation_once(void **state)
{
	struct bench *bench = *state;
	struct err e;

	assert_int_equal(count(bench), 0);
	OK(commit(bench, "layer", 1, &e), e);
	OK(commit(bench, "layer", 2, &e), e);
	OK(commit(bench, "config", 1, &e), e);
	assert_int_equal(count(bench), 3);
}

static int stop(const struct digest *digest, uint64_t id, int64_t size,
		void *arg, struct err *e)
{
	(void)digest, (void)id, (void)size;
	++*(unsigned *)arg;
	return err_set(e, ERR_BUSY, "enough");
}

static void a_visitor_ends_the_list(void **state)
{
	struct bench *bench = *state;
	unsigned seen = 0;
	struct err e;

	OK(commit(bench, "layer", 1, &e), e);
	OK(commit(bench, "config", 1, &e), e);
	FAILS(blob_list(bench->store, stop, &seen, &e), e, ERR_BUSY);
	assert_int_equal(seen, 1);
}

static void another_algorithm_has_its_own_place(void **state)
{
	struct bench *bench = *state;
	struct digest digest = hash_of(DIGEST_SHA512, SPAN("layer"));
	struct blob_place place;
	struct err e;
	auto_fd int fd = file_in(bench, "layer");

	OK(blob_commit(bench->store, &digest, 1, fd, &e), e);
	OK(blob_peek(bench->store, &digest, 1, &place, &e), e);
	close(place.fd);
	assert_false(holds(bench, "layer", 1));
	assert_int_equal(count(bench), 1);
}

/* ---------------------------------------------------------------- faults */

static void a_fault_before_a_commit_leaves_nothing(void **state)
{
	struct bench *bench = *state;
	struct blob_fault fault = { BLOB_COMMIT, 2, ERR_NO_SPACE,
				    .after = false };
	struct err e;

	blob_fault_set(bench->store, &fault);
	OK(commit(bench, "layer", 1, &e), e);
	FAILS(commit(bench, "config", 1, &e), e, ERR_NO_SPACE);
	assert_false(holds(bench, "config", 1));
	OK(commit(bench, "config", 1, &e), e);
}

static void a_fault_after_a_commit_leaves_the_file(void **state)
{
	struct bench *bench = *state;
	struct blob_fault fault = { BLOB_COMMIT, 1, ERR_IO, .after = true };
	struct err e;

	blob_fault_set(bench->store, &fault);
	FAILS(commit(bench, "layer", 1, &e), e, ERR_IO);
	assert_true(holds(bench, "layer", 1));
}

static void a_fault_befalls_only_its_verb(void **state)
{
	struct bench *bench = *state;
	struct digest digest = digest_of("layer");
	struct blob_fault fault = { BLOB_DELETE, 1, ERR_IO, .after = false };
	struct err e;

	blob_fault_set(bench->store, &fault);
	OK(commit(bench, "layer", 1, &e), e);
	FAILS(blob_delete(bench->store, &digest, 1, &e), e, ERR_IO);
	assert_true(holds(bench, "layer", 1));
	OK(blob_delete(bench->store, &digest, 1, &e), e);
}

/* ---------------------------------------------------------------- files */

static void files_stand_where_they_are_said_to(void **state)
{
	struct bench *bench = *state;
	struct digest digest = digest_of("layer");
	struct digest_text hex = digest_hex(&digest);
	char path[256];
	struct err e;

	OK(commit(bench, "layer", 17, &e), e);
	snprintf(path, sizeof(path), "%s/blobs/sha256/%.2s/%s.17",
		 bench->lab->path, hex.s, hex.s);
	assert_int_equal(access(path, R_OK), 0);
}

static void a_list_passes_over_what_is_not_a_blob(void **state)
{
	struct bench *bench = *state;
	struct digest digest = digest_of("layer");
	char directory[32], path[256];
	struct err e;

	OK(commit(bench, "layer", 1, &e), e);
	snprintf(directory, sizeof(directory), "blobs/sha256/%.2s",
		 digest_hex(&digest).s);
	for (size_t i = 0; i < 3; i++) {
		static const char *const names[] = { "README", "x.1",
						     "abc.2.tmp" };

		snprintf(path, sizeof(path), "%s/%s/%s", bench->lab->path,
			 directory, names[i]);
		fclose(fopen(path, "w"));
	}
	snprintf(path, sizeof(path), "%s/blobs/sha256/README",
		 bench->lab->path);
	fclose(fopen(path, "w"));
	assert_int_equal(count(bench), 1);
}

static void what_is_set_aside_can_be_looked_at(void **state)
{
	struct bench *bench = *state;
	struct digest digest = digest_of("layer");
	char path[256];
	struct err e;

	OK(commit(bench, "layer", 17, &e), e);
	OK(blob_set_aside(bench->store, &digest, 17, &e), e);
	snprintf(path, sizeof(path), "%s/quarantine/%s.17", bench->lab->path,
		 digest_hex(&digest).s);
	assert_int_equal(access(path, R_OK), 0);
}

static int stray_note(const char *path, int64_t size, void *arg, struct err *e)
{
	char *seen = arg;

	(void)e;
	assert_true(strncmp(path, "blobs/", 6) == 0);
	assert_true(size == 0);
	strcat(strcat(seen, strrchr(path, '/') + 1), " ");
	return 0;
}

static void strays_are_all_but_blobs_and_their_directories(void **state)
{
	static const char *const strays[] = { ".hidden", "sha256/note",
					      "sha256/4c/x.1" };
	struct bench *bench = *state;
	char seen[256] = "", path[256];
	struct err e;

	OK(commit(bench, "layer", 1, &e), e);
	OK(blob_strays(bench->store, stray_note, seen, &e), e);
	assert_string_equal(seen, "");
	snprintf(path, sizeof(path), "%s/blobs/sha256/4c", bench->lab->path);
	mkdir(path, 0700);
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/blobs/%s", bench->lab->path,
			 strays[i]);
		fclose(fopen(path, "w"));
	}
	snprintf(path, sizeof(path), "%s/blobs/sha256/0g", bench->lab->path);
	mkdir(path, 0700);
	OK(blob_strays(bench->store, stray_note, seen, &e), e);
	assert_non_null(strstr(seen, ".hidden "));
	assert_non_null(strstr(seen, "note "));
	assert_non_null(strstr(seen, "x.1 "));
	assert_non_null(strstr(seen, "0g "));
	assert_int_equal(strlen(seen), strlen(".hidden note x.1 0g "));
}

/* -------------------------------------------------------------- backends */

static struct blob_store *open_files(struct lab *lab)
{
	struct blob_store *store;
	struct err e;

	OK(blob_fs_open(lab->path, &store, &e), e);
	return store;
}

static struct blob_store *open_memory(struct lab *lab)
{
	(void)lab;
	return blob_mem_open();
}

static struct blob_store *open_faulty(struct lab *lab)
{
	return blob_fault_open(open_files(lab));
}

static int bench_setup(void **state, struct blob_store *(*open)(struct lab *))
{
	struct bench *bench = mem_alloc(sizeof(*bench));
	void *lab;

	if (lab_setup(&lab) < 0)
		return -1;
	bench->lab = lab;
	bench->store = open(lab);
	*state = bench;
	return 0;
}

static int setup_files(void **state)
{
	return bench_setup(state, open_files);
}

static int setup_memory(void **state)
{
	return bench_setup(state, open_memory);
}

static int setup_faulty(void **state)
{
	return bench_setup(state, open_faulty);
}

static int teardown(void **state)
{
	struct bench *bench = *state;
	void *lab = bench->lab;

	blob_close(&bench->store);
	free(bench);
	return lab_teardown(&lab);
}

#define WITH(backend, test)                                                \
	{                                                                  \
#test ": " #backend, test, setup_##backend, teardown, NULL \
	}
#define WITH_ALL(test) WITH(files, test), WITH(memory, test), WITH(faulty, test)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ALL(what_was_committed_is_read_back),
		WITH_ALL(an_empty_blob_is_a_blob),
		WITH_ALL(two_incarnations_are_two_files),
		WITH_ALL(an_incarnation_may_come_again),
		WITH_ALL(a_delete_does_not_hurt_readers_and_may_come_twice),
		WITH_ALL(what_is_set_aside_is_not_here_any_more),
		WITH_ALL(a_list_shows_each_incarnation_once),
		WITH_ALL(a_visitor_ends_the_list),
		WITH_ALL(another_algorithm_has_its_own_place),
		WITH(faulty, a_fault_before_a_commit_leaves_nothing),
		WITH(faulty, a_fault_after_a_commit_leaves_the_file),
		WITH(faulty, a_fault_befalls_only_its_verb),
		WITH(files, files_stand_where_they_are_said_to),
		WITH(files, a_list_passes_over_what_is_not_a_blob),
		WITH(files, what_is_set_aside_can_be_looked_at),
		WITH(files, strays_are_all_but_blobs_and_their_directories),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
