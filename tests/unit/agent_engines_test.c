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
	assert_true(span_is(podman_socket(SPAN("service\0unix:/b\0-t\0")),
			    "/b"));
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_registry_of_registries_yaml_is_found),
		cmocka_unit_test(a_podman_that_serves_is_known_by_its_words),
		cmocka_unit_test(a_signal_is_for_podman_below_5),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
