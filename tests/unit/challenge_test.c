/*
 * Promises of upstream/challenge.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "upstream/challenge.h"

#define HUB                                              \
	"Bearer realm=\"https://auth.docker.io/token\"," \
	"service=\"registry.docker.io\","                \
	"scope=\"repository:library/nginx:pull,push\""

static void a_bearer_challenge_names_its_realm(void **state)
{
	static const struct {
		const char *header, *realm, *service;
	} rows[] = {
		{ HUB, "https://auth.docker.io/token", "registry.docker.io" },
		{ "bearer realm=\"r\"", "r", "" },
		{ "Bearer  realm = \"r\" , service = s", "r", "s" },
		{ "Bearer service=s,REALM=r", "r", "s" },
		{ "Bearer realm=\"a\\\"b\\\\c\"", "a\"b\\c", "" },
		{ "Bearer realm=\"a, b=c\", error=\"invalid_token\"", "a, b=c",
		  "" },
		{ "Bearer realm=r,, service=s ,", "r", "s" },
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		struct challenge got;
		struct err e;

		if (challenge_parse(span_of(rows[i].header), &got, &e) < 0)
			fail_msg("%s: %s", rows[i].header, e.message);
		assert_int_equal(got.kind, CHALLENGE_BEARER);
		assert_string_equal(got.realm, rows[i].realm);
		assert_string_equal(got.service, rows[i].service);
	}
}

static void a_token_is_preferred_to_a_password(void **state)
{
	static const char *const rows[] = {
		"Basic realm=\"x\", Bearer realm=r",
		"Bearer realm=r, Basic realm=\"x\"",
		"Negotiate, Basic realm=x,Bearer realm=r",
		"Negotiate YWJj==, Bearer realm=r",
		"Digest realm=\"x\", nonce=\"y\", qop=auth, Bearer realm=r",
		", ,Bearer realm=r",
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		struct challenge got;
		struct err e;

		if (challenge_parse(span_of(rows[i]), &got, &e) < 0)
			fail_msg("%s: %s", rows[i], e.message);
		assert_int_equal(got.kind, CHALLENGE_BEARER);
		assert_string_equal(got.realm, "r");
		assert_string_equal(got.service, "");
	}
}

static void basic_is_taken_where_there_is_nothing_better(void **state)
{
	static const char *const rows[] = {
		"Basic realm=\"Registry\"",	    "BASIC",
		"Basic realm=x, charset=\"UTF-8\"", "Bearer, Basic realm=x",
		"Bearer error=x, Basic realm=x",    "Negotiate abc, basic",
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		struct challenge got;
		struct err e;

		if (challenge_parse(span_of(rows[i]), &got, &e) < 0)
			fail_msg("%s: %s", rows[i], e.message);
		assert_int_equal(got.kind, CHALLENGE_BASIC);
		assert_string_equal(got.realm, "");
	}
}

static void what_is_malformed_or_foreign_is_refused(void **state)
{
	static const char *const rows[] = {
		"",
		",",
		"Negotiate",
		"Bearer",
		"Bearer service=s",
		"Bearer realm=\"\"",
		"Bearer realm=\"r",
		"Bearer realm=\"r\"x",
		"Bearer realm=r service=s",
		"Bearer realm=r,realm=s",
		"Bearer realm=",
		"Bearer realm=\"r\\",
		"Bearer realm=\"a\nb\"",
		"Bearer realm=r/x",
		"Bearer\trealm",
		"Basic realm=\"x\" y",
		"realm=\"x\"",
		"Basic, \"x\"",
		"Basic; realm=x",
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		struct challenge got;
		struct err e;

		if (challenge_parse(span_of(rows[i]), &got, &e) == 0)
			fail_msg("taken: %s", rows[i]);
		assert_int_equal(e.kind, ERR_UPSTREAM);
	}
}

static void a_value_that_is_too_long_is_refused(void **state)
{
	char header[4096];
	struct challenge got;
	struct err e;

	(void)state;
	memset(header, 'x', sizeof(header));
	memcpy(header, "Bearer realm=\"", 14);
	header[sizeof(header) - 1] = '"';
	assert_int_equal(challenge_parse(span_make(header, sizeof(header)),
					 &got, &e),
			 -1);
}

static void credentials_stay_at_home(void **state)
{
	static const struct {
		const char *address, *realm;
		bool trusted;
	} rows[] = {
		{ "https://registry-1.docker.io",
		  "https://auth.docker.io/token", true },
		{ "https://ghcr.io", "https://ghcr.io/token", true },
		{ "https://a.b.example.com", "https://example.com", true },
		{ "https://r.example.co.uk", "https://a.example.co.uk", true },
		{ "https://r.example.kawasaki.jp",
		  "https://a.example.kawasaki.jp", false },
		{ "https://r.city.kawasaki.jp", "https://a.city.kawasaki.jp",
		  true },
		{ "https://r.team.corp", "https://a.team.corp", true },
		{ "https://host:5000", "https://HOST:5001/token", true },
		{ "http://host", "http://host/token", true },
		{ "http://host", "https://host/token", true },
		{ "http://127.0.0.1:5000", "http://127.0.0.1:5001", true },
		{ "http://[::1]:5000", "http://[::1]:5001", true },

		{ "https://host", "http://host/token", false },
		{ "https://r.docker.io", "http://auth.docker.io", false },
		{ "https://r.docker.io", "https://evil.io", false },
		{ "https://r.docker.io", "https://evildocker.io", false },
		{ "https://r.docker.io", "https://docker.io.evil.com", false },
		{ "https://a.co.uk", "https://b.co.uk", false },
		{ "https://a.github.io", "https://b.github.io", false },
		{ "https://a.kawasaki.jp", "https://b.kawasaki.jp", false },
		{ "https://a.s3.amazonaws.com", "https://b.s3.amazonaws.com",
		  false },
		{ "https://a.corp", "https://b.corp", false },
		{ "https://a.com.au", "https://b.com.au", false },
		{ "https://co.uk", "https://a.co.uk", false },
		{ "https://io", "https://docker.io", false },
		{ "https://registry", "https://auth", false },
		{ "https://registry.", "https://auth.", false },
		{ "https://a.docker.io.", "https://b.docker.io.", false },
		{ "http://10.0.0.1", "http://11.0.0.1", false },
		{ "http://127.0.0.1", "http://127.0.0.2", false },
		{ "http://1.2.3.40", "http://5.6.3.40", false },
		{ "http://[::1]", "http://[::2]", false },
		{ "http://[::ffff:1.2.3.40]", "http://[::ffff:5.6.3.40]",
		  false },
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		struct client_url address, realm;

		assert_true(
			client_url_parse(span_of(rows[i].address), &address));
		assert_true(client_url_parse(span_of(rows[i].realm), &realm));
		if (challenge_trusts(&address, &realm) != rows[i].trusted)
			fail_msg("%s, %s", rows[i].address, rows[i].realm);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bearer_challenge_names_its_realm),
		cmocka_unit_test(a_token_is_preferred_to_a_password),
		cmocka_unit_test(basic_is_taken_where_there_is_nothing_better),
		cmocka_unit_test(what_is_malformed_or_foreign_is_refused),
		cmocka_unit_test(a_value_that_is_too_long_is_refused),
		cmocka_unit_test(credentials_stay_at_home),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
