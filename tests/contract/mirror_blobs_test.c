/*
 * Blobs through the mirror, over a real store and an upstream that answers as
 * written: one fetch, whole answers, and what upstream says of its own alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "mirror_lab.h"

static void read_along(void *arg)
{
	struct lab *lab = arg;
	int64_t length;

	assert_int_equal(pull_bytes(lab, &length), GROWING_WHOLE);
	assert_int_equal(length, BLOB_SIZE);
}

static void however_many_ask_a_blob_is_fetched_once(void **state)
{
	struct lab *lab = *state;
	struct thread crowd[16];

	cache_image(lab);
	answer_blob(lab, lab->blob);
	for (size_t i = 0; i < array_size(crowd); i++)
		thread_start(&crowd[i], "client", read_along, lab);
	for (size_t i = 0; i < array_size(crowd); i++)
		thread_join(&crowd[i]);
	assert_int_equal(fake_request_count(lab->server), 3);

	lab_stop(lab);
	lab_start(lab);
	read_along(lab);
	assert_int_equal(fake_request_count(lab->server), 3);
}

/* Whoever looks late does not even see its bytes come. */
static void assert_nothing_whole_comes(struct lab *lab)
{
	struct mirror_target target = hub("library/app", false);
	struct blob_view view;
	int64_t length;
	struct err e;

	if (pull_blob(lab->mirror, &target, &lab->digest, &view, &e) < 0) {
		assert_int_equal(e.kind, ERR_UPSTREAM);
		return;
	}
	assert_int_equal(read_view(lab, &view, &length), GROWING_BROKEN);
	assert_true(length < BLOB_SIZE);
	blob_view_close(&view);
}

static void wrong_bytes_are_never_whole_and_never_kept(void **state)
{
	struct lab *lab = *state;
	auto_free char *wrong = mem_alloc(BLOB_SIZE);
	int64_t length;

	memcpy(wrong, lab->blob, BLOB_SIZE);
	wrong[BLOB_SIZE / 2] ^= 1;
	cache_image(lab);
	answer_blob(lab, wrong);
	assert_nothing_whole_comes(lab);
	answer_blob(lab, lab->blob);
	assert_int_equal(pull_bytes(lab, &length), GROWING_WHOLE);
	assert_int_equal(length, BLOB_SIZE);
}

static void what_was_all_here_at_a_crash_is_not_fetched_again(void **state)
{
	struct lab *lab = *state;
	struct mirror_target target = hub("library/app", false);
	struct incoming *left;
	int64_t length;
	struct err e;

	cache_image(lab);
	assert_int_equal(incoming_open_fetch(lab->store, &target.repository,
					     &lab->digest, BLOB_SIZE, &left,
					     &e),
			 0);
	assert_int_equal(
		incoming_write(left, span_make(lab->blob, BLOB_SIZE), &e), 0);
	incoming_leave(&left);

	assert_int_equal(pull_bytes(lab, &length), GROWING_WHOLE);
	assert_int_equal(length, BLOB_SIZE);
	assert_int_equal(fake_request_count(lab->server), 2);
}

static void what_no_manifest_names_is_asked_for_first(void **state)
{
	struct lab *lab = *state;
	struct mirror_target other = hub("library/other", false);
	struct blob_view view;
	int64_t length;
	struct err e;

	cache_image(lab);
	answer_blob(lab, lab->blob);
	assert_int_equal(pull_bytes(lab, &length), GROWING_WHOLE);

	answer_refusal(lab, "404 Not Found");
	assert_int_equal(
		pull_blob(lab->mirror, &other, &lab->digest, &view, &e), -1);
	assert_int_equal(e.kind, ERR_BLOB_UNKNOWN);

	fake_answer(lab->server, FAKE_KEEP,
		    "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", BLOB_SIZE);
	assert_int_equal(
		pull_blob(lab->mirror, &other, &lab->digest, &view, &e), 0);
	assert_int_equal(view.size, BLOB_SIZE);
	blob_view_close(&view);
	assert_int_equal(fake_request_count(lab->server), 5);
}

/* Anybody may push these, of whatever digest he has heard. */
static const struct {
	const char *type;
	const char *text; /* as far as the digest */
} naming[] = {
	{ "application/vnd.oci.image.manifest.v1+json",
	  "\"config\":{\"mediaType\":"
	  "\"application/vnd.oci.image.config.v1+json\",\"size\":2,\"digest\":"
	  "\"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61c"
	  "aaff8a\"},\"layers\":[{\"mediaType\":"
	  "\"application/vnd.oci.image.layer.nondistributable.v1.tar\"" },
	{ "application/vnd.oci.image.index.v1+json",
	  "\"manifests\":[{\"mediaType\":\"text/plain\"" },
};

/* ghcr.io/team/app by that tag; it names the lab's blob in passing. */
static void pull_naming(struct lab *lab, size_t row, const char *tag_name)
{
	struct mirror_target target = ghcr("team/app");
	struct reference reference = tag(tag_name);
	const char *text =
		arena_printf(lab->arena,
			     "{\"schemaVersion\":2,\"mediaType\":\"%s\",%s,"
			     "\"digest\":\"%s\",\"size\":%d}]}",
			     naming[row].type, naming[row].text,
			     digest_text(&lab->digest).s, BLOB_SIZE);
	struct manifest_view view;
	struct err e;

	answer_head_at(lab->other, text);
	fake_answer(lab->other, FAKE_KEEP,
		    "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n"
		    "Content-Type: %s\r\n\r\n%s",
		    strlen(text), naming[row].type, text);
	if (pull_manifest(lab->mirror, &target, &reference, lab->arena, &view,
			  &e) < 0)
		fail_msg("%s", e.message);
}

static void what_is_named_in_passing_is_not_given_out_for_it(void **state)
{
	struct lab *lab = *state;
	struct mirror_target target = ghcr("team/app");
	struct blob_view view;
	struct err e;

	cache_whole_image(lab);
	for (size_t i = 0; i < array_size(naming); i++) {
		pull_naming(lab, i, i ? "2" : "1");
		answer_refusal_at(lab->other, "404 Not Found");
		assert_int_equal(pull_blob(lab->mirror, &target, &lab->digest,
					   &view, &e),
				 -1);
		assert_int_equal(e.kind, ERR_BLOB_UNKNOWN);
	}
	assert_int_equal(fake_request_count(lab->other), 6);
}

static enum err_kind pull_blob_in_vain(struct lab *lab)
{
	struct mirror_target target = hub("library/app", false);
	struct blob_view view;
	struct err e;

	assert_int_equal(
		pull_blob(lab->mirror, &target, &lab->digest, &view, &e), -1);
	return e.kind;
}

static void what_upstream_lacks_is_not_asked_for_at_once_again(void **state)
{
	struct lab *lab = *state;
	struct mirror_target target = hub("library/app", false);
	int64_t size;
	struct err e;

	upstream_rules[0].not_found_lifetime_ms = 60000;
	answer_refusal(lab, "403 Forbidden"); /* which may pass */
	assert_int_equal(pull_blob_in_vain(lab), ERR_BLOB_UNKNOWN);
	answer_refusal(lab, "404 Not Found");
	for (int i = 0; i < 3; i++)
		assert_int_equal(pull_blob_in_vain(lab), ERR_BLOB_UNKNOWN);
	assert_int_equal(pull_blob_size(lab->mirror, &target, &lab->digest,
					&size, &e),
			 -1);
	assert_int_equal(fake_request_count(lab->server), 2);

	upstream_rules[0].not_found_lifetime_ms = 0;
	answer_refusal(lab, "404 Not Found");
	assert_int_equal(pull_blob_in_vain(lab), ERR_BLOB_UNKNOWN);
	assert_int_equal(fake_request_count(lab->server), 3);
}

static void not_even_what_a_manifest_names(void **state)
{
	struct lab *lab = *state;
	int64_t length;

	upstream_rules[0].not_found_lifetime_ms = 60000;
	cache_image(lab);
	answer_refusal(lab, "404 Not Found");
	for (int i = 0; i < 3; i++)
		assert_int_equal(pull_blob_in_vain(lab), ERR_BLOB_UNKNOWN);
	assert_int_equal(fake_request_count(lab->server), 3);

	upstream_rules[0].not_found_lifetime_ms = 0;
	answer_blob(lab, lab->blob);
	assert_int_equal(pull_bytes(lab, &length), GROWING_WHOLE);
}

/* The first address never says a word, and the second one none of a blob. */
static void whatever_is_asked_before_the_client_is_told_in_time(void **state)
{
	struct lab *lab = *state;
	const char *urls[] = { fake_url(lab->other), fake_url(lab->server) };
	struct mirror_target target = hub("library/app", false);
	struct blob_view view;
	struct err e;

	for (int i = 0; i < 2; i++)
		fake_answer(lab->other, FAKE_SILENCE, "HTTP/1.1 ");
	fake_answer(lab->server, FAKE_KEEP,
		    "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", BLOB_SIZE);
	fake_answer(lab->server, FAKE_SILENCE, "HTTP/1.1 ");
	move_hub(lab, urls, array_size(urls));
	assert_int_equal(
		pull_blob(lab->mirror, &target, &lab->digest, &view, &e), -1);
	assert_int_equal(e.kind, ERR_TIMEOUT);
	assert_non_null(strstr(e.message, "no answer within 10000 ms"));
}

/* Most of the time is over before upstream is asked. */
static void nor_does_a_head_take_longer_that_stood_in_a_queue(void **state)
{
	struct lab *lab = *state;
	const char *urls[] = { fake_url(lab->server) };
	struct mirror_target target = hub("library/app", false);
	int64_t began_ms = clock_ms();
	int64_t size;
	struct err e;

	fake_answer(lab->server, FAKE_SILENCE, "%s", "");
	move_hub(lab, urls, 1);
	target.asked_ms = began_ms - 9700;
	assert_int_equal(pull_blob_size(lab->mirror, &target, &lab->digest,
					&size, &e),
			 -1);
	assert_int_equal(e.kind, ERR_TIMEOUT);
	assert_true(clock_ms() - began_ms < 7000); /* one HEAD has 9 s */
}

static void pull_whole(struct lab *lab, const struct mirror_target *target)
{
	struct blob_view view;
	int64_t length;
	struct err e;

	if (pull_blob(lab->mirror, target, &lab->digest, &view, &e) < 0)
		fail_msg("%s", e.message);
	assert_int_equal(read_view(lab, &view, &length), GROWING_WHOLE);
	assert_int_equal(length, BLOB_SIZE);
	blob_view_close(&view);
}

static void answer_blob_head_at(struct fake_server *server)
{
	fake_answer(server, FAKE_KEEP,
		    "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", BLOB_SIZE);
}

/* Its own repository has the blob, and the other one is slow to say no. */
static void pull_other(void *arg)
{
	struct lab *lab = arg;
	struct mirror_target target = hub("library/other", false);

	fake_wait(lab->server, 3);
	pull_whole(lab, &target);
}

static void one_repository_s_failure_is_not_another_s(void **state)
{
	struct lab *lab = *state;
	struct thread other;

	cache_image(lab);
	fake_answer(lab->server, FAKE_SILENCE, "HTTP/1.1 ");
	answer_blob_head_at(lab->server);
	answer_blob(lab, lab->blob);
	thread_start(&other, "other", pull_other, lab);
	assert_int_equal(pull_blob_in_vain(lab), ERR_TIMEOUT);
	thread_join(&other);
	assert_int_equal(fake_request_count(lab->server), 5);
}

static void pull_in_vain(void *arg)
{
	assert_int_not_equal(pull_blob_in_vain(arg), ERR_NONE);
}

static bool is_asked(struct lab *lab, const char *upstream)
{
	struct mirror_transfer transfers[4];
	size_t count =
		mirror_transfers(lab->mirror, transfers, array_size(transfers));

	while (count-- > 0)
		if (strcmp(transfers[count].repository.upstream, upstream) == 0)
			return true;
	return false;
}

static void a_silent_upstream_holds_up_no_other_s_blob(void **state)
{
	struct lab *lab = *state;
	const char *urls[] = { fake_url(lab->server) };
	struct mirror_target target = ghcr("team/app");
	struct thread client;

	cache_image(lab);
	move_hub(lab, urls, array_size(urls));
	fake_answer(lab->server, FAKE_SILENCE, "HTTP/1.1 ");
	thread_start(&client, "client", pull_in_vain, lab);
	fake_wait(lab->server, 3);

	answer_blob_head_at(lab->other);
	fake_answer(lab->other, FAKE_KEEP,
		    "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%.*s",
		    BLOB_SIZE, BLOB_SIZE, lab->blob);
	pull_whole(lab, &target);
	assert_true(is_asked(lab, "docker.io"));
	mirror_stop(lab->mirror);
	thread_join(&client);
}

static void the_head_of_a_bare_unknown_blob_asks_nobody(void **state)
{
	struct lab *lab = *state;
	struct mirror_target bare = hub("team/secret", true);
	int64_t size;
	struct err e;

	assert_int_equal(pull_blob_size(lab->mirror, &bare, &lab->digest, &size,
					&e),
			 -1);
	assert_int_equal(e.kind, ERR_BLOB_UNKNOWN);
	assert_int_equal(fake_request_count(lab->server), 0);
}

static void a_size_is_known_from_the_manifest(void **state)
{
	struct lab *lab = *state;
	struct mirror_target target = hub("library/app", true);
	int64_t size;
	struct err e;

	cache_image(lab);
	assert_int_equal(pull_blob_size(lab->mirror, &target, &lab->digest,
					&size, &e),
			 0);
	assert_int_equal(size, BLOB_SIZE);
	assert_int_equal(fake_request_count(lab->server), 2);
}

/* One upstream's slow clients do not refuse those of another. */
static void
each_upstream_has_its_own_places_for_what_finds_no_room(void **state)
{
	struct lab *lab = *state;
	struct mirror_target one = hub("library/app", false);
	struct mirror_target other = ghcr("app");
	size_t taken = 0;
	struct err e;

	while (pull_pass_begin(lab->mirror, &one, &e) == 0)
		taken++;
	assert_int_equal(e.kind, ERR_BUSY);
	assert_int_equal(pull_pass_begin(lab->mirror, &other, &e), 0);
	pull_pass_end(lab->mirror, &other);
	assert_int_equal(pull_pass_begin(lab->mirror, &one, &e), -1);
	for (; taken > 0; taken--)
		pull_pass_end(lab->mirror, &one);
	assert_int_equal(pull_pass_begin(lab->mirror, &one, &e), 0);
	pull_pass_end(lab->mirror, &one);
}

#define promise(function) \
	cmocka_unit_test_setup_teardown(function, lab_open, lab_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(however_many_ask_a_blob_is_fetched_once),
		promise(wrong_bytes_are_never_whole_and_never_kept),
		promise(what_was_all_here_at_a_crash_is_not_fetched_again),
		promise(what_no_manifest_names_is_asked_for_first),
		promise(what_is_named_in_passing_is_not_given_out_for_it),
		promise(what_upstream_lacks_is_not_asked_for_at_once_again),
		promise(not_even_what_a_manifest_names),
		promise(whatever_is_asked_before_the_client_is_told_in_time),
		promise(nor_does_a_head_take_longer_that_stood_in_a_queue),
		promise(one_repository_s_failure_is_not_another_s),
		promise(a_silent_upstream_holds_up_no_other_s_blob),
		promise(the_head_of_a_bare_unknown_blob_asks_nobody),
		promise(a_size_is_known_from_the_manifest),
		promise(each_upstream_has_its_own_places_for_what_finds_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
