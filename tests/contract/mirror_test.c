/*
 * Manifests through the mirror, over a real store and an upstream that answers
 * as written: how long a tag is believed, and what is answered from what is
 * here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/thread.h"
#include "mirror/flight.h"
#include "mirror_lab.h"
#include "oci/hash.h"

static void a_tag_is_not_asked_for_within_its_lifetime(void **state)
{
	struct lab *lab = *state;
	struct mirror_target target = hub("library/app", false);
	struct reference one = tag("1");
	struct manifest_view view;
	struct err e;

	cache_image(lab);
	assert_int_equal(pull_peek_manifest(lab->mirror, &target, &one,
					    lab->arena, &view, &e),
			 0);
	assert_false(view.warning.at);
	assert_int_equal(fake_request_count(lab->server), 2);
}

static void what_came_since_the_peek_is_not_asked_for_again(void **state)
{
	struct lab *lab = *state;
	struct manifest_view view;

	cache_image(lab);
	pull(lab, "1", &view);
	assert_true(span_is(view.bytes, image(lab, "1")));
	assert_false(view.warning.at);
	assert_int_equal(fake_request_count(lab->server), 2);
}

/* Whoever finds nothing may join only when a flight before has ended. */
static void nor_is_what_came_before_a_flight_began(void **state)
{
	struct lab *lab = *state;
	struct digest digest = hash_of(DIGEST_SHA256, span_of(image(lab, "1")));
	struct reference references[] = { tag("1"),
					  reference_to_digest(&digest) };
	struct flight_plan plan = {
		.kind = FLIGHT_MANIFEST,
		.upstream = &lab->entries[0],
		.repository = hub("library/app", false).repository,
		.known = -1,
		.reason = "miss",
	};
	struct meta_manifest found;
	struct err e;

	cache_image(lab);
	for (size_t i = 0; i < array_size(references); i++) {
		plan.reference = references[i];
		assert_int_equal(flight_manifest(lab->mirror, &plan, 10000,
						 lab->arena, &found, &e),
				 0);
		assert_true(span_is(found.bytes, image(lab, "1")));
	}
	assert_int_equal(fake_request_count(lab->server), 2);
}

/* Who joins before it has begun may want it newer than it is here. */
static void whoever_wants_it_newest_is_heard(void **state)
{
	struct lab *lab = *state;
	struct flight_plan plan = {
		.kind = FLIGHT_MANIFEST,
		.upstream = &lab->entries[0],
		.repository = hub("library/app", false).repository,
		.reference = tag("1"),
		.known = -1,
		.reason = "miss",
	};
	struct meta_manifest here;
	struct err e;

	cache_image(lab);
	assert_int_equal(meta_manifest_peek(store_meta(lab->store),
					    &plan.repository, &plan.reference,
					    lab->arena, &here, &e),
			 0);
	close_gate(lab, lab->mirror->crews[0].manifests);
	struct flight *first = flight_join(lab->mirror, &plan);
	plan.known = here.checked;
	struct flight *second = flight_join(lab->mirror, &plan);
	assert_ptr_equal(first, second);
	answer_head(lab, image(lab, "1"));
	open_gate(lab);
	assert_int_equal(flight_wait_end(second, clock_ms() + 60000, &e),
			 FLIGHT_DONE);
	assert_int_equal(fake_request_count(lab->server), 3);
	flight_leave(&second);
	flight_leave(&first);
}

static void past_its_lifetime_one_head_decides(void **state)
{
	struct lab *lab = *state;
	struct mirror_target target = hub("library/app", false);
	struct reference one = tag("1");
	struct manifest_view view;
	struct err e;

	cache_image(lab);
	upstream_rules[0].tag_lifetime_ms = 0;
	assert_int_equal(pull_peek_manifest(lab->mirror, &target, &one,
					    lab->arena, &view, &e),
			 -1);
	assert_int_equal(e.kind, ERR_NOT_HERE);
	answer_head(lab, image(lab, "1"));
	pull(lab, "1", &view);
	assert_int_equal(fake_request_count(lab->server), 3);
	assert_ptr_equal(strstr(fake_request(lab->server, 2), "HEAD "),
			 fake_request(lab->server, 2));

	answer_head(lab, image(lab, "2"));
	answer_get(lab, image(lab, "2"));
	pull(lab, "1", &view);
	assert_true(span_is(view.bytes, image(lab, "2")));
}

static void upstream_is_told_every_kind_that_there_is(void **state)
{
	static const char *const kinds[] = {
		"application/vnd.oci.image.index.v1+json",
		"application/vnd.oci.image.manifest.v1+json",
		"application/vnd.docker.distribution.manifest.list.v2+json",
		"application/vnd.docker.distribution.manifest.v2+json",
	};
	struct lab *lab = *state;

	cache_image(lab); /* by a HEAD and a GET */
	for (size_t i = 0; i < 2 * array_size(kinds); i++) {
		const char *accept =
			strstr(fake_request(lab->server, i % 2), "\nAccept: ");

		assert_non_null(accept);
		assert_non_null(strstr(accept, kinds[i / 2]));
	}
}

static bool is_asked_again(struct lab *lab, const struct mirror_target *target)
{
	struct reference one = tag("1");
	struct manifest_view view;
	struct err e;

	return pull_peek_manifest(lab->mirror, target, &one, lab->arena, &view,
				  &e) < 0;
}

static void a_tag_lives_longer_when_little_may_be_asked(void **state)
{
	struct lab *lab = *state;
	struct mirror_target plenty = ghcr("library/app");
	struct mirror_target little = hub("library/app", false);
	struct digest digest = hash_of(DIGEST_SHA256, span_of(image(lab, "1")));
	struct reference one = tag("1");
	struct manifest_view view;
	int64_t end = clock_ms() + 10000;
	struct err e;

	upstream_rules[0].tag_lifetime_ms = 100;
	upstream_rules[1].tag_lifetime_ms = 100;
	little.looks = plenty.looks = true;
	answer_head_at(lab->other, image(lab, "1"));
	answer_get_at(lab->other, image(lab, "1"));
	fake_answer(lab->server, FAKE_KEEP,
		    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nratelimit-limit: "
		    "1000\r\nratelimit-remaining: 0\r\n"
		    "Docker-Content-Digest: %s\r\n\r\n",
		    digest_text(&digest).s);
	answer_get(lab, image(lab, "1"));
	pull(lab, "1", &view);
	assert_int_equal(pull_manifest(lab->mirror, &plenty, &one, lab->arena,
				       &view, &e),
			 0);
	while (!is_asked_again(lab, &plenty) && clock_ms() < end)
		usleep(10000);
	assert_true(is_asked_again(lab, &plenty));
	assert_false(is_asked_again(lab, &little));
}

static void another_upstream_is_asked_from_now_on(void **state)
{
	struct lab *lab = *state;
	struct upstream *next = upstream_at("docker.io", lab->other);
	struct manifest_view view;

	answer_head(lab, image(lab, "1"));
	answer_get(lab, image(lab, "1"));
	pull(lab, "1", &view);
	mirror_replace(lab->mirror, 0, next);
	upstream_close(&next);
	answer_head_at(lab->other, image(lab, "2"));
	answer_get_at(lab->other, image(lab, "2"));
	pull(lab, "2", &view);
	assert_true(span_is(view.bytes, image(lab, "2")));
	assert_int_equal(fake_request_count(lab->server), 2);
	assert_int_equal(fake_request_count(lab->other), 2);
}

static void whatever_upstream_says_what_is_here_is_served(void **state)
{
	static const char *const refusals[] = {
		"401 Unauthorized",
		"403 Forbidden",
		"404 Not Found",
		"429 Too Many Requests",
		"500 Internal Server Error",
	};
	struct lab *lab = *state;
	struct manifest_view view;

	cache_image(lab);
	upstream_rules[0].tag_lifetime_ms = 0;
	for (size_t i = 0; i < array_size(refusals); i++) {
		print_message("%s\n", refusals[i]);
		answer_refusal(lab, refusals[i]);
		pull(lab, "1", &view);
		assert_true(span_is(view.bytes, image(lab, "1")));
		assert_true(span_starts(view.warning, "299 - \""));
	}
}

static void a_silent_upstream_costs_no_more_than_the_patience(void **state)
{
	struct lab *lab = *state;
	struct manifest_view view;

	cache_whole_image(lab);
	upstream_rules[0].tag_lifetime_ms = 0;
	rules.patience_ms = 200;
	fake_answer(lab->server, FAKE_SILENCE, "HTTP/1.1 200 OK\r\n");
	int64_t began = clock_ms();
	pull(lab, "1", &view);
	assert_true(view.warning.at);
	assert_in_range(clock_ms() - began, 200, 2000);
}

static void nobody_waits_for_one_that_was_silent_before(void **state)
{
	struct lab *lab = *state;
	struct manifest_view view;

	cache_whole_image(lab);
	upstream_rules[0].tag_lifetime_ms = 0;
	rules.patience_ms = 1000;
	fake_answer(lab->server, FAKE_SILENCE, "HTTP/1.1 200 OK\r\n");
	pull(lab, "1", &view);
	int64_t began = clock_ms();
	for (int i = 0; i < 5; i++) {
		pull(lab, "1", &view);
		assert_true(view.warning.at);
	}
	assert_in_range(clock_ms() - began, 0, 4000);

	/* It was asked on behind, and so is seen when it answers again. */
	for (int i = 0; i < 100; i++)
		answer_head(lab, image(lab, "1"));
	do
		pull(lab, "1", &view);
	while (view.warning.at && clock_ms() - began < 10000);
	assert_false(view.warning.at);
}

/* For how long a tag that is here waits for an answer now, ms. */
static int64_t patience(struct lab *lab, const struct flight_plan *plan)
{
	struct mirror_target target = hub("library/app", false);

	return mirror_patience(lab->mirror, &target, plan);
}

static void wait_in_vain(struct lab *lab, struct flight_plan *plan,
			 const char *tag_name, int64_t patience_ms)
{
	struct meta_manifest found;
	struct err e;

	plan->reference = tag(tag_name);
	fake_answer(lab->server, FAKE_SILENCE, "HTTP/1.1 200 OK\r\n");
	assert_int_equal(flight_manifest(lab->mirror, plan, patience_ms,
					 lab->arena, &found, &e),
			 -1);
	assert_int_equal(e.kind, ERR_TIMEOUT);
}

/* Or all who ask while it is about to answer would keep each other from it. */
static void who_hardly_waited_says_nothing_of_upstream(void **state)
{
	struct lab *lab = *state;
	const char *urls[] = { fake_url(lab->server) };
	struct flight_plan plan = {
		.kind = FLIGHT_MANIFEST,
		.upstream = &lab->entries[0],
		.repository = hub("library/app", false).repository,
		.reason = "miss",
		.silence_ms = 5000,
	};

	wait_in_vain(lab, &plan, "a", 5000);
	int64_t hardly = patience(lab, &plan);
	assert_true(hardly < rules.patience_ms);
	move_hub(lab, urls, array_size(urls));
	cache_image(lab); /* it answers again */
	assert_int_equal(patience(lab, &plan), rules.patience_ms);
	wait_in_vain(lab, &plan, "b", hardly);
	wait_in_vain(lab, &plan, "c", 5 * hardly);
	assert_int_equal(patience(lab, &plan), rules.patience_ms);
}

static void nor_does_who_waited_in_a_queue(void **state)
{
	struct lab *lab = *state;
	struct flight_plan plan = {
		.kind = FLIGHT_MANIFEST,
		.upstream = &lab->entries[0],
		.repository = hub("library/app", false).repository,
		.reference = tag("1"),
		.reason = "miss",
	};
	struct meta_manifest found;
	struct err e;

	close_gate(lab, lab->mirror->crews[0].manifests);
	assert_int_equal(flight_manifest(lab->mirror, &plan, 100, lab->arena,
					 &found, &e),
			 -1);
	assert_int_equal(e.kind, ERR_TIMEOUT);
	assert_int_equal(patience(lab, &plan), rules.patience_ms);
	open_gate(lab);
}

static int look(struct lab *lab, const char *tag_name)
{
	struct mirror_target target = hub("library/app", false);
	struct reference reference = tag(tag_name);
	struct manifest_view view;
	struct err e;

	if (pull_peek_manifest(lab->mirror, &target, &reference, lab->arena,
			       &view, &e) == 0)
		return 0;
	return (int)e.kind;
}

static int pull_in_vain(struct lab *lab, const char *tag_name)
{
	struct mirror_target target = hub("library/app", false);
	struct reference reference = tag(tag_name);
	struct manifest_view view;
	struct err e;

	assert_int_equal(pull_manifest(lab->mirror, &target, &reference,
				       lab->arena, &view, &e),
			 -1);
	return (int)e.kind;
}

static void what_is_not_there_is_not_asked_for_again_at_once(void **state)
{
	struct lab *lab = *state;

	upstream_rules[0].not_found_lifetime_ms = 60000;
	answer_refusal(lab, "404 Not Found");
	assert_int_equal(pull_in_vain(lab, "1"), ERR_MANIFEST_UNKNOWN);
	assert_int_equal(look(lab, "1"), ERR_MANIFEST_UNKNOWN);
	assert_int_equal(pull_in_vain(lab, "1"), ERR_MANIFEST_UNKNOWN);
	assert_int_equal(fake_request_count(lab->server), 1);

	/* But for this one question, and for so long. */
	assert_int_equal(look(lab, "2"), ERR_NOT_HERE);
	upstream_rules[0].not_found_lifetime_ms = 0;
	assert_int_equal(look(lab, "1"), ERR_NOT_HERE);
	cache_image(lab);
	assert_int_equal(look(lab, "1"), 0);
}

static void only_a_404_says_that_something_is_not_there(void **state)
{
	static const char *const refusals[] = {
		"401 Unauthorized",
		"403 Forbidden",
		"429 Too Many Requests",
		"500 Internal Server Error",
	};
	struct lab *lab = *state;

	upstream_rules[0].not_found_lifetime_ms = 60000;
	for (size_t i = 0; i < array_size(refusals); i++) {
		print_message("%s\n", refusals[i]);
		answer_refusal(lab, refusals[i]);
		pull_in_vain(lab, "1");
		assert_int_equal(look(lab, "1"), ERR_NOT_HERE);
	}
}

static void a_tag_that_is_there_no_more_is_served_on(void **state)
{
	struct lab *lab = *state;
	struct manifest_view view;

	cache_image(lab);
	upstream_rules[0].tag_lifetime_ms = 0;
	upstream_rules[0].not_found_lifetime_ms = 60000;
	answer_refusal(lab, "404 Not Found");
	for (int i = 0; i < 2; i++) {
		pull(lab, "1", &view);
		assert_true(span_is(view.bytes, image(lab, "1")));
		assert_true(span_starts(view.warning, "299 - \""));
	}
	assert_int_equal(fake_request_count(lab->server), 3);
}

static void or_it_is_forgotten(void **state)
{
	struct lab *lab = *state;

	cache_image(lab);
	upstream_rules[0].tag_lifetime_ms = 0;
	upstream_rules[0].passes_not_found = true;
	answer_refusal(lab, "404 Not Found");
	assert_int_equal(pull_in_vain(lab, "1"), ERR_MANIFEST_UNKNOWN);
	upstream_rules[0].tag_lifetime_ms = 300000;
	assert_int_equal(look(lab, "1"), ERR_NOT_HERE);
	cache_image(lab);
	assert_int_equal(look(lab, "1"), 0);
}

static void what_upstream_keeps_from_us_is_unknown(void **state)
{
	struct lab *lab = *state;
	struct mirror_target target = hub("library/app", false);
	struct reference one = tag("1");
	struct manifest_view view;
	struct err e;

	answer_refusal(lab, "403 Forbidden");
	assert_int_equal(pull_manifest(lab->mirror, &target, &one, lab->arena,
				       &view, &e),
			 -1);
	assert_int_equal(e.kind, ERR_MANIFEST_UNKNOWN);
}

static void wrong_bytes_are_the_fault_of_upstream(void **state)
{
	struct lab *lab = *state;

	answer_head(lab, image(lab, "1"));
	answer_get(lab, image(lab, "2"));
	assert_int_equal(pull_in_vain(lab, "1"), ERR_UPSTREAM);
}

static void ask_in_vain(void *arg)
{
	struct lab *lab = arg;
	struct mirror_target target = hub("library/none", false);
	auto_of(arena) struct arena *arena = arena_open();
	struct manifest_view view;
	struct reference reference = tag("");
	struct err e;
	static atomic_uint number;

	snprintf(reference.tag.s, sizeof(reference.tag.s), "%u", number++);
	assert_int_equal(pull_manifest(lab->mirror, &target, &reference, arena,
				       &view, &e),
			 -1);
}

static void a_silent_upstream_holds_up_no_other(void **state)
{
	struct lab *lab = *state;
	struct thread crowd[40];
	struct mirror_target target = ghcr("team/app");
	struct reference one = tag("1");
	struct manifest_view view;
	struct err e;

	for (size_t i = 0; i < array_size(crowd); i++) {
		fake_answer(lab->server, FAKE_SILENCE, "HTTP/1.1 ");
		thread_start(&crowd[i], "client", ask_in_vain, lab);
	}
	fake_wait(lab->server, 16);
	answer_head_at(lab->other, image(lab, "1"));
	answer_get_at(lab->other, image(lab, "1"));
	int64_t began = clock_ms();
	assert_int_equal(pull_manifest(lab->mirror, &target, &one, lab->arena,
				       &view, &e),
			 0);
	assert_in_range(clock_ms() - began, 0, 1000);
	for (size_t i = 0; i < array_size(crowd); i++)
		thread_join(&crowd[i]);
}

#define promise(function) \
	cmocka_unit_test_setup_teardown(function, lab_open, lab_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(a_tag_is_not_asked_for_within_its_lifetime),
		promise(what_came_since_the_peek_is_not_asked_for_again),
		promise(nor_is_what_came_before_a_flight_began),
		promise(whoever_wants_it_newest_is_heard),
		promise(past_its_lifetime_one_head_decides),
		promise(upstream_is_told_every_kind_that_there_is),
		promise(a_tag_lives_longer_when_little_may_be_asked),
		promise(another_upstream_is_asked_from_now_on),
		promise(whatever_upstream_says_what_is_here_is_served),
		promise(a_silent_upstream_costs_no_more_than_the_patience),
		promise(nobody_waits_for_one_that_was_silent_before),
		promise(who_hardly_waited_says_nothing_of_upstream),
		promise(nor_does_who_waited_in_a_queue),
		promise(what_is_not_there_is_not_asked_for_again_at_once),
		promise(only_a_404_says_that_something_is_not_there),
		promise(a_tag_that_is_there_no_more_is_served_on),
		promise(or_it_is_forgotten),
		promise(a_silent_upstream_holds_up_no_other),
		promise(what_upstream_keeps_from_us_is_unknown),
		promise(wrong_bytes_are_the_fault_of_upstream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
