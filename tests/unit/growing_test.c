/*
 * Promises of base/growing.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/growing.h"
#include "base/thread.h"

#define STEP (256 * 1024) /* bytes; as many always ring */
#define PATIENCE 20000	  /* ms, and then something is broken */

static int bell_fd(void)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* How often it rang since the last look. */
static uint64_t rings(int fd)
{
	uint64_t count;

	return read(fd, &count, sizeof(count)) > 0 ? count : 0;
}

static bool rings_within(int fd, int ms)
{
	struct pollfd rung = { fd, POLLIN, 0 };

	return poll(&rung, 1, ms) == 1;
}

static void it_grows_and_then_is_whole(void **state)
{
	auto_of(growing) struct growing *file = growing_open(-1, -1);

	(void)state;
	assert_int_equal(growing_length(file), 0);
	assert_int_equal(growing_size(file), -1);
	growing_extend(file, 10);
	assert_int_equal(growing_length(file), 10);
	assert_int_equal(growing_state(file), GROWING);
	growing_finish(file, 15);
	assert_int_equal(growing_length(file), 15);
	assert_int_equal(growing_size(file), 15);
	assert_int_equal(growing_state(file), GROWING_WHOLE);
}

static void after_the_end_nothing_changes(void **state)
{
	auto_of(growing) struct growing *file = growing_open(-1, 7);
	struct err e;

	(void)state;
	err_set(&e, ERR_IO, "too late");
	growing_finish(file, 7);
	growing_extend(file, 9);
	growing_break(file, &e);
	growing_finish(file, 9);
	assert_int_equal(growing_length(file), 7);
	assert_int_equal(growing_state(file), GROWING_WHOLE);
}

static void a_broken_one_says_why(void **state)
{
	auto_of(growing) struct growing *file = growing_open(-1, 100);
	struct err e, why;

	(void)state;
	growing_extend(file, 10);
	err_set(&e, ERR_UPSTREAM, "connection reset");
	growing_break(file, &e);
	assert_int_equal(growing_state(file), GROWING_BROKEN);
	assert_int_equal(growing_length(file), 10);
	growing_why(file, &why);
	assert_int_equal(why.kind, ERR_UPSTREAM);
	assert_string_equal(why.message, "connection reset");
}

static void the_last_reference_closes_the_file(void **state)
{
	int fd = memfd_create("growing", MFD_CLOEXEC);
	struct growing *mine = growing_open(fd, -1);
	struct growing *other = growing_keep(mine);

	(void)state;
	assert_int_equal(growing_fd(other), fd);
	growing_drop(&mine);
	assert_null(mine);
	assert_true(fcntl(fd, F_GETFD) >= 0);
	growing_drop(&other);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(errno, EBADF);
	growing_drop(&other);
}

static void a_bell_rings_once_for_each_watch(void **state)
{
	auto_of(growing) struct growing *file = growing_open(-1, -1);
	auto_fd int fd = bell_fd();
	unsigned bell = growing_bell_open(fd);

	(void)state;
	growing_extend(file, STEP);
	assert_int_equal(rings(fd), 0);
	growing_watch(file, bell);
	growing_watch(file, bell);
	assert_int_equal(rings(fd), 0);
	growing_extend(file, 2 * STEP);
	growing_extend(file, 3 * STEP);
	assert_int_equal(rings(fd), 1);
	growing_watch(file, bell);
	growing_finish(file, 3 * STEP);
	assert_int_equal(rings(fd), 1);
	growing_bell_close(bell);
}

static void each_reactor_has_its_own_bell(void **state)
{
	auto_of(growing) struct growing *file = growing_open(-1, -1);
	auto_fd int first = bell_fd();
	auto_fd int second = bell_fd();
	unsigned bells[] = { growing_bell_open(first),
			     growing_bell_open(second) };

	(void)state;
	assert_int_not_equal(bells[0], bells[1]);
	growing_watch(file, bells[1]);
	growing_extend(file, STEP);
	assert_int_equal(rings(first), 0);
	assert_int_equal(rings(second), 1);
	growing_bell_close(bells[0]);
	growing_bell_close(bells[1]);
}

static void a_bell_given_back_is_silent(void **state)
{
	auto_of(growing) struct growing *file = growing_open(-1, -1);
	auto_fd int fd = bell_fd();
	unsigned bell = growing_bell_open(fd);

	(void)state;
	growing_watch(file, bell);
	growing_bell_close(bell);
	growing_extend(file, STEP);
	assert_int_equal(rings(fd), 0);
}

static void there_are_64_bells(void **state)
{
	auto_fd int fd = bell_fd();
	unsigned bells[64];

	(void)state;
	for (size_t i = 0; i < array_size(bells); i++)
		bells[i] = growing_bell_open(fd);
	for (size_t i = 0; i < array_size(bells); i++)
		growing_bell_close(bells[i]);
}

static void small_steps_ring_seldom(void **state)
{
	auto_of(growing) struct growing *file = growing_open(-1, -1);
	auto_fd int fd = bell_fd();
	unsigned bell = growing_bell_open(fd);
	uint64_t rang = 0;
	int64_t start = clock_ms();

	(void)state;
	for (int64_t length = 1; length <= 100000; length++) {
		growing_watch(file, bell);
		growing_extend(file, length);
		rang += rings(fd);
	}
	assert_in_range(rang, 1, 2 + (clock_ms() - start) / 10);
	growing_bell_close(bell);
}

static void a_repeated_length_rings_for_what_is_left_over(void **state)
{
	auto_of(growing) struct growing *file = growing_open(-1, -1);
	auto_fd int fd = bell_fd();
	unsigned bell = growing_bell_open(fd);
	int64_t deadline = clock_ms() + PATIENCE;

	(void)state;
	growing_extend(file, 1);
	growing_watch(file, bell);
	growing_extend(file, 2);
	while (!rings_within(fd, 1)) {
		growing_extend(file, 2);
		assert_true(clock_ms() < deadline);
	}
	assert_int_equal(rings(fd), 1);

	growing_watch(file, bell);
	growing_extend(file, 2);
	assert_false(rings_within(fd, 30));
	growing_bell_close(bell);
}

static void a_wait_ends_at_once_when_there_is_more(void **state)
{
	auto_of(growing) struct growing *file = growing_open(-1, -1);

	(void)state;
	growing_extend(file, 5);
	assert_true(growing_wait(file, 4, 0));
	assert_false(growing_wait(file, 5, clock_ms() + 5));
	growing_finish(file, 5);
	assert_true(growing_wait(file, 5, 0));
}

/* One transfer, read by several at once. */
struct race {
	struct growing *file;
	_Atomic int64_t seen[4]; /* by each reader */
	atomic_bool lost;
};

struct reader {
	struct thread thread;
	struct race *race;
	size_t index;
};

/* As a reactor does: look, ask for the bell, look again, sleep. */
static void read_by_bell(void *arg)
{
	struct reader *reader = arg;
	struct race *race = reader->race;
	_Atomic int64_t *seen = &race->seen[reader->index];
	auto_fd int fd = bell_fd();
	unsigned bell = growing_bell_open(fd);
	enum growing_state now = GROWING;

	while (now == GROWING && !race->lost) {
		now = growing_state(race->file);
		int64_t length = growing_length(race->file);
		if (length > *seen) {
			*seen = length;
			continue;
		}
		growing_watch(race->file, bell);
		if (growing_length(race->file) > *seen ||
		    growing_state(race->file) != GROWING)
			continue;
		if (!rings_within(fd, PATIENCE))
			race->lost = true;
		rings(fd);
	}
	growing_bell_close(bell);
}

static void read_by_waiting(void *arg)
{
	struct reader *reader = arg;
	struct race *race = reader->race;
	_Atomic int64_t *seen = &race->seen[reader->index];

	while (growing_state(race->file) == GROWING && !race->lost) {
		if (!growing_wait(race->file, *seen, clock_ms() + PATIENCE))
			race->lost = true;
		*seen = growing_length(race->file);
	}
}

static bool all_have_seen(const struct race *race, int64_t length)
{
	for (size_t i = 0; i < array_size(race->seen); i++)
		if (race->seen[i] < length)
			return false;
	return true;
}

/* Whoever missed the last step of a burst is never rung again: it is lost. */
static void write_in_bursts(struct race *race, int steps)
{
	int64_t length = 0;
	unsigned random = 1;

	while (steps > 0 && !race->lost) {
		for (int left = 1 + rand_r(&random) % 50; left; left--) {
			length += STEP;
			growing_extend(race->file, length);
			steps--;
		}
		while (!all_have_seen(race, length) && !race->lost)
			sched_yield();
	}
	growing_finish(race->file, length);
}

static void no_wake_is_lost(void **state)
{
	struct race race = { .file = growing_open(-1, -1) };
	struct reader readers[array_size(race.seen)];

	(void)state;
	for (size_t i = 0; i < array_size(readers); i++) {
		readers[i] = (struct reader){ .race = &race, .index = i };
		thread_start(&readers[i].thread, "reader",
			     i < 2 ? read_by_waiting : read_by_bell,
			     &readers[i]);
	}
	write_in_bursts(&race, 500000);
	for (size_t i = 0; i < array_size(readers); i++)
		thread_join(&readers[i].thread);
	assert_false(race.lost);
	assert_true(all_have_seen(&race, growing_size(race.file)));
	growing_drop(&race.file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_grows_and_then_is_whole),
		cmocka_unit_test(after_the_end_nothing_changes),
		cmocka_unit_test(a_broken_one_says_why),
		cmocka_unit_test(the_last_reference_closes_the_file),
		cmocka_unit_test(a_bell_rings_once_for_each_watch),
		cmocka_unit_test(each_reactor_has_its_own_bell),
		cmocka_unit_test(a_bell_given_back_is_silent),
		cmocka_unit_test(there_are_64_bells),
		cmocka_unit_test(small_steps_ring_seldom),
		cmocka_unit_test(a_repeated_length_rings_for_what_is_left_over),
		cmocka_unit_test(a_wait_ends_at_once_when_there_is_more),
		cmocka_unit_test(no_wake_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
