/*
 * Lists through the mirror, over a real store and an upstream that answers as
 * written: asked once, believed for a while, and shown as they were when
 * upstream fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/thread.h"
#include "mirror/flight.h"
#include "mirror_lab.h"
#include "oci/hash.h"

#define JSON "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
#define OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define ENTRY                                                               \
	"{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","    \
	"\"digest\":\"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b9" \
	"34ca495991b7852b855\",\"size\":7,\"artifactType\":\"a/b\"}"
#define LINE "a/b\t" ENTRY "\n"
#define INDEX                                                   \
	"{\"schemaVersion\":2,\"mediaType\":\"" OCI_INDEX "\"," \
	"\"manifests\":[" ENTRY "]}"

/* ------------------------------------------------------ words of this file */

static void answer_tags(struct lab *lab, const char *tags)
{
	fake_answer(lab->server, FAKE_KEEP,
		    JSON "Content-Length: %zu\r\n\r\n{\"tags\":[%s]}",
		    strlen(tags) + strlen("{\"tags\":[]}"), tags);
}

static void answer_index(struct lab *lab, const char *index)
{
	struct digest digest = hash_of(DIGEST_SHA256, span_of(index));

	fake_answer(lab->server, FAKE_KEEP,
		    "HTTP/1.1 200 OK\r\nContent-Type: " OCI_INDEX "\r\n"
		    "Docker-Content-Digest: %s\r\nContent-Length: %zu\r\n\r\n"
		    "%s",
		    digest_text(&digest).s, strlen(index), index);
}

/* The answer to a HEAD of it. */
static void answer_index_head(struct lab *lab, const char *index)
{
	struct digest digest = hash_of(DIGEST_SHA256, span_of(index));

	fake_answer(lab->server, FAKE_KEEP,
		    "HTTP/1.1 200 OK\r\nContent-Type: " OCI_INDEX "\r\n"
		    "Docker-Content-Digest: %s\r\nContent-Length: %zu\r\n\r\n",
		    digest_text(&digest).s, strlen(index));
}

static int list(struct lab *lab, const struct digest *subject,
		struct list_view *out, struct err *e)
{
	struct mirror_target target = hub("library/app", false);

	if (pull_peek_list(lab->mirror, &target, subject, out, e) == 0)
		return 0;
	assert_int_equal(e->kind, ERR_NOT_HERE);
	return pull_list(lab->mirror, &target, subject, lab->arena, out, e);
}

static void assert_list(struct lab *lab, const struct digest *subject,
			const char *wanted, const char *warning)
{
	auto_with(list_view_close) struct list_view view = { 0 };
	struct err e;

	if (list(lab, subject, &view, &e) < 0)
		fail_msg("%s", e.message);
	assert_int_equal(view.lines.len, strlen(wanted));
	assert_true(!*wanted || span_is(view.lines, wanted));
	assert_int_equal(view.warning.at != NULL, warning != NULL);
	if (warning && !strstr(view.warning.at, warning))
		fail_msg("%s", view.warning.at);
}

static void assert_no_list(struct lab *lab, enum err_kind kind)
{
	auto_with(list_view_close) struct list_view view = { 0 };
	struct err e;

	assert_int_equal(list(lab, NULL, &view, &e), -1);
	if (e.kind != kind)
		fail_msg("%s: %s", err_kind_text(e.kind), e.message);
}

/* ------------------------------------------------------------------- tests */

static void a_list_is_asked_for_once_in_its_lifetime(void **state)
{
	struct lab *lab = *state;

	answer_tags(lab, "\"2\",\"1\"");
	assert_list(lab, NULL, "1\n2\n", NULL);
	assert_list(lab, NULL, "1\n2\n", NULL);
	lab_stop(lab);
	lab_start(lab);
	assert_list(lab, NULL, "1\n2\n", NULL);
	assert_int_equal(fake_request_count(lab->server), 1);

	upstream_rules[0].tag_lifetime_ms = 0;
	answer_tags(lab, "\"3\"");
	assert_list(lab, NULL, "3\n", NULL);
	assert_int_equal(fake_request_count(lab->server), 2);
}

static void when_upstream_fails_the_list_is_as_it_was(void **state)
{
	static const struct {
		const char *status;
		const char *warning;
	} rows[] = {
		{ "404 N", "answered 404" }, { "401 U", "answered 401" },
		{ "403 F", "answered 403" }, { "500 I", "answered 500" },
		{ "429 T", "answered 429" },
	};
	struct lab *lab = *state;

	answer_tags(lab, "\"1\"");
	assert_list(lab, NULL, "1\n", NULL);
	upstream_rules[0].tag_lifetime_ms = 0;
	for (size_t i = 0; i < array_size(rows); i++) {
		answer_refusal(lab, rows[i].status);
		assert_list(lab, NULL, "1\n", rows[i].warning);
	}
	assert_list(lab, NULL, "1\n", "asked again in");
}

static void while_upstream_is_silent_the_list_is_as_it_was(void **state)
{
	struct lab *lab = *state;

	answer_tags(lab, "\"1\"");
	assert_list(lab, NULL, "1\n", NULL);
	upstream_rules[0].tag_lifetime_ms = 0;
	rules.patience_ms = 200;
	fake_answer(lab->server, FAKE_SILENCE, "%s", "");
	assert_list(lab, NULL, "1\n", "no answer within 200 ms");
}

static void list_again(void *arg)
{
	assert_list(arg, NULL, "2\n", NULL);
}

static void
a_list_that_goes_meanwhile_is_asked_for_like_one_that_was_not_here(void **state)
{
	struct lab *lab = *state;
	struct repository app = hub("library/app", false).repository;
	struct digest digest = hash_of(DIGEST_SHA256, span_of(image(lab, "1")));
	struct reference only = reference_to_digest(&digest);
	struct thread client;
	struct mirror_transfer under_way;
	struct err e;

	cache_image(lab);
	answer_tags(lab, "\"1\"");
	assert_list(lab, NULL, "1\n", NULL);
	upstream_rules[0].tag_lifetime_ms = 0;
	close_gate(lab, lab->mirror->crews[0].lists);
	thread_start(&client, "client", list_again, lab);
	while (mirror_transfers(lab->mirror, &under_way, 1) == 0)
		usleep(1000);
	/* With the last image of its repository. */
	assert_int_equal(store_drop_manifest(lab->store, &app, &only, NULL, &e),
			 0);
	answer_refusal(lab, "500 I");
	answer_tags(lab, "\"2\"");
	open_gate(lab);
	thread_join(&client);
	assert_int_equal(fake_request_count(lab->server), 5);
}

static void without_a_list_a_refusal_is_nothing_to_stop_at(void **state)
{
	static const struct {
		const char *status;
		enum err_kind kind;
	} rows[] = {
		{ "404 N", ERR_NAME_UNKNOWN },
		{ "401 U", ERR_NAME_UNKNOWN },
		{ "403 F", ERR_NAME_UNKNOWN },
		{ "500 I", ERR_UPSTREAM },
	};
	struct lab *lab = *state;

	for (size_t i = 0; i < array_size(rows); i++) {
		answer_refusal(lab, rows[i].status);
		assert_no_list(lab, rows[i].kind);
	}
}

static void what_upstream_lacks_is_not_asked_for_at_once_again(void **state)
{
	struct lab *lab = *state;

	upstream_rules[0].not_found_lifetime_ms = 60000;
	answer_refusal(lab, "404 N");
	assert_no_list(lab, ERR_NAME_UNKNOWN);
	assert_no_list(lab, ERR_NAME_UNKNOWN);
	assert_int_equal(fake_request_count(lab->server), 1);
	upstream_rules[0].not_found_lifetime_ms = 0;
	answer_tags(lab, "\"1\"");
	assert_list(lab, NULL, "1\n", NULL);
}

static void list_along(void *arg)
{
	assert_list(arg, NULL, "1\n", NULL);
}

static void however_many_ask_there_is_one_question(void **state)
{
	struct lab *lab = *state;
	struct thread crowd[16];

	answer_tags(lab, "\"1\"");
	for (size_t i = 0; i < array_size(crowd); i++)
		thread_start(&crowd[i], "client", list_along, lab);
	for (size_t i = 0; i < array_size(crowd); i++)
		thread_join(&crowd[i]);
	assert_int_equal(fake_request_count(lab->server), 1);
}

static void referrers_come_from_the_api_where_there_is_one(void **state)
{
	struct lab *lab = *state;

	answer_index(lab, INDEX);
	assert_list(lab, &lab->digest, LINE, NULL);
	assert_list(lab, &lab->digest, LINE, NULL);
	assert_int_equal(fake_request_count(lab->server), 1);
	assert_non_null(strstr(fake_request(lab->server, 0),
			       "/v2/library/app/referrers/sha256:"));
}

static void referrers_come_from_a_tag_where_there_is_no_api(void **state)
{
	struct lab *lab = *state;

	answer_refusal(lab, "404 N");
	answer_index_head(lab, INDEX);
	answer_index(lab, INDEX);
	assert_list(lab, &lab->digest, LINE, NULL);
	assert_non_null(strstr(fake_request(lab->server, 1),
			       "HEAD /v2/library/app/manifests/sha256-"));
	assert_list(lab, &lab->digest, LINE, NULL);
	assert_int_equal(fake_request_count(lab->server), 3);

	/* The tag has not moved. */
	upstream_rules[0].tag_lifetime_ms = 0;
	answer_refusal(lab, "404 N");
	answer_index_head(lab, INDEX);
	assert_list(lab, &lab->digest, LINE, NULL);
	assert_int_equal(fake_request_count(lab->server), 5);
}

static void without_api_and_tag_nothing_refers_to_it(void **state)
{
	struct lab *lab = *state;

	cache_image(lab);
	answer_refusal(lab, "404 N");
	answer_refusal(lab, "404 N");
	assert_list(lab, &lab->digest, "", NULL);
	assert_list(lab, &lab->digest, "", NULL);
	assert_int_equal(fake_request_count(lab->server), 4);
}

/* That the API is there, and broken, says nothing of what refers. */
static void a_broken_api_is_no_empty_list(void **state)
{
	auto_with(list_view_close) struct list_view view = { 0 };
	struct lab *lab = *state;
	struct err e;

	answer_refusal(lab, "500 I");
	assert_int_equal(list(lab, &lab->digest, &view, &e), -1);
	assert_int_equal(e.kind, ERR_UPSTREAM);
	assert_int_equal(fake_request_count(lab->server), 1);
}

int main(void)
{
#define promise(name) cmocka_unit_test_setup_teardown(name, lab_open, lab_close)
	const struct CMUnitTest tests[] = {
		promise(a_list_is_asked_for_once_in_its_lifetime),
		promise(when_upstream_fails_the_list_is_as_it_was),
		promise(while_upstream_is_silent_the_list_is_as_it_was),
		promise(a_list_that_goes_meanwhile_is_asked_for_like_one_that_was_not_here),
		promise(without_a_list_a_refusal_is_nothing_to_stop_at),
		promise(what_upstream_lacks_is_not_asked_for_at_once_again),
		promise(however_many_ask_there_is_one_question),
		promise(referrers_come_from_the_api_where_there_is_one),
		promise(referrers_come_from_a_tag_where_there_is_no_api),
		promise(without_api_and_tag_nothing_refers_to_it),
		promise(a_broken_api_is_no_empty_list),
	};

	setenv("no_proxy", "*", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
