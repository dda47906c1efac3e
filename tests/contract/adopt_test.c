/*
 * What a push relied on, since its name meant an upstream's repository before:
 * it becomes pushed content, and no upstream hears of what was never seen.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "mirror/flight.h"
#include "mirror_lab.h"
#include "oci/hash.h"

static const struct repository app = { .name = { "app" } };

static void parse(struct lab *lab, const char *text, struct manifest *out)
{
	struct err e;

	assert_int_equal(manifest_parse(span_of(text), SPAN_NONE, DIGEST_SHA256,
					lab->arena, out, &e),
			 0);
}

/* Adopts what it names, and pushes it as app:mine. 0, or an error's kind. */
static int push_since(struct lab *lab, const char *text, int64_t asked_ms)
{
	struct mirror_target before = hub("library/app", true);
	struct reference mine = tag("mine");
	struct manifest manifest;
	struct meta_put put = {
		.repository = &app,
		.manifest = &manifest,
		.reference = &mine,
	};
	struct err e;

	before.asked_ms = asked_ms;
	parse(lab, text, &manifest);
	if (mirror_adopt(lab->mirror, &before, &app, &manifest, &e) < 0 ||
	    store_put_manifest(lab->store, &put, &e) < 0)
		return (int)e.kind;
	return 0;
}

static int push(struct lab *lab, const char *text)
{
	return push_since(lab, text, 0);
}

static bool is_pushed(struct lab *lab)
{
	struct meta *meta = store_meta(lab->store);
	struct meta_blob blob;
	int64_t cached;
	struct err e;

	assert_int_equal(meta_cached_peek(meta, &cached, &e), 0);
	return meta_blob_peek(meta, &app, &lab->digest, &blob, &e) == 0 &&
	       blob.id != 0 && cached == 0;
}

static void what_is_cached_becomes_pushed(void **state)
{
	struct lab *lab = *state;

	cache_whole_image(lab);
	assert_false(is_pushed(lab));
	assert_int_equal(push(lab, image(lab, "mine")), 0);
	assert_true(is_pushed(lab));
	assert_int_equal(fake_request_count(lab->server), 3);
}

static void what_was_only_named_is_fetched(void **state)
{
	struct lab *lab = *state;

	cache_image(lab);
	answer_blob(lab, lab->blob);
	assert_int_equal(push(lab, image(lab, "mine")), 0);
	assert_true(is_pushed(lab));
	assert_int_equal(fake_request_count(lab->server), 3);
}

static void what_cannot_be_fetched_fails_the_push(void **state)
{
	struct lab *lab = *state;

	cache_image(lab);
	for (int i = 0; i < 8; i++)
		answer_refusal(lab, "500 Internal Server Error");
	assert_int_equal(push(lab, image(lab, "mine")), ERR_UPSTREAM);
	assert_false(is_pushed(lab));
}

static void what_is_not_kept_cannot_be_relied_on(void **state)
{
	static const struct store_cache small = { .limit = BLOB_SIZE - 1 };
	struct lab *lab = *state;

	store_cache(lab->store, &small);
	cache_image(lab);
	answer_blob(lab, lab->blob);
	assert_int_equal(push(lab, image(lab, "mine")), ERR_NO_SPACE);
	assert_false(is_pushed(lab));
}

struct pusher {
	struct lab *lab;
	int kind; /* of the error; 0: it was pushed */
};

static void push_along(void *arg)
{
	struct pusher *pusher = arg;

	pusher->kind = push(pusher->lab, image(pusher->lab, "mine"));
}

/* Of docker.io, in all tests. */
static int64_t flights(struct lab *lab)
{
	return metric_read_for(lab->mirror->counters[0], EACH_MISSES);
}

static void await_flights(struct lab *lab, int64_t count)
{
	int64_t deadline_ms = clock_ms() + 60000;

	while (flights(lab) < count) {
		assert_true(clock_ms() < deadline_ms);
		usleep(1000);
	}
}

/* The limit stands for whatever else drives it out as soon as it came. */
static void what_goes_before_it_is_taken_over_is_fetched_again(void **state)
{
	static const struct store_cache large = { .limit = 2 * BLOB_SIZE };
	static const struct store_cache small = { .limit = BLOB_SIZE - 1 };
	struct lab *lab = *state;
	struct pool *blobs = lab->mirror->crews[0].blobs;
	struct pusher pusher = { .lab = lab };
	struct thread client;

	store_cache(lab->store, &large);
	cache_image(lab);
	answer_blob(lab, lab->blob);
	answer_blob(lab, lab->blob);
	int64_t before = flights(lab);

	close_gate(lab, blobs);
	thread_start(&client, "client", push_along, &pusher);
	await_flights(lab, before + 1);
	close_gate(lab, blobs);
	store_cache(lab->store, &small);
	open_gate(lab);
	await_flights(lab, before + 2);
	store_cache(lab->store, &large);
	open_gate(lab);
	thread_join(&client);
	assert_int_equal(pusher.kind, 0);
	assert_true(is_pushed(lab));
	assert_int_equal(fake_request_count(lab->server), 4);
}

static void what_takes_too_long_goes_on_coming(void **state)
{
	struct lab *lab = *state;
	const char *urls[] = { fake_url(lab->server) };
	struct flight_plan plan = {
		.kind = FLIGHT_BLOB,
		.upstream = &lab->entries[0],
		.repository = hub("library/app", true).repository,
		.reference = reference_to_digest(&lab->digest),
		.size = BLOB_SIZE,
		.reason = "miss",
	};
	struct mirror_transfer under_way;

	move_hub(lab, urls, 1);
	cache_image(lab);
	fake_answer(lab->server, FAKE_SILENCE,
		    "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", BLOB_SIZE);
	struct flight *flight = flight_join(lab->mirror, &plan);
	fake_wait(lab->server, 3);
	assert_int_equal(push_since(lab, image(lab, "mine"),
				    clock_ms() - ADOPT_MS),
			 ERR_TIMEOUT);
	assert_int_equal(mirror_transfers(lab->mirror, &under_way, 1), 1);
	flight_leave(&flight);
}

static void nobody_hears_of_what_was_never_seen(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(push(lab, image(lab, "mine")),
			 ERR_MANIFEST_BLOB_UNKNOWN);
	assert_int_equal(fake_connection_count(lab->server), 0);
}

static bool is_there(struct lab *lab, const char *manifest)
{
	struct digest digest = hash_of(DIGEST_SHA256, span_of(manifest));
	struct reference reference = reference_to_digest(&digest);
	struct meta_manifest found;
	struct err e;

	return meta_manifest_peek(store_meta(lab->store), &app, &reference,
				  lab->arena, &found, &e) == 0;
}

static void an_index_brings_its_images(void **state)
{
	struct lab *lab = *state;

	cache_image(lab);
	answer_blob(lab, lab->blob);
	assert_int_equal(push(lab, index_of(lab, image(lab, "1"))), 0);
	assert_true(is_there(lab, image(lab, "1")));
	assert_true(is_pushed(lab));

	/* Of one that was never seen nobody is asked. */
	assert_int_equal(push(lab, index_of(lab, image(lab, "2"))), 0);
	assert_false(is_there(lab, image(lab, "2")));
	assert_int_equal(fake_request_count(lab->server), 3);
}

#define promise(function) \
	cmocka_unit_test_setup_teardown(function, lab_open, lab_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(what_is_cached_becomes_pushed),
		promise(what_was_only_named_is_fetched),
		promise(what_cannot_be_fetched_fails_the_push),
		promise(what_is_not_kept_cannot_be_relied_on),
		promise(what_goes_before_it_is_taken_over_is_fetched_again),
		promise(what_takes_too_long_goes_on_coming),
		promise(nobody_hears_of_what_was_never_seen),
		promise(an_index_brings_its_images),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
