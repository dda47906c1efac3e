/*
 * Promises of agent/engine.h about files that engines' own tools write.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/engine.h"

static void a_registry_of_registries_yaml_is_found(void **state)
{
	static const char *const named[] = {
		"mirrors:\n  docker.io:\n    endpoint: []\n",
		"mirrors:\r\n  \"docker.io\":\r\n",
		"'docker.io' : {}",
	};
	static const char *const others[] = {
		"",
		"mirrors:\n  # docker.io:\n",
		"mirrors:\n  docker.io:5000:\n",
		"mirrors:\n  registry.docker.io:\n",
		"endpoint:\n  - https://docker.io\n",
	};

	(void)state;
	for (size_t i = 0; i < array_size(named); i++)
		assert_true(rancher_names(span_of(named[i]), "docker.io"));
	for (size_t i = 0; i < array_size(others); i++)
		assert_false(rancher_names(span_of(others[i]), "docker.io"));
}

static void a_podman_that_serves_is_known_by_its_words(void **state)
{
	(void)state;
	assert_true(podman_serves(SPAN("podman\0system\0service\0")));
	assert_true(podman_serves(SPAN("/usr/bin/podman\0--log-level=info\0"
				       "system\0service\0--time=0\0")));
	assert_false(podman_serves(SPAN("podman\0service\0system\0")));
	assert_false(podman_serves(SPAN("podman\0run\0service\0")));
	assert_false(podman_serves(SPAN("")));
	assert_true(span_is(podman_socket(SPAN("podman\0system\0service\0"
					       "unix:///run/a.sock\0")),
			    "/run/a.sock"));
	assert_true(
		span_is(podman_socket(SPAN("service\0unix:/b\0-t\0")), "/b"));
	assert_null(podman_socket(SPAN("service\0tcp:a:1\0")).at);
}

static void a_signal_is_for_podman_below_5(void **state)
{
	(void)state;
	assert_true(podman_survives(SPAN("{\"Version\": \"4.3.1\"}")));
	assert_true(podman_survives(SPAN("{\"Version\": \"3\"}")));
	assert_false(podman_survives(SPAN("{\"Version\": \"5.0.0-dev\"}")));
	assert_false(podman_survives(SPAN("{\"Version\": \"10.1\"}")));
	assert_false(podman_survives(SPAN("{\"Version\": \"v4\"}")));
	assert_false(podman_survives(SPAN("{}")));
	assert_false(podman_survives(SPAN("4.3.1")));
}

/* ------------------------------------------------------------------ proxies */

#define PROXY "HOME=/\0HTTP_PROXY=http://u:p@proxy:3128\0"

static bool is_asked(struct span variables, const char *url)
{
	struct client_url parsed;

	assert_true(client_url_parse(span_of(url), &parsed));
	return proxy_is_asked(variables, &parsed);
}

static void a_proxy_is_for_one_scheme(void **state)
{
	(void)state;
	assert_true(is_asked(SPAN(PROXY), "http://10.0.0.5:5000"));
	assert_false(is_asked(SPAN(PROXY), "https://10.0.0.5:5000"));
	assert_true(is_asked(SPAN("https_proxy=p\0"), "https://a.lan"));
	assert_false(is_asked(SPAN("https_proxy=p\0"), "http://a.lan"));
	assert_true(
		is_asked(SPAN("HTTP_PROXY=\0http_proxy=p\0"), "http://a.lan"));
	assert_false(is_asked(SPAN("HTTP_PROXY=\0"), "http://a.lan"));
	assert_false(is_asked(SPAN("MY_HTTP_PROXY=p\0"), "http://a.lan"));
	assert_false(is_asked(SPAN(""), "http://a.lan"));
}

static void ones_own_host_is_always_spared(void **state)
{
	(void)state;
	assert_false(is_asked(SPAN(PROXY), "http://127.0.0.1:5000"));
	assert_false(is_asked(SPAN(PROXY), "http://localhost:5000"));
	assert_false(is_asked(SPAN(PROXY), "http://[::1]:5000"));
}

static void no_proxy_spares_as_go_has_it(void **state)
{
	static const struct {
		struct span variables;
		const char *url;
		bool asked;
	} rows[] = {
#define ROW(list, url, asked) { SPAN(PROXY "NO_PROXY=" list "\0"), url, asked }
		ROW("10.0.0.5", "http://10.0.0.5:5000", false),
		ROW("10.0.0.50", "http://10.0.0.5:5000", true),
		ROW("b, 10.0.0.0/8", "http://10.0.0.5:5000", false),
		ROW("10.1.0.0/16", "http://10.0.0.5:5000", true),
		ROW("10.0.0.5:5000", "http://10.0.0.5:5000", false),
		ROW("10.0.0.5:80", "http://10.0.0.5:5000", true),
		ROW("*", "http://10.0.0.5:5000", false),
		ROW("", "http://10.0.0.5:5000", true),
		ROW("[fd00::1]:5000", "http://[fd00::1]:5000", false),
		ROW("fd00::1", "http://[fd00::1]:5000", false),
		ROW("fd00::/8", "http://[fd00::1]:5000", false),
		ROW("lan", "http://a.lan", false),
		ROW(".lan", "http://a.lan", false),
		ROW("*.LAN", "http://a.lan", false),
		ROW("a.lan", "http://a.lan", false),
		ROW(".a.lan", "http://a.lan", true),
		ROW("an", "http://a.lan", true),
		ROW("a.lan:80,b", "http://a.lan", false),
		ROW("a.lan:81", "http://a.lan", true),
		ROW("x.a.lan,,", "http://a.lan", true),
#undef ROW
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++)
		if (is_asked(rows[i].variables, rows[i].url) != rows[i].asked)
			fail_msg("row %zu", i);
	assert_false(is_asked(SPAN(PROXY "no_proxy=a.lan\0"), "http://a.lan"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_registry_of_registries_yaml_is_found),
		cmocka_unit_test(a_podman_that_serves_is_known_by_its_words),
		cmocka_unit_test(a_signal_is_for_podman_below_5),
		cmocka_unit_test(a_proxy_is_for_one_scheme),
		cmocka_unit_test(ones_own_host_is_always_spared),
		cmocka_unit_test(no_proxy_spares_as_go_has_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
