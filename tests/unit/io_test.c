/*
 * Promises of base/io.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/io.h"

/* A directory of its own for each test. */
struct place {
	char path[64];
	int dir;
};

static int place_open(void **state)
{
	static struct place place;
	struct err e;

	snprintf(place.path, sizeof(place.path), "/tmp/io-test-XXXXXX");
	if (!mkdtemp(place.path))
		return -1;
	place.dir = io_open_dir(place.path, &e);
	*state = &place;
	return place.dir < 0 ? -1 : 0;
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static int place_close(void **state)
{
	struct place *place = *state;

	close(place->dir);
	return nftw(place->path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static int file_make(struct place *place, const char *name)
{
	struct err e;
	int fd = io_open_at(place->dir, name, O_RDWR | O_CREAT | O_EXCL, &e);

	assert_true(fd >= 0);
	return fd;
}

static void file_leave(struct place *place, const char *name)
{
	close(file_make(place, name));
}

static void what_was_written_is_read(void **state)
{
	auto_fd int fd = file_make(*state, "file");
	struct err e;
	char out[4];
	int64_t size;

	assert_int_equal(io_write_at(fd, 2, SPAN("abcd"), &e), 0);
	assert_int_equal(io_read_at(fd, 2, out, sizeof(out), &e), 0);
	assert_memory_equal(out, "abcd", 4);
	assert_int_equal(io_size(fd, &size, &e), 0);
	assert_int_equal(size, 6);
	assert_int_equal(io_sync(fd, &e), 0);
	assert_int_equal(io_truncate(fd, 3, &e), 0);
	assert_int_equal(io_size(fd, &size, &e), 0);
	assert_int_equal(size, 3);
}

static void a_file_that_ends_early_is_corrupt(void **state)
{
	auto_fd int fd = file_make(*state, "file");
	struct err e;
	char out[4];

	assert_int_equal(io_write_at(fd, 0, SPAN("abc"), &e), 0);
	assert_int_equal(io_read_at(fd, 0, out, sizeof(out), &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
	assert_string_equal(e.message, "file ends at 3");
}

static void a_full_disk_is_no_space(void **state)
{
	struct err e;
	auto_fd int fd = io_open_at(AT_FDCWD, "/dev/full", O_WRONLY, &e);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(io_write_at(fd, 0, SPAN("x"), &e), -1);
	assert_int_equal(e.kind, ERR_NO_SPACE);
}

static void what_is_not_there_says_its_name(void **state)
{
	struct place *place = *state;
	struct err e;

	assert_int_equal(io_open_at(place->dir, "none", O_RDONLY, &e), -1);
	assert_int_equal(e.kind, ERR_IO);
	assert_int_equal(e.sys, ENOENT);
	assert_string_equal(e.message, "none: No such file or directory");
	assert_int_equal(io_open_dir("/none", &e), -1);
	assert_int_equal(e.sys, ENOENT);
}

static void descriptors_end_with_exec(void **state)
{
	auto_fd int fd = file_make(*state, "file");
	struct place *place = *state;

	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(place->dir, F_GETFD), FD_CLOEXEC);
}

static void a_file_is_for_its_owner_alone(void **state)
{
	auto_fd int fd = file_make(*state, "file");
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 077, 0);
}

static void an_open_file_gets_a_name(void **state)
{
	struct place *place = *state;
	struct err e;
	auto_fd int fd = io_open_at(place->dir, ".", O_RDWR | O_TMPFILE, &e);

	assert_true(fd >= 0);
	assert_int_equal(io_write_at(fd, 0, SPAN("bytes"), &e), 0);
	assert_int_equal(io_link(fd, place->dir, "named", &e), 0);
	auto_fd int named = io_open_at(place->dir, "named", O_RDONLY, &e);
	assert_true(named >= 0);
}

static void a_file_gets_a_second_name(void **state)
{
	struct place *place = *state;
	auto_fd int fd = file_make(place, "first");
	struct err e;

	assert_int_equal(io_link(fd, place->dir, "second", &e), 0);
	assert_int_equal(io_unlink_at(place->dir, "first", &e), 0);
	auto_fd int second = io_open_at(place->dir, "second", O_RDONLY, &e);
	assert_true(second >= 0);
}

static void a_name_is_never_taken_from_another(void **state)
{
	struct place *place = *state;
	auto_fd int fd = file_make(place, "mine");
	struct err e;

	file_leave(place, "other");
	assert_int_equal(io_link(fd, place->dir, "other", &e), -1);
	assert_int_equal(e.kind, ERR_IO);
	assert_int_equal(e.sys, EEXIST);
}

static void removing_what_is_gone_is_fine(void **state)
{
	struct place *place = *state;
	struct err e;

	assert_int_equal(io_unlink_at(place->dir, "none", &e), 0);
	assert_int_equal(io_make_dir_at(place->dir, "dir", &e), 0);
	assert_int_equal(io_unlink_at(place->dir, "dir", &e), -1);
}

static void directories_are_made_with_their_parents(void **state)
{
	struct place *place = *state;
	auto_buf struct buf path = { 0 };
	struct err e;

	buf_addf(&path, "%s/a/b//c/", place->path);
	for (int round = 0; round < 2; round++) {
		auto_fd int dir = io_make_dir(path.at, &e);
		assert_true(dir >= 0);
		assert_int_equal(io_make_dir_at(dir, "d", &e), 0);
	}
	buf_addf(&path, "d");
	auto_fd int deepest = io_open_dir(path.at, &e);
	assert_true(deepest >= 0);
}

static void a_relative_directory_is_made_too(void **state)
{
	struct place *place = *state;
	auto_fd int before = open(".", O_PATH);
	struct err e;

	assert_int_equal(fchdir(place->dir), 0);
	auto_fd int dir = io_make_dir("data", &e);
	assert_true(dir >= 0);
	assert_int_equal(fchdir(before), 0);
}

static void a_file_in_the_way_is_no_directory(void **state)
{
	struct place *place = *state;
	auto_buf struct buf path = { 0 };
	struct err e;

	file_leave(place, "file");
	buf_addf(&path, "%s/file/dir", place->path);
	assert_int_equal(io_make_dir(path.at, &e), -1);
	assert_int_equal(e.sys, ENOTDIR);
}

static void a_whole_file_is_added_up_to_a_limit(void **state)
{
	struct place *place = *state;
	auto_fd int fd = file_make(place, "file");
	auto_buf struct buf path = { 0 };
	auto_buf struct buf text = { 0 };
	struct err e;

	buf_addf(&path, "%s/file", place->path);
	buf_add(&text, SPAN("before "));
	assert_int_equal(io_write_at(fd, 0, SPAN("12345"), &e), 0);
	assert_int_equal(io_read_file(path.at, 5, &text, &e), 0);
	assert_string_equal(text.at, "before 12345");
	assert_int_equal(io_read_file(path.at, 4, &text, &e), -1);
	assert_int_equal(e.kind, ERR_TOO_LARGE);
}

static void a_large_file_is_read_in_pieces(void **state)
{
	struct place *place = *state;
	auto_fd int fd = file_make(place, "file");
	auto_buf struct buf path = { 0 };
	auto_buf struct buf text = { 0 };
	struct err e;

	buf_addf(&path, "%s/file", place->path);
	assert_int_equal(io_write_at(fd, 999999, SPAN("!"), &e), 0);
	assert_int_equal(io_read_file(path.at, 1000000, &text, &e), 0);
	assert_int_equal(text.len, 1000000);
	assert_int_equal(text.at[999999], '!');
}

static void an_empty_file_gives_an_empty_text(void **state)
{
	auto_buf struct buf text = { 0 };
	struct err e;

	(void)state;
	assert_int_equal(io_read_file("/dev/null", 0, &text, &e), 0);
	assert_string_equal(text.at, "");
}

#define promise(name) \
	cmocka_unit_test_setup_teardown(name, place_open, place_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(what_was_written_is_read),
		promise(a_file_that_ends_early_is_corrupt),
		promise(a_full_disk_is_no_space),
		promise(what_is_not_there_says_its_name),
		promise(descriptors_end_with_exec),
		promise(a_file_is_for_its_owner_alone),
		promise(an_open_file_gets_a_name),
		promise(a_file_gets_a_second_name),
		promise(a_name_is_never_taken_from_another),
		promise(removing_what_is_gone_is_fine),
		promise(directories_are_made_with_their_parents),
		promise(a_relative_directory_is_made_too),
		promise(a_file_in_the_way_is_no_directory),
		promise(a_whole_file_is_added_up_to_a_limit),
		promise(a_large_file_is_read_in_pieces),
		promise(an_empty_file_gives_an_empty_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
