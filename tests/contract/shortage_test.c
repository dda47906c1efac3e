/*
 * When the system has no thread left, what keeps house says so or takes
 * longer, and the process goes on.
 */
#include "scrub_lab.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/buf.h"

static atomic_int threads_left = INT_MAX;

typedef int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *),
		      void *);

/* In place of the C library's. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
		   void *(*run)(void *), void *arg)
{
	create next;
	void *found = dlsym(RTLD_NEXT, "pthread_create");

	memcpy(&next, &found, sizeof(next));
	return threads_left-- > 0 ? next(thread, attributes, run, arg) : EAGAIN;
}

static void a_sweep_that_finds_no_thread_is_done_later(void **state)
{
	struct lab *lab = *state;
	struct store_swept swept;
	struct err e;

	lab_open(lab);
	push_and_drop(lab);
	threads_left = 0;
	int failed = sweep_try(lab, (struct store_sweep){ 0 }, &swept, &e);
	threads_left = INT_MAX;
	FAILS(failed, e, ERR_BUSY);
	assert_int_equal(lab_files(lab, "blobs"), 1);
	assert_int_equal(sweep_now(lab).blobs.number, 1);
	assert_int_equal(lab_files(lab, "blobs"), 0);
}

static void a_sweep_with_its_own_thread_alone_removes_files(void **state)
{
	struct lab *lab = *state;
	struct store_swept swept;
	struct err e;

	lab_open(lab);
	push_and_drop(lab);
	threads_left = 1;
	int failed = sweep_try(lab, (struct store_sweep){ 0 }, &swept, &e);
	threads_left = INT_MAX;
	OK(failed, e);
	assert_int_equal(swept.blobs.number, 1);
	assert_int_equal(lab_files(lab, "blobs"), 0);
}

/* So large that it would be read in pieces, on other threads. */
static void push_large(struct lab *lab, size_t size)
{
	auto_buf struct buf bytes = { 0 };
	struct repository app = local("app");
	struct incoming *incoming;
	struct err e;

	while (bytes.len < size)
		buf_addf(&bytes, "%0512zu", bytes.len);
	struct digest digest = digest_of(bytes.at);
	OK(incoming_open_upload(lab->store, &app, &incoming, &e), e);
	OK(incoming_write(incoming, span_of(bytes.at), &e), e);
	OK(incoming_commit(&incoming, &digest, &e), e);
}

static void what_is_read_back_needs_no_other_thread(void **state)
{
	enum { SIZE = 5 * 1024 * 1024 };
	struct lab *lab = *state;
	struct store_verify how = { 0 };
	struct store_verified verified;
	struct err e;

	lab_open(lab);
	push_large(lab, SIZE);
	threads_left = 0;
	int failed = store_verify(lab->store, &how, &verified, &e);
	threads_left = INT_MAX;
	OK(failed, e);
	assert_int_equal(verified.blobs.bytes, SIZE);
	assert_int_equal(store_findings(&verified), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB_TEST(a_sweep_that_finds_no_thread_is_done_later),
		LAB_TEST(a_sweep_with_its_own_thread_alone_removes_files),
		LAB_TEST(what_is_read_back_needs_no_other_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
