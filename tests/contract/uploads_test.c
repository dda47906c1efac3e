/*
 * The promises of store/store.h about uploads: they go on after a break, and
 * are hashed in whatever algorithm they are promised.
 */
#include "incoming_lab.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/thread.h"
#include "oci/hash.h"

static int resume_fails(struct lab *lab, struct repository at, const char *key)
{
	struct incoming *incoming;
	struct err e;

	assert_int_equal(incoming_resume_upload(lab->store, &at, span_of(key),
						&incoming, &e),
			 -1);
	return (int)e.kind;
}

static void an_upload_goes_on_in_the_next_request(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	char *key = left_upload(lab, "lay");
	struct incoming *incoming = resume(lab, key);
	assert_int_equal(incoming_length(incoming), 3);
	more(incoming, "er", 2);
	commit(&incoming, "layer");
	assert_true(lab_has(lab, local("app"), "layer"));
	assert_int_equal(resume_fails(lab, local("app"), key),
			 ERR_UPLOAD_UNKNOWN);
}

static void an_upload_goes_on_after_a_restart(void **state)
{
	struct lab *lab = *state;
	const char *text = big_text(lab);

	lab_open(lab);
	struct incoming *incoming = upload(lab);
	char *key = arena_text(lab->arena, span_of(incoming_key(incoming)));
	more(incoming, text, BIG / 2 + 7);
	incoming_leave(&incoming);

	lab_reopen(lab);
	incoming = resume(lab, key);
	assert_int_equal(incoming_length(incoming), BIG / 2 + 7);
	more(incoming, text + BIG / 2 + 7, BIG / 2 - 7);
	commit(&incoming, text);
	assert_true(lab_has(lab, local("app"), text));
}

static void only_one_request_at_a_time_is_at_an_upload(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	char *key = left_upload(lab, "lay");
	struct incoming *incoming = resume(lab, key);
	assert_int_equal(resume_fails(lab, local("app"), key), ERR_CONFLICT);
	incoming_leave(&incoming);
	incoming = resume(lab, key);
	incoming_drop(&incoming);
}

static void an_upload_belongs_to_its_repository(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	char *key = left_upload(lab, "lay");
	assert_int_equal(resume_fails(lab, local("other"), key),
			 ERR_UPLOAD_UNKNOWN);
	lab_reopen(lab);
	assert_int_equal(resume_fails(lab, local("other"), key),
			 ERR_UPLOAD_UNKNOWN);
	struct incoming *incoming = resume(lab, key);
	more(incoming, "er", 2);
	commit(&incoming, "layer");
}

static void what_was_cut_off_is_not_in_the_blob(void **state)
{
	struct lab *lab = *state;
	const char *text = big_text(lab);
	struct err e;

	lab_open(lab);
	struct incoming *incoming = upload(lab);
	more(incoming, text, 100);
	for (int i = 0; i < 20; i++) /* so much that it is being hashed */
		more(incoming, text, BIG);
	OK(incoming_cut(incoming, 100, &e), e);
	assert_int_equal(incoming_length(incoming), 100);
	OK(incoming_cut(incoming, 100, &e), e);
	more(incoming, text + 100, BIG - 100);
	commit(&incoming, text);
	assert_true(lab_has(lab, local("app"), text));
}

static void another_algorithm_may_be_expected_at_any_time(void **state)
{
	enum { FIRST, AMID, NEVER, TIMES };
	struct lab *lab = *state;
	const char *text = big_text(lab);
	struct digest digest = hash_of(DIGEST_SHA512, span_of(text));
	struct repository app = local("app");
	struct err e;

	lab_open(lab);
	for (int when = FIRST; when < TIMES; when++) {
		struct incoming *incoming = upload(lab);

		if (when == FIRST)
			incoming_expect(incoming, DIGEST_SHA512);
		more(incoming, text, BIG / 2);
		if (when == AMID)
			incoming_expect(incoming, DIGEST_SHA512);
		more(incoming, text + BIG / 2, BIG / 2);
		OK(incoming_commit(&incoming, &digest, &e), e);
		OK(store_unlink(lab->store, &app, &digest, &e), e);
	}
}

static int64_t told_length(struct lab *lab, const char *key)
{
	struct repository app = local("app");
	int64_t length;
	struct err e;

	OK(store_upload_length(lab->store, &app, span_of(key), &length, &e), e);
	return length;
}

static void an_upload_tells_its_length_while_somebody_is_at_it(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	char *key = left_upload(lab, "lay");
	assert_int_equal(told_length(lab, key), 3);
	struct incoming *incoming = resume(lab, key);
	more(incoming, "e", 1);
	assert_int_equal(told_length(lab, key), 4);
	incoming_leave(&incoming);
	lab_reopen(lab);
	assert_int_equal(told_length(lab, key), 4);
}

static void no_length_is_told_elsewhere_nor_of_what_ended(void **state)
{
	struct lab *lab = *state;
	struct repository app = local("app"), other = local("other");
	int64_t length;
	struct err e;

	lab_open(lab);
	struct span key = span_of(left_upload(lab, "lay"));
	FAILS(store_upload_length(lab->store, &other, key, &length, &e), e,
	      ERR_UPLOAD_UNKNOWN);
	struct incoming *incoming = resume(lab, key.at);
	incoming_drop(&incoming);
	FAILS(store_upload_length(lab->store, &app, key, &length, &e), e,
	      ERR_UPLOAD_UNKNOWN);
}

static void an_unknown_upload_is_unknown(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	assert_int_equal(resume_fails(lab, local("app"), "nonsense"),
			 ERR_UPLOAD_UNKNOWN);
	assert_int_equal(resume_fails(lab, local("app"), ""),
			 ERR_UPLOAD_UNKNOWN);
	assert_int_equal(
		resume_fails(lab, local("app"),
			     "0123456789abcdef0123456789abcdef0123456789"),
		ERR_UPLOAD_UNKNOWN);
}

struct client {
	struct thread thread;
	struct lab *lab;
	const char *keys[2];
	int written[2]; /* bytes, by this client */
	bool failed;
};

/* Adds a byte to its own upload and to that of all, whenever it gets hold. */
static void write_on(void *arg)
{
	struct client *client = arg;
	struct repository app = local("app");
	struct incoming *incoming;
	struct err e;

	for (int i = 0; i < 200; i++) {
		if (incoming_resume_upload(client->lab->store, &app,
					   span_of(client->keys[i % 2]),
					   &incoming, &e) < 0) {
			client->failed |= e.kind != ERR_CONFLICT;
			continue;
		}
		client->failed |= incoming_write(incoming, SPAN("x"), &e) < 0;
		client->written[i % 2]++;
		incoming_leave(&incoming);
	}
}

static void clients_at_once_do_not_hurt_each_others_uploads(void **state)
{
	struct lab *lab = *state;
	struct client clients[4] = { 0 };
	int64_t shared = 0;

	lab_open(lab);
	const char *key = left_upload(lab, "");
	for (size_t i = 0; i < array_size(clients); i++) {
		clients[i].lab = lab;
		clients[i].keys[0] = left_upload(lab, "");
		clients[i].keys[1] = key;
	}
	lab_reopen(lab);
	for (size_t i = 0; i < array_size(clients); i++)
		thread_start(&clients[i].thread, "client", write_on,
			     &clients[i]);
	for (size_t i = 0; i < array_size(clients); i++) {
		thread_join(&clients[i].thread);
		assert_false(clients[i].failed);
		assert_int_equal(clients[i].written[0], 100);
		assert_int_equal(told_length(lab, clients[i].keys[0]), 100);
		shared += clients[i].written[1];
	}
	assert_true(shared > 0);
	assert_int_equal(told_length(lab, key), shared);
}

static void a_dropped_upload_is_gone(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	char *key = left_upload(lab, "lay");
	struct incoming *incoming = resume(lab, key);
	incoming_drop(&incoming);
	assert_int_equal(resume_fails(lab, local("app"), key),
			 ERR_UPLOAD_UNKNOWN);
	assert_int_equal(lab_files(lab, "incoming"), 0);
	assert_int_equal(lab_number(lab, "SELECT count(*) FROM session"), 0);
}

enum { HUGE = 48 * BIG };

/* HUGE bytes of zero, `from` the offset to the end, in pieces. */
static void send_zeros(struct incoming *incoming, int64_t from)
{
	static const char zeros[BIG];

	for (; from < HUGE; from += BIG)
		more(incoming, zeros, BIG);
}

static struct digest digest_of_zeros(enum digest_algorithm algorithm)
{
	auto_free char *zeros = mem_alloc(HUGE);

	return hash_of(algorithm, span_make(zeros, HUGE));
}

static void
what_is_hashed_while_it_comes_has_the_digest_of_the_whole(void **state)
{
	struct lab *lab = *state;
	struct err e;

	lab_open(lab);
	for (int i = 0; i < DIGEST_ALGORITHMS; i++) {
		struct digest digest =
			digest_of_zeros((enum digest_algorithm)i);
		struct incoming *incoming = upload(lab);

		send_zeros(incoming, 0);
		OK(incoming_commit(&incoming, &digest, &e), e);
	}
	struct digest other = digest_of("other");
	struct incoming *incoming = upload(lab);
	send_zeros(incoming, 0);
	FAILS(incoming_commit(&incoming, &other, &e), e, ERR_DIGEST_INVALID);
}

static void a_restart_amid_a_large_upload_changes_nothing(void **state)
{
	struct lab *lab = *state;
	struct digest digest = digest_of_zeros(DIGEST_SHA256);
	struct err e;

	lab_open(lab);
	struct incoming *incoming = upload(lab);
	char *key = arena_text(lab->arena, span_of(incoming_key(incoming)));
	send_zeros(incoming, HUGE / 2);
	incoming_leave(&incoming);
	lab_reopen(lab);
	incoming = resume(lab, key);
	assert_int_equal(incoming_length(incoming), HUGE / 2);
	send_zeros(incoming, HUGE / 2);
	OK(incoming_commit(&incoming, &digest, &e), e);
}

static void an_upload_may_be_dropped_while_it_is_hashed(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	struct incoming *incoming = upload(lab);
	send_zeros(incoming, 0);
	incoming_drop(&incoming);
	assert_int_equal(lab_files(lab, "incoming"), 0);
}

static unsigned descriptors(void)
{
	unsigned open = 0;

	for (int fd = 0; fd < 1024; fd++)
		open += fcntl(fd, F_GETFD) >= 0;
	return open;
}

static void many_idle_uploads_go_on_and_few_are_kept_open(void **state)
{
	enum { MANY = 300, OPEN = 256 };
	struct lab *lab = *state;
	char *keys[MANY];

	lab_open(lab);
	for (int i = 0; i < MANY; i++)
		keys[i] = left_upload(lab, "lay");
	assert_in_range(descriptors(), OPEN, OPEN + 20);
	for (int i = 0; i < MANY; i += 50) {
		struct incoming *incoming = resume(lab, keys[i]);

		more(incoming, "er", 2);
		commit(&incoming, "layer");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ALSO_CLIENTS(an_upload_goes_on_in_the_next_request),
		LAB_TEST(an_upload_goes_on_after_a_restart),
		ALSO_CLIENTS(only_one_request_at_a_time_is_at_an_upload),
		ALSO_CLIENTS(an_upload_belongs_to_its_repository),
		LAB_TEST(what_was_cut_off_is_not_in_the_blob),
		LAB_TEST(another_algorithm_may_be_expected_at_any_time),
		ALSO_CLIENTS(
			an_upload_tells_its_length_while_somebody_is_at_it),
		ALSO_CLIENTS(no_length_is_told_elsewhere_nor_of_what_ended),
		LAB_TEST(an_unknown_upload_is_unknown),
		LAB_TEST(clients_at_once_do_not_hurt_each_others_uploads),
		ALSO_CLIENTS(a_dropped_upload_is_gone),
		LAB_TEST(
			what_is_hashed_while_it_comes_has_the_digest_of_the_whole),
		LAB_TEST(a_restart_amid_a_large_upload_changes_nothing),
		LAB_TEST(an_upload_may_be_dropped_while_it_is_hashed),
		LAB_TEST(many_idle_uploads_go_on_and_few_are_kept_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
