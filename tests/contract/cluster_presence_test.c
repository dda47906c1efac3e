/*
 * Promises of cluster/presence.h, against an etcd that forgets what it is told
 * as soon as it has said yes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "cluster/cluster.h"
#include "fake_server.h"

enum { ANSWERS = 200, WAIT_MS = 60000 };

#define YES "{\"result\":{\"header\":{\"cluster_id\":\"7\"},\"TTL\":\"2\"}}"

struct lab {
	struct fake_server *server;
	const char *url;
	struct cluster_options etcd;
	struct presence *presence;
	/* The first look that finds nothing to say, and how many do: */
	int from, count;
	atomic_int looks;
	_Atomic int64_t silent_ms; /* when that was */
};

static int describe(void *arg, struct buf *out, struct err *e)
{
	struct lab *lab = arg;
	int look = atomic_fetch_add(&lab->looks, 1);

	if (look >= lab->from && look < lab->from + lab->count) {
		if (look == lab->from)
			lab->silent_ms = clock_ms();
		return err_set(e, ERR_BUSY, "no descriptors are left");
	}
	buf_addf(out, "well");
	return 0;
}

static int lab_open(void **state)
{
	struct lab *lab = calloc(1, sizeof(*lab));

	lab->server = fake_open("127.0.0.1");
	lab->url = fake_url(lab->server);
	lab->etcd = (struct cluster_options){
		.urls = &lab->url,
		.url_count = 1,
		.prefix = "/p/",
	};
	for (int i = 0; i < ANSWERS; i++)
		fake_answer(lab->server, FAKE_KEEP,
			    "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
			    strlen(YES), YES);
	*state = lab;
	return 0;
}

static int lab_close(void **state)
{
	struct lab *lab = *state;

	presence_close(&lab->presence);
	fake_close(&lab->server);
	free(lab);
	return 0;
}

/* Nothing is to say from the look `from` on, `count` times. */
static void lab_start(struct lab *lab, int from, int count)
{
	struct presence_options options = {
		.etcd = &lab->etcd,
		.key = "a",
		.lease_s = 2,
		.describe = describe,
		.arg = lab,
	};
	struct err e;

	lab->from = from;
	lab->count = count;
	assert_int_equal(presence_open(&options, &lab->presence, &e), 0);
}

static void pause_a_little(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
}

static void wait_for_looks(struct lab *lab, int count)
{
	int64_t until = clock_ms() + WAIT_MS;

	while (atomic_load(&lab->looks) < count && clock_ms() < until)
		pause_a_little();
	assert_true(atomic_load(&lab->looks) >= count);
}

/* How often it was asked so until now. */
static size_t asked(struct lab *lab, const char *path)
{
	size_t count = 0;

	for (size_t i = 0; i < fake_request_count(lab->server); i++)
		count += strstr(fake_request(lab->server, i), path) != NULL;
	return count;
}

static void a_shortage_that_passes_takes_no_key_away(void **state)
{
	struct lab *lab = *state;

	lab_start(lab, 2, 1);
	wait_for_looks(lab, 5);
	assert_int_equal(asked(lab, "/lease/revoke"), 0);
	assert_true(asked(lab, "/kv/put") >= 4);
}

static void one_that_lasts_takes_it_away(void **state)
{
	struct lab *lab = *state;
	int64_t until = clock_ms() + WAIT_MS;

	lab_start(lab, 2, 1000);
	while (asked(lab, "/lease/revoke") == 0 && clock_ms() < until)
		pause_a_little();
	assert_true(clock_ms() >= lab->silent_ms + 3000);
	assert_true(asked(lab, "/lease/revoke") > 0);
}

static void what_is_unwell_from_the_beginning_has_no_key(void **state)
{
	struct lab *lab = *state;

	lab_start(lab, 0, 1000);
	wait_for_looks(lab, 3);
	assert_int_equal(asked(lab, "/kv/put"), 0);
}

#define promise(name) cmocka_unit_test_setup_teardown(name, lab_open, lab_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(a_shortage_that_passes_takes_no_key_away),
		promise(one_that_lasts_takes_it_away),
		promise(what_is_unwell_from_the_beginning_has_no_key),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
