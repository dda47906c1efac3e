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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_registry_of_registries_yaml_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
