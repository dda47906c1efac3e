/*
 * Promises of upstream/upstream.h: who is told what.
 */
#include <unistd.h>

#include "base/clock.h"
#include "upstream_lab.h"

#define SECRET "dXNlcjpzZWNyZXQ=" /* user:secret */

static void answer_challenge(struct lab *lab, struct fake_server *realm)
{
	fake_answer(
		lab->server, FAKE_KEEP,
		EMPTY("401 Unauthorized") "WWW-Authenticate: Bearer realm=\"%s/token?a=b\","
					  "service=\"the service\",scope=\"everything\"\r\n\r\n",
		fake_url(realm));
}

/* ----------------------------------------------------------------- tokens */

static void a_token_is_asked_for_and_used_again(void **state)
{
	struct lab *lab = *state;

	lab_connect(lab, NULL, false);
	answer_challenge(lab, lab->server);
	fake_answer(lab->server, FAKE_KEEP, TOKEN("{\"token\": \"abc\"}"));
	fake_answer(lab->server, FAKE_KEEP, WHOLE BLOB);
	fake_answer(lab->server, FAKE_KEEP, WHOLE BLOB);
	assert_fetched(lab);
	assert_not_asked(lab->server, 0, "Authorization");
	assert_asked(lab->server, 1,
		     "GET /token?a=b&service=the%20service"
		     "&scope=repository%3Aapp%3Apull HTTP/1.1\r\n");
	assert_not_asked(lab->server, 1, "Authorization");
	assert_asked(lab->server, 2, "Authorization: Bearer abc\r\n");

	assert_int_equal(lab_fetch(lab, 0), 0);
	assert_asked(lab->server, 3, "Authorization: Bearer abc\r\n");
	assert_int_equal(fake_request_count(lab->server), 4);
	assert_int_equal(fake_connection_count(lab->server), 1);
}

static void a_token_is_for_one_repository(void **state)
{
	struct lab *lab = *state;
	struct name name = { "other" };
	struct upstream_question other = { .name = &name, .reason = "test" };
	struct digest digest = lab_digest();
	int64_t size;

	lab_connect(lab, NULL, false);
	answer_challenge(lab, lab->server);
	fake_answer(lab->server, FAKE_KEEP,
		    TOKEN("{\"access_token\": \"abc\", \"expires_in\": 300}"));
	fake_answer(lab->server, FAKE_KEEP, WHOLE BLOB);
	fake_answer(lab->server, FAKE_KEEP, WHOLE);
	assert_fetched(lab);
	assert_int_equal(upstream_head_blob(lab->upstream, &other, &digest,
					    &size, &lab->e),
			 0);
	assert_int_equal(size, 10);
	assert_asked(lab->server, 3, "HEAD /v2/other/blobs/sha256:");
	assert_not_asked(lab->server, 3, "Authorization");
}

static void an_outworn_token_is_replaced_in_the_middle(void **state)
{
	struct lab *lab = *state;

	lab_connect(lab, NULL, false);
	answer_challenge(lab, lab->server);
	fake_answer(lab->server, FAKE_KEEP, TOKEN("{\"token\": \"old\"}"));
	fake_answer(lab->server, FAKE_CUT, WHOLE "0123");
	answer_challenge(lab, lab->server);
	fake_answer(lab->server, FAKE_KEEP, TOKEN("{\"token\": \"new\"}"));
	fake_answer(lab->server, FAKE_KEEP,
		    PART("4-9/10") "Content-Length: 6\r\n\r\n456789");
	assert_fetched(lab);
	assert_asked(lab->server, 3, "Authorization: Bearer old\r\n");
	assert_asked(lab->server, 5, "Authorization: Bearer new\r\n");
	assert_asked(lab->server, 5, "Range: bytes=4-\r\n");
	assert_int_equal(lab->basket.restarts, 0);
}

static void a_token_is_not_used_past_its_time(void **state)
{
	struct lab *lab = *state;
	int64_t end = clock_ms() + 1000;

	lab_connect(lab, NULL, false);
	answer_challenge(lab, lab->server);
	fake_answer(lab->server, FAKE_KEEP,
		    TOKEN("{\"token\": \"abc\", \"expires_in\": 1}"));
	fake_answer(lab->server, FAKE_KEEP, WHOLE BLOB);
	fake_answer(lab->server, FAKE_KEEP, WHOLE BLOB);
	assert_fetched(lab);
	while (clock_ms() < end)
		usleep(10000);
	assert_int_equal(lab_fetch(lab, 0), 0);
	assert_not_asked(lab->server, 3, "Authorization");
}

static void a_401_with_a_new_token_is_a_no(void **state)
{
	struct lab *lab = *state;

	lab_connect(lab, NULL, false);
	answer_challenge(lab, lab->server);
	fake_answer(lab->server, FAKE_KEEP, TOKEN("{\"token\": \"abc\"}"));
	answer_challenge(lab, lab->server);
	assert_fails(lab, lab_fetch(lab, 0), ERR_DENIED);
	assert_int_equal(fake_request_count(lab->server), 3);
	assert_int_equal(lab->basket.starts, 0);
}

static void a_bad_token_is_never_sent(void **state)
{
	static const char *const answers[] = {
		"{\"token\": \"a\\r\\nX: y\"}",
		"{\"token\": \"\"}",
		"{\"token\": 1}",
		"{}",
		"<html>",
		"",
	};
	struct lab *lab = *state;
	struct digest digest;

	lab_connect(lab, NULL, false);
	for (size_t i = 0; i < array_size(answers); i++) {
		answer_challenge(lab, lab->server);
		fake_answer(lab->server, FAKE_KEEP, TOKEN(answers[i]));
		assert_fails(lab, lab_head(lab, &digest), ERR_UPSTREAM);
		assert_int_equal(fake_request_count(lab->server), 2 * i + 2);
	}
}

static void a_token_has_a_limit(void **state)
{
	enum { LIMIT = 16 * 1024 };
	struct lab *lab = *state;
	char text[LIMIT + 2] = "";

	lab_connect(lab, NULL, false);
	memset(text, 'x', LIMIT + 1);
	answer_challenge(lab, lab->server);
	fake_answer(lab->server, FAKE_KEEP,
		    OK "Content-Length: %d\r\n\r\n{\"token\": \"%s\"}",
		    LIMIT + 1 + 13, text);
	assert_fails(lab, lab_head(lab, &(struct digest){ 0 }), ERR_UPSTREAM);
	assert_int_equal(fake_request_count(lab->server), 2);
}

/* ------------------------------------------------------------ credentials */

static void credentials_go_to_a_realm_on_the_same_host(void **state)
{
	struct lab *lab = *state;
	auto_of(fake_server) struct fake_server *realm = fake_open("127.0.0.1");

	lab_connect(lab, NULL, true);
	answer_challenge(lab, realm);
	fake_answer(realm, FAKE_KEEP, TOKEN("{\"token\": \"abc\"}"));
	fake_answer(lab->server, FAKE_KEEP, WHOLE BLOB);
	assert_fetched(lab);
	assert_asked(realm, 0, "Authorization: Basic " SECRET "\r\n");
	assert_not_asked(lab->server, 0, "Authorization");
	assert_asked(lab->server, 1, "Authorization: Bearer abc\r\n");
}

static void a_realm_elsewhere_is_asked_anonymously(void **state)
{
	struct lab *lab = *state;

	lab_connect(lab, NULL, true);
	answer_challenge(lab, lab->elsewhere);
	fake_answer(lab->elsewhere, FAKE_KEEP, TOKEN("{\"token\": \"abc\"}"));
	fake_answer(lab->server, FAKE_KEEP, WHOLE BLOB);
	assert_fetched(lab);
	assert_not_asked(lab->elsewhere, 0, "Authorization");
	assert_asked(lab->server, 1, "Authorization: Bearer abc\r\n");
}

static void a_realm_is_not_followed(void **state)
{
	struct lab *lab = *state;

	lab_connect(lab, NULL, true);
	answer_challenge(lab, lab->server);
	fake_answer(lab->server, FAKE_KEEP,
		    EMPTY("302 Found") "Location: %s/\r\n\r\n",
		    fake_url(lab->elsewhere));
	answer_challenge(lab, lab->server);
	fake_answer(lab->server, FAKE_KEEP,
		    EMPTY("302 Found") "Location: %s/\r\n\r\n",
		    fake_url(lab->elsewhere));
	assert_fails(lab, lab_fetch(lab, 0), ERR_UPSTREAM);
	assert_int_equal(fake_request_count(lab->elsewhere), 0);
}

static void basic_is_sent_once_it_is_asked_for(void **state)
{
	struct lab *lab = *state;

	lab_connect(lab, NULL, true);
	fake_answer(
		lab->server, FAKE_KEEP,
		EMPTY("401 Unauthorized") "WWW-Authenticate: Basic realm=\"x\"\r\n\r\n");
	fake_answer(lab->server, FAKE_KEEP, WHOLE BLOB);
	fake_answer(lab->server, FAKE_KEEP, WHOLE BLOB);
	assert_fetched(lab);
	assert_int_equal(lab_fetch(lab, 0), 0);
	assert_not_asked(lab->server, 0, "Authorization");
	assert_asked(lab->server, 1, "Authorization: Basic " SECRET "\r\n");
	assert_asked(lab->server, 2, "Authorization: Basic " SECRET "\r\n");
}

static void without_credentials_basic_is_a_no(void **state)
{
	struct lab *lab = *state;

	lab_connect(lab, NULL, false);
	fake_answer(
		lab->server, FAKE_KEEP,
		EMPTY("401 Unauthorized") "WWW-Authenticate: Basic realm=\"x\"\r\n\r\n");
	assert_fails(lab, lab_fetch(lab, 0), ERR_DENIED);
	assert_int_equal(fake_request_count(lab->server), 1);
}

/* -------------------------------------------------------------- redirects */

static void a_redirect_elsewhere_gets_no_authorization(void **state)
{
	static const char *const statuses[] = { "301 M", "302 F", "303 S",
						"307 T", "308 P" };
	struct lab *lab = *state;

	lab_connect(lab, NULL, true);
	answer_challenge(lab, lab->server);
	fake_answer(lab->server, FAKE_KEEP, TOKEN("{\"token\": \"abc\"}"));
	for (size_t i = 0; i < array_size(statuses); i++) {
		fake_answer(lab->server, FAKE_KEEP,
			    "HTTP/1.1 %s\r\nContent-Length: 2\r\n"
			    "Location: %s/cdn?signature=x\r\n\r\nHi",
			    statuses[i], fake_url(lab->elsewhere));
		fake_answer(lab->elsewhere, FAKE_KEEP, WHOLE BLOB);
		assert_int_equal(lab_fetch(lab, 0), 0);
		assert_not_asked(lab->elsewhere, i, "Authorization");
		assert_asked(lab->elsewhere, i,
			     "GET /cdn?signature=x HTTP/1.1\r\n");
	}
}

static void another_port_is_elsewhere(void **state)
{
	struct lab *lab = *state;
	auto_of(fake_server) struct fake_server *cdn = fake_open("127.0.0.1");

	lab_connect(lab, NULL, true);
	fake_answer(
		lab->server, FAKE_KEEP,
		EMPTY("401 Unauthorized") "WWW-Authenticate: Basic realm=\"x\"\r\n\r\n");
	fake_answer(lab->server, FAKE_KEEP,
		    EMPTY("307 T") "Location: %s/cdn\r\n\r\n", fake_url(cdn));
	fake_answer(cdn, FAKE_KEEP, WHOLE BLOB);
	assert_fetched(lab);
	assert_asked(lab->server, 1, "Authorization: Basic");
	assert_not_asked(cdn, 0, "Authorization");
}

static void authorization_stays_at_home_and_never_returns(void **state)
{
	struct lab *lab = *state;

	lab_connect(lab, NULL, true);
	answer_challenge(lab, lab->server);
	fake_answer(lab->server, FAKE_KEEP, TOKEN("{\"token\": \"abc\"}"));
	fake_answer(lab->server, FAKE_KEEP,
		    EMPTY("301 M") "Location: ../other?x=y\r\n\r\n");
	fake_answer(lab->server, FAKE_KEEP,
		    EMPTY("307 T") "Location: %s/back\r\n\r\n",
		    fake_url(lab->elsewhere));
	fake_answer(lab->elsewhere, FAKE_KEEP,
		    EMPTY("307 T") "Location: %s/again\r\n\r\n",
		    fake_url(lab->server));
	fake_answer(lab->server, FAKE_KEEP, WHOLE BLOB);
	assert_fetched(lab);
	assert_asked(lab->server, 3, "GET /v2/app/other?x=y HTTP/1.1\r\n");
	assert_asked(lab->server, 3, "Authorization: Bearer abc\r\n");
	assert_asked(lab->server, 4, "GET /again HTTP/1.1\r\n");
	assert_not_asked(lab->server, 4, "Authorization");
}

static void a_redirect_target_that_asks_is_told_nothing(void **state)
{
	struct lab *lab = *state;
	struct digest digest;

	lab_connect(lab, NULL, true);
	fake_answer(lab->server, FAKE_KEEP,
		    EMPTY("307 T") "Location: %s/cdn\r\n\r\n",
		    fake_url(lab->elsewhere));
	fake_answer(
		lab->elsewhere, FAKE_KEEP,
		EMPTY("401 Unauthorized") "WWW-Authenticate: Basic realm=\"x\"\r\n\r\n");
	assert_fails(lab, lab_head(lab, &digest), ERR_UPSTREAM);
	assert_int_equal(fake_request_count(lab->elsewhere), 1);
	assert_int_equal(fake_request_count(lab->server), 1);
}

static void redirects_have_an_end(void **state)
{
	struct lab *lab = *state;
	struct digest digest;

	lab_connect(lab, NULL, false);
	for (int i = 0; i < 7; i++)
		fake_answer(lab->server, FAKE_KEEP,
			    EMPTY("307 T") "Location: /%d\r\n\r\n", i);
	assert_fails(lab, lab_head(lab, &digest), ERR_UPSTREAM);
	assert_int_equal(fake_request_count(lab->server), 6);
}

static void a_redirect_to_nowhere_is_an_error(void **state)
{
	static const char *const locations[] = {
		"", "Location: ftp://127.0.0.1/\r\n",
		"Location: file:///etc/passwd\r\n",
		"Location: http://a@127.0.0.1/\r\n"
	};
	struct lab *lab = *state;
	struct digest digest;

	lab_connect(lab, NULL, false);
	for (size_t i = 0; i < array_size(locations); i++) {
		fake_answer(lab->server, FAKE_KEEP, EMPTY("307 T") "%s\r\n",
			    locations[i]);
		assert_fails(lab, lab_head(lab, &digest), ERR_UPSTREAM);
		assert_int_equal(fake_request_count(lab->server), i + 1);
	}
}

/* --------------------------------------------------------------- the way */

static void our_name_is_added_to_the_way(void **state)
{
	struct lab *lab = *state;
	struct upstream_question question = lab_app;
	struct digest digest = lab_digest();
	int64_t size;

	lab_connect(lab, NULL, false);
	fake_answer(lab->server, FAKE_KEEP, WHOLE BLOB);
	fake_answer(lab->server, FAKE_KEEP, WHOLE);
	assert_fetched(lab);
	assert_asked(lab->server, 0, "Via: 1.1 us\r\n");
	question.via = "1.0 a, 1.1 b";
	assert_int_equal(upstream_head_blob(lab->upstream, &question, &digest,
					    &size, &lab->e),
			 0);
	assert_asked(lab->server, 1, "Via: 1.0 a, 1.1 b, 1.1 us\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(a_token_is_asked_for_and_used_again),
		promise(a_token_is_for_one_repository),
		promise(an_outworn_token_is_replaced_in_the_middle),
		promise(a_token_is_not_used_past_its_time),
		promise(a_401_with_a_new_token_is_a_no),
		promise(a_bad_token_is_never_sent),
		promise(a_token_has_a_limit),
		promise(credentials_go_to_a_realm_on_the_same_host),
		promise(a_realm_elsewhere_is_asked_anonymously),
		promise(a_realm_is_not_followed),
		promise(basic_is_sent_once_it_is_asked_for),
		promise(without_credentials_basic_is_a_no),
		promise(a_redirect_elsewhere_gets_no_authorization),
		promise(another_port_is_elsewhere),
		promise(authorization_stays_at_home_and_never_returns),
		promise(a_redirect_target_that_asks_is_told_nothing),
		promise(redirects_have_an_end),
		promise(our_name_is_added_to_the_way),
		promise(a_redirect_to_nowhere_is_an_error),
	};

	lab_prepare();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
