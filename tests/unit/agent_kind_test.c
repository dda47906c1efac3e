/*
 * Promises of agent/kind.h, and of agent/engine.h about foreign files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/docker.h"
#include "agent/engine.h"

#define LINE "DOCKER_REPO=10.0.0.5:5000/"
#define OURS "# private-registry: the next line is managed\n" LINE "\n"

static void assert_text(const struct buf *buf, const char *wanted)
{
	assert_string_equal(buf->at ? buf->at : "", wanted);
	assert_int_equal(buf->len, strlen(wanted));
}

static void expect_put(struct span text, const char *wanted)
{
	auto_buf struct buf out = { 0 };
	struct err e;

	assert_int_equal(kind_environment.put(text, SPAN(LINE), &out, &e), 0);
	assert_text(&out, wanted);
	assert_true(kind_environment.has(buf_span(&out), SPAN(LINE)));
	assert_true(kind_environment.is_marked(buf_span(&out)));
}

static void expect_take(const char *text, const char *wanted)
{
	auto_buf struct buf out = { 0 };

	kind_environment.take(span_of(text), SPAN(LINE), &out);
	assert_text(&out, wanted);
}

static void expect_conflict(const char *text)
{
	auto_buf struct buf out = { 0 };
	struct err e;

	assert_int_equal(
		kind_environment.put(span_of(text), SPAN(LINE), &out, &e), -1);
	assert_int_equal(e.kind, ERR_CONFLICT);
	assert_int_equal(out.len, 0);
}

static void a_line_goes_into_any_environment_and_comes_out_again(void **state)
{
	static const char *const files[] = {
		"",
		"\n",
		"LANG=C",
		"LANG=C\n",
		"LANG=C\r\nPATH=/bin\r\n",
		"# a comment\n\n  odd = 'x'  \n\nA=\"b c\"",
		"DOCKER_REPOSITORY=x\n#DOCKER_REPO=y\nMY_DOCKER_REPO=z\n",
	};

	(void)state;
	for (size_t i = 0; i < array_size(files); i++) {
		auto_buf struct buf with = { 0 };

		buf_addf(&with, OURS "%s", files[i]);
		expect_put(span_of(files[i]), with.at);
		expect_take(with.at, files[i]);
	}
}

static void a_missing_environment_is_made(void **state)
{
	(void)state;
	expect_put(SPAN_NONE, OURS);
	expect_take(OURS, "");
}

static void a_byte_order_mark_stays_first(void **state)
{
	(void)state;
	expect_put(SPAN("\xef\xbb\xbf"
			"A=1\n"),
		   "\xef\xbb\xbf" OURS "A=1\n");
	expect_take("\xef\xbb\xbf" OURS "A=1\n", "\xef\xbb\xbf"
						 "A=1\n");
}

static void a_line_of_the_operators_is_a_conflict(void **state)
{
	(void)state;
	expect_conflict("DOCKER_REPO=mine/\n");
	expect_conflict("A=1\n  export   DOCKER_REPO=mine/");
	expect_conflict("A=1\r\nDOCKER_REPO=\r\n");
}

static void edits_around_ours_stay(void **state)
{
	(void)state;
	expect_take("A=1\n" OURS "B=2", "A=1\nB=2");
	expect_take("# private-registry: the next line is managed\r\n" LINE
		    "\r\nA=1\r\n",
		    "A=1\r\n");
	/* What stands there now is not what the mark is about. */
	expect_take("# private-registry: the next line is managed\nA=1\n",
		    "A=1\n");
	expect_take(OURS "DOCKER_REPO=mine/\n", "DOCKER_REPO=mine/\n");
	expect_take("# private-registry: the next line is managed\n"
		    "DOCKER_REPO=mine/\n",
		    "DOCKER_REPO=mine/\n");
}

static void another_registry_or_a_second_line_is_not_what_we_wish(void **state)
{
	(void)state;
	assert_false(kind_environment.has(SPAN(OURS), SPAN("DOCKER_REPO=b/")));
	assert_false(kind_environment.has(SPAN(LINE "\n"), SPAN(LINE)));
	assert_false(
		kind_environment.has(SPAN(OURS "DOCKER_REPO=x\n"), SPAN(LINE)));
	assert_true(kind_environment.has(SPAN("A=1\n" OURS), SPAN(LINE)));
}

static void a_whole_file_is_ours_or_it_is_not(void **state)
{
	auto_buf struct buf out = { 0 };
	struct err e;

	(void)state;
	assert_int_equal(kind_file.put(SPAN_NONE, SPAN("x"), &out, &e), 0);
	assert_text(&out, "x");
	assert_int_equal(kind_file.put(SPAN(""), SPAN("x"), &out, &e), -1);
	assert_int_equal(e.kind, ERR_CONFLICT);
	assert_true(kind_file.is_marked(SPAN(KIND_FILE_HEAD "a")));
	assert_false(kind_file.is_marked(SPAN("a\n" KIND_FILE_HEAD)));
	assert_ptr_equal(kind_find("file"), &kind_file);
	assert_ptr_equal(kind_find("environment"), &kind_environment);
	assert_null(kind_find("other"));
}

static void a_registry_that_is_configured_is_found(void **state)
{
	static const char *const named[] = {
		"[[registry]]\nprefix = \"docker.io\"\n",
		"  prefix='docker.io' # x",
		"location=\"docker.io\"",
		"registry = [{ \"prefix\" = \"docker.io\" }]",
	};
	static const char *const others[] = {
		"",
		"# prefix = \"docker.io\"\n",
		"unqualified-search-registries = [\"docker.io\"]",
		"prefix = \"docker.io/library\"",
		"prefix = \"my.docker.io\"",
		"prefix = \"docker.io",
		"location =",
	};

	(void)state;
	for (size_t i = 0; i < array_size(named); i++)
		assert_true(containers_names(span_of(named[i]), "docker.io"));
	for (size_t i = 0; i < array_size(others); i++)
		assert_false(containers_names(span_of(others[i]), "docker.io"));
}

static void the_path_of_hosts_is_found(void **state)
{
	(void)state;
	assert_true(span_is(
		containerd_config_path(
			SPAN("version = 2\n[plugins.x.registry]\n"
			     "  config_path = \"/etc/containerd/certs.d\"\n")),
		"/etc/containerd/certs.d"));
	assert_true(span_is(containerd_config_path(SPAN("config_path=''\r\n"
							"config_path='/a:/b'")),
			    "/a:/b"));
	assert_null(containerd_config_path(SPAN("#config_path = \"/a\"")).at);
	assert_null(containerd_config_path(SPAN("config_path = \"/a")).at);
	assert_null(containerd_config_path(SPAN("")).at);
	assert_false(containerd_has_cri(
		SPAN("disabled_plugins = [\"a\", \"cri\"]")));
	assert_true(containerd_has_cri(SPAN("disabled_plugins = []\n")));
}

static void expect_docker(const char *json, int major, bool store, bool mirrors,
			  bool ours)
{
	static const struct docker_question question = {
		SPAN("registry-mirrors= registry-mirrors=http://10.0.0.5:5000 "
		     "insecure-registries=http://mine"),
		"10.0.0.5:5000",
	};
	struct docker_info info;
	struct err e;

	assert_int_equal(docker_info_parse(span_of(json), &question, &info, &e),
			 0);
	assert_false(info.is_insecure);
	assert_int_equal(info.major, major);
	assert_int_equal(info.has_containerd_store, store);
	assert_int_equal(info.has_mirrors, mirrors);
	assert_int_equal(info.has_ours, ours);
}

static void what_dockerd_says_is_understood(void **state)
{
	static const char *const wrong[] = {
		"",
		"[]",
		"{}",
		"{\"ServerVersion\": 1}",
		"{\"ServerVersion\": "
		"\"0123456789012345678901234567890123456789\"}",
	};

	(void)state;
	expect_docker("{\"ServerVersion\": \"20.10.24+dfsg1\", "
		      "\"DriverStatus\": null, \"RegistryConfig\": "
		      "{\"Mirrors\": []}}",
		      20, false, false, false);
	expect_docker("{\"ServerVersion\": \"20.10.24\", \"RegistryConfig\": "
		      "{\"Mirrors\": [\"\", \"http://mine/\"]}}",
		      20, false, true, false);
	expect_docker("{\"ServerVersion\": \"28.5.2\", \"DriverStatus\": "
		      "[[\"driver-type\", \"io.containerd.snapshotter.v1\"]], "
		      "\"RegistryConfig\": {\"Mirrors\": null}}",
		      28, true, false, false);
	expect_docker(
		"{\"ServerVersion\": \"29.1.0\", \"DriverStatus\": "
		"[[\"Backing Filesystem\", \"extfs\"], [], \"x\"], "
		"\"RegistryConfig\": {\"Mirrors\": [\"http://10.0.0.5:5000/\"]}}",
		29, false, true, true);
	for (size_t i = 0; i < array_size(wrong); i++) {
		static const struct docker_question question;
		struct docker_info info;
		struct err e;

		assert_int_equal(docker_info_parse(span_of(wrong[i]), &question,
						   &info, &e),
				 -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_line_goes_into_any_environment_and_comes_out_again),
		cmocka_unit_test(a_missing_environment_is_made),
		cmocka_unit_test(a_byte_order_mark_stays_first),
		cmocka_unit_test(a_line_of_the_operators_is_a_conflict),
		cmocka_unit_test(edits_around_ours_stay),
		cmocka_unit_test(
			another_registry_or_a_second_line_is_not_what_we_wish),
		cmocka_unit_test(a_whole_file_is_ours_or_it_is_not),
		cmocka_unit_test(a_registry_that_is_configured_is_found),
		cmocka_unit_test(the_path_of_hosts_is_found),
		cmocka_unit_test(what_dockerd_says_is_understood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
