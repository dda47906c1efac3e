/*
 * Promises of agent/host.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "agent/host.h"
#include "base/io.h"

static struct {
	char root[64];
	struct host host;
} lab;

/* -------------------------------------------------------------- the host */

/* Static, of the last four. */
static const char *at(const char *path)
{
	static char texts[4][512];
	static size_t next;
	char *text = texts[next++ % array_size(texts)];

	snprintf(text, sizeof(texts[0]), "%s%s", lab.root, path);
	return text;
}

static void file_make(const char *path, const char *text)
{
	FILE *file = fopen(at(path), "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void expect_text(const char *path, const char *wanted)
{
	auto_buf struct buf text = { 0 };
	struct err e;

	assert_int_equal(io_read_file(at(path), 1000, &text, &e), 0);
	assert_string_equal(text.at, wanted);
}

static int host_enter(void **state)
{
	struct err e;

	(void)state;
	snprintf(lab.root, sizeof(lab.root), "/tmp/host-test-XXXXXX");
	if (!mkdtemp(lab.root))
		return -1;
	file_make("/file", "before");
	return host_open(lab.root, &lab.host, &e);
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path);
}

static int host_leave(void **state)
{
	(void)state;
	host_close(&lab.host);
	return nftw(lab.root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void read_file(struct host_file *out)
{
	struct err e;

	if (host_read(&lab.host, "/file", out, &e) < 0)
		fail_msg("%s", e.message);
}

static void expect_left(const struct host_file *file, enum err_kind why)
{
	struct err e;

	assert_int_equal(host_replace(&lab.host, file, SPAN("after"), &e), -1);
	assert_int_equal(e.kind, why);
	assert_int_equal(access(at("/.file.private-registry"), F_OK), -1);
}

/* ---------------------------------------------------------------- promises */

static void a_file_is_replaced(void **state)
{
	auto_host_file struct host_file file = { 0 };
	struct err e;

	(void)state;
	read_file(&file);
	assert_int_equal(host_replace(&lab.host, &file, SPAN("after"), &e), 0);
	expect_text("/file", "after");
}

/* As many bytes, and the time of the last change set back: cp -p, rsync. */
static void what_somebody_changed_meanwhile_is_left(void **state)
{
	auto_host_file struct host_file file = { 0 };
	struct stat before, st;
	struct err e;

	(void)state;
	read_file(&file);
	assert_int_equal(stat(at("/file"), &before), 0);
	const struct timespec times[] = { before.st_atim, before.st_mtim };
	int fd = open(at("/file"), O_WRONLY);
	assert_int_equal(pwrite(fd, "theirs", 6, 0), 6);
	/* The clock of a file system ticks slowly. */
	do {
		assert_int_equal(futimens(fd, times), 0);
		assert_int_equal(fstat(fd, &st), 0);
	} while (memcmp(&st.st_ctim, &before.st_ctim, sizeof(st.st_ctim)) == 0);
	close(fd);
	expect_left(&file, ERR_BUSY);
	assert_int_equal(host_remove(&lab.host, &file, &e), -1);
	assert_int_equal(e.kind, ERR_BUSY);
	expect_text("/file", "theirs");
}

static void what_has_another_name_is_left(void **state)
{
	auto_host_file struct host_file file = { 0 };

	(void)state;
	assert_int_equal(link(at("/file"), at("/twin")), 0);
	read_file(&file);
	expect_left(&file, ERR_CONFLICT);
}

/* Where somebody who may not, or a file system that cannot, has none anyway. */
static void a_signature_of_the_bytes_goes_with_them(void **state)
{
	auto_host_file struct host_file file = { 0 };
	struct err e;

	(void)state;
	if (setxattr(at("/file"), "security.ima", "x", 1, 0) < 0)
		skip();
	read_file(&file);
	assert_int_equal(host_replace(&lab.host, &file, SPAN("after"), &e), 0);
	assert_int_equal(getxattr(at("/file"), "security.ima", NULL, 0), -1);
}

/* acl(5) as linux/posix_acl_xattr.h has it: another user may read and write. */
static void what_its_directory_gives_to_new_ones_it_has_not(void **state)
{
	static const uint32_t list[] = {
		2,	    0x01 | 7 << 16, UINT32_MAX, 0x02 | 6 << 16,
		65534,	    0x04 | 5 << 16, UINT32_MAX, 0x10 | 7 << 16,
		UINT32_MAX, 0x20 | 5 << 16, UINT32_MAX,
	};
	auto_host_file struct host_file file = { 0 };
	struct stat before, after;
	struct err e;

	(void)state;
	if (setxattr(lab.root, "system.posix_acl_default", list, sizeof(list),
		     0) < 0)
		skip();
	assert_int_equal(stat(at("/file"), &before), 0);
	read_file(&file);
	assert_int_equal(host_replace(&lab.host, &file, SPAN("after"), &e), 0);
	assert_int_equal(
		getxattr(at("/file"), "system.posix_acl_access", NULL, 0), -1);
	assert_int_equal(stat(at("/file"), &after), 0);
	assert_int_equal(after.st_mode, before.st_mode);
}

static void a_file_is_removed(void **state)
{
	auto_host_file struct host_file file = { 0 }, none = { 0 };
	struct err e;

	(void)state;
	read_file(&file);
	assert_int_equal(host_remove(&lab.host, &file, &e), 0);
	assert_int_equal(access(at("/file"), F_OK), -1);
	read_file(&none);
	assert_false(none.exists);
	assert_int_equal(host_remove(&lab.host, &none, &e), 0);
}

static void each_that_is_set_aside_has_a_name(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(host_set_aside(&lab.host, "/file", &e), 0);
	file_make("/file", "again");
	assert_int_equal(host_set_aside(&lab.host, "/file", &e), 0);
	expect_text("/file.edited", "before");
	expect_text("/file.edited.2", "again");
}

static void what_is_no_directory_any_more_is_left(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(host_remove_dir(&lab.host, "/file", &e), 0);
	assert_int_equal(host_remove_dir(&lab.host, "/file/inside", &e), 0);
	assert_int_equal(host_tidy(&lab.host, "/file/inside", &e), 0);
	expect_text("/file", "before");
}

#define HOST_TEST(test) \
	cmocka_unit_test_setup_teardown(test, host_enter, host_leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(a_file_is_replaced),
		HOST_TEST(what_somebody_changed_meanwhile_is_left),
		HOST_TEST(what_its_directory_gives_to_new_ones_it_has_not),
		HOST_TEST(a_file_is_removed),
		HOST_TEST(what_has_another_name_is_left),
		HOST_TEST(a_signature_of_the_bytes_goes_with_them),
		HOST_TEST(each_that_is_set_aside_has_a_name),
		HOST_TEST(what_is_no_directory_any_more_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
