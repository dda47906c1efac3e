/*
 * Promises of agent/version.h and agent/program.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>

#include "agent/program.h"
#include "agent/version.h"
#include "base/clock.h"

static void a_version_is_found_in_what_a_program_says(void **state)
{
	static const char *const rows[][2] = {
		{ "Docker version 20.10.24+dfsg1, build 297e128\n",
		  "20.10.24+dfsg1" },
		{ "containerd containerd.io v2.1.9 05044ec\n", "2.1.9" },
		{ "podman version 4.3.1\n", "4.3.1" },
		{ "podman version 4.3.1\nmore 5\n", "4.3.1" },
		{ "7", "7" },
		{ "none at all\n", NULL },
		{ "1;2 \x1b[2J", NULL },
		{ "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++)
		assert_true(span_eq(version_find(span_of(rows[i][0])),
				    span_of(rows[i][1])));
}

/* ---------------------------------------------------------------- programs */

static int run(const char *script, int64_t most_ms, struct buf *out,
	       struct err *e)
{
	static const char *const variables[] = { "GREETING=hello", NULL };
	const char *const words[] = { "/bin/sh", "-c", script, NULL };
	auto_with(host_close) struct host host = { .root = -1 };
	const struct program program = { words, variables, &host, most_ms };

	assert_int_equal(host_open("/", &host, e), 0);
	return program_run(&program, out, e);
}

static void what_it_says_is_heard(void **state)
{
	auto_buf struct buf out = { 0 };
	struct err e;

	(void)state;
	assert_int_equal(
		run("echo $GREETING $HOME; echo x >&2", 60000, &out, &e), 0);
	assert_string_equal(out.at, "hello\nx\n");
}

static void what_it_says_too_much_is_thrown_away(void **state)
{
	auto_buf struct buf out = { 0 };
	struct err e;

	(void)state;
	assert_int_equal(run("i=0; while [ $i -lt 5000 ]; do echo $i; "
			     "i=$((i+1)); done",
			     60000, &out, &e),
			 0);
	assert_true(out.len > 0 && out.len <= PROGRAM_OUTPUT);
}

/* More than a pipe holds: it waits, and no write fails. */
static void it_may_say_as_much_as_it_likes(void **state)
{
	auto_buf struct buf out = { 0 };
	struct err e;

	(void)state;
	assert_int_equal(run("head -c 1000000 /dev/zero", 300000, &out, &e), 0);
}

static void how_it_failed_is_told(void **state)
{
	auto_buf struct buf out = { 0 };
	struct err e;

	(void)state;
	assert_int_equal(run("exit 3", 60000, &out, &e), -1);
	assert_string_equal(e.message, "/bin/sh: ended with status 3");
	assert_int_equal(run("kill -9 $$", 60000, &out, &e), -1);
	assert_string_equal(e.message, "/bin/sh: ended by signal 9");
}

static void it_has_no_more_time_than_it_is_given(void **state)
{
	auto_buf struct buf out = { 0 };
	int64_t begun = clock_ms();
	struct err e;

	(void)state;
	assert_int_equal(run("sleep 600 & wait", 200, &out, &e), -1);
	assert_int_equal(e.kind, ERR_TIMEOUT);
	assert_int_equal(run("exec cat /dev/zero", 200, &out, &e), -1);
	assert_int_equal(e.kind, ERR_TIMEOUT);
	assert_true(clock_ms() - begun < 300000);
}

static void a_child_that_stays_is_not_waited_for(void **state)
{
	auto_buf struct buf out = { 0 };
	struct err e;

	(void)state;
	assert_int_equal(run("sleep 600 & echo $!", 300000, &out, &e), 0);
	assert_int_equal(kill(atoi(out.at), SIGKILL), 0);
}

static void one_that_fails_is_not_asked_before_it_is_another_one(void **state)
{
	const struct engine engine = { .signs = { "/usr/bin/false" } };
	auto_with(host_close) struct host host = { .root = -1 };
	struct version_memory memory = { 0 };
	struct err e;

	(void)state;
	assert_int_equal(host_open("/", &host, &e), 0);
	assert_null(engine_version(&host, &engine, &memory));
	assert_true(memory.number != 0);
	assert_null(engine_version(&host, &engine, &memory));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_version_is_found_in_what_a_program_says),
		cmocka_unit_test(what_it_says_is_heard),
		cmocka_unit_test(what_it_says_too_much_is_thrown_away),
		cmocka_unit_test(it_may_say_as_much_as_it_likes),
		cmocka_unit_test(how_it_failed_is_told),
		cmocka_unit_test(it_has_no_more_time_than_it_is_given),
		cmocka_unit_test(a_child_that_stays_is_not_waited_for),
		cmocka_unit_test(
			one_that_fails_is_not_asked_before_it_is_another_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
