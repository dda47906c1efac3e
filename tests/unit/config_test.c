/*
 * Promises of config/config.h: lists, files, and what is said when something
 * is wrong.
 */
#include "base/io.h"
#include "config/keys.h"
#include "config_load.h"

/* ------------------------------------------------------------------- lists */

static void a_list_is_taken_whole_from_the_highest_place(void **state)
{
	(void)state;
	auto_of(config) struct config *config = loaded((struct written){
		.file = "listen: [{address: ':1'}, {address: ':2'}]\n",
		.env = ENV "LISTEN_0_ADDRESS=:3" });

	assert_int_equal(config->listen_count, 1);
	assert_string_equal(config->listen[0].address, ":3");
}

static void an_empty_file_changes_nothing(void **state)
{
	(void)state;
	auto_of(config) struct config *config =
		loaded((struct written){ .file = "" });

	assert_int_equal(config->listen_count, 1);
	assert_int_equal(config->upstream_count, 1);
	assert_int_equal(config->upstreams[0].url_count, 1);
}

static void docker_hub_is_there_whatever_is_written(void **state)
{
	(void)state;
	auto_of(config) struct config *config = loaded((struct written){
		.file = "mirror: {upstreams: [{name: ghcr.io}]}\n" });

	assert_int_equal(config->upstream_count, 2);
	assert_string_equal(config->upstreams[0].urls[0], "https://ghcr.io");
	assert_string_equal(config->upstreams[1].name, "docker.io");
	assert_int_equal(config->upstreams[1].tag_lifetime_ms, 300000);
}

static void docker_hub_may_be_written_otherwise(void **state)
{
	(void)state;
	auto_of(config) struct config *config = loaded((struct written){
		.file = "mirror:\n"
			"  upstreams:\n"
			"    - tag_lifetime: 1h\n"
			"      urls: ['http://a', 'http://b']\n"
			"      name: docker.io\n" });

	assert_int_equal(config->upstream_count, 1);
	assert_int_equal(config->upstreams[0].url_count, 2);
	assert_string_equal(config->upstreams[0].urls[1], "http://b");
	assert_int_equal(config->upstreams[0].tag_lifetime_ms, 3600000);
}

static void the_short_form_of_a_list_may_be_repeated(void **state)
{
	(void)state;
	auto_of(config) struct config *config = loaded((struct written){
		.flags = "--listen=:1 --listen=:2=a.b,:3 --upstream=a.b "
			 "--upstream=c.d=http://e --upstream=c.d=http://f" });

	assert_int_equal(config->listen_count, 3);
	assert_null(config->listen[0].upstream);
	assert_string_equal(config->listen[1].address, ":2");
	assert_string_equal(config->listen[1].upstream, "a.b");
	assert_string_equal(config->listen[2].address, ":3");
	assert_int_equal(config->upstream_count, 3);
	assert_int_equal(config->upstreams[1].url_count, 2);
	assert_string_equal(config->upstreams[1].urls[1], "http://f");
}

static void variables_come_in_any_order(void **state)
{
	(void)state;
	auto_of(config) struct config *config = loaded((struct written){
		.env = ENV "LISTEN_1_ADDRESS=:2 " ENV
			   "LISTEN_1_UPSTREAM=docker.io " ENV "LISTEN=:1" });

	assert_int_equal(config->listen_count, 2);
	assert_string_equal(config->listen[0].address, ":1");
	assert_string_equal(config->listen[1].upstream, "docker.io");
}

/* ------------------------------------------------------------------- files */

static void paths_in_the_file_start_at_the_file(void **state)
{
	(void)state;
	struct err e = { 0 };
	auto_of(config) struct config *config = NULL;
	auto_free char *here = getcwd(NULL, 0);
	auto_free char *file = fill("%s/" FILE_NAME, here);
	auto_free char *expected = fill("%s/images", here);

	write_file(FILE_NAME, "data: images\n");
	assert_int_equal(config_load(&(struct config_source){ .path = file },
				     &config, &e),
			 0);
	assert_string_equal(config->data, expected);
}

static void a_variable_may_name_the_file(void **state)
{
	(void)state;
	write_file("other.yaml", "drain: 1s\n");
	auto_of(config) struct config *config =
		loaded((struct written){ .env = ENV "CONFIG=other.yaml" });

	assert_int_equal(config->drain_ms, 1000);
}

static void what_kubernetes_says_of_a_service_is_not_ours(void **state)
{
	(void)state;
	auto_of(config) struct config *config = loaded((struct written){
		.env = ENV "PORT=tcp://10.0.0.1:5000 " ENV
			   "SERVICE_HOST=10.0.0.1 " ENV
			   "PORT_5000_TCP_ADDR=10.0.0.1 PRIVATE=x" });

	assert_non_null(config);
}

/* ------------------------------------------------------------------ errors */

#define IN_FILE(text, said)                      \
	{                                        \
		{ .file = text }, FILE_NAME said \
	}
#define IN_ENV(text, said)            \
	{                             \
		{ .env = text }, said \
	}
#define IN_FLAGS(text, said)            \
	{                               \
		{ .flags = text }, said \
	}

/* clang-format off */
static const struct {
	struct written written;
	const char *sentence;
} wrong[] = {
	IN_FILE("a: b\n", ":1: there is no key \"a\"; \"private-registry "
		"serve --help\" lists all"),
	IN_FILE("drain: 1s\nmirror:\n  pateince: 1s\n",
		":3: there is no key \"mirror.pateince\"; did you mean "
		"\"mirror.patience\"?"),
	IN_FILE("listen:\n  - adress: ':1'\n",
		":2: there is no key \"listen[0].adress\"; did you mean "
		"\"listen[#].address\"?"),
	IN_ENV(ENV "DRAINS=1s", "there is no variable \"" ENV "DRAINS\"; did "
	       "you mean \"" ENV "DRAIN\"?"),
	IN_FLAGS("--lisen=:1", "there is no option \"--lisen\"; did you mean "
		 "\"--listen\"?"),
	IN_FLAGS("--colour", "there is no option \"--colour\"; "
		 "\"private-registry serve --help\" lists all"),
	IN_FLAGS("--listen", "--listen needs a value; write --listen "
		 "ADDRESS[=UPSTREAM]"),

	IN_FILE("mirror:\n  patience: fast\n",
		":2: \"mirror.patience\" is \"fast\", which is no duration; "
		"write a number with a unit, like 1s or 500ms"),
	IN_ENV(ENV "MIRROR_PATIENCE=1", ENV "MIRROR_PATIENCE is \"1\", which "
	       "is no duration; write a number with a unit, like 1s or 500ms"),
	IN_FLAGS("--drain=9999999999999999h", "--drain is "
		 "\"9999999999999999h\", which is no duration; write a number "
		 "with a unit, like 1s or 500ms"),
	IN_FLAGS("--data=", "--data is \"\", which is no directory; write a "
		 "path, like ./data"),
	IN_FLAGS("--limits.uploads=0", "--limits.uploads is \"0\", which is "
		 "no number from 1 to 10000; write one in digits, like 64"),
	IN_FLAGS("--log-level=loud", "--log-level is \"loud\"; write one "
		 "of debug|info|warn|error"),
	IN_FLAGS("--trusted_proxies=10.0.0.0/33", "--trusted_proxies is "
		 "\"10.0.0.0/33\", which is no address or network; write one "
		 "like 10.0.0.7, 10.0.0.0/8 or fd00::/8"),
	IN_FLAGS("--upstream=a.b --mirror.upstreams.0.not_found_lifetime=61s",
		 "--mirror.upstreams.0.not_found_lifetime is \"61s\", which is "
		 "no duration of at most a minute; write a number with a "
		 "unit, like 10s"),
	IN_FLAGS("--upstream=a.b --mirror.upstreams.0.readers.0=cert:.b",
		 "--mirror.upstreams.0.readers.0 is \"cert:.b\", which is no "
		 "network or name in a certificate; write one like "
		 "10.0.0.0/8, ::1 or cert:builder"),
	IN_FILE("listen:\n  - address: ':1'\n    tls:\n      more:\n"
		"        - {certificate: /dev/null, key: /dev/null}\n",
		":5: \"listen[0].tls.more[0].certificate\" is set, but "
		"listen[0].tls.certificate is not; write both"),
	IN_FLAGS("--listen=:1 --listen.0.tls.client=optional",
		 "--listen.0.tls.client is set, but --listen.0.tls.client_ca "
		 "is not; write both"),
	IN_ENV(ENV "TRUSTED_PROXIES_1=::1", ENV "TRUSTED_PROXIES_1 is set, "
	       "but " ENV "TRUSTED_PROXIES_0 is not; write both"),
	IN_FLAGS("--listen=5000", "--listen is \"5000\", which is no address "
		 "to listen on; write a port, like :5000, or host and port, "
		 "like 127.0.0.1:5000"),
	IN_FLAGS("--upstream=hub", "--upstream is \"hub\", which is no name "
		 "of a registry; write it as in an image's name, like "
		 "ghcr.io"),
	IN_FLAGS("--upstream=a.b=c", "--upstream is \"c\", which is no URL of "
		 "a registry; write scheme and host alone, like "
		 "https://ghcr.io"),
	IN_FILE("mirror:\n  upstreams:\n    - name: a.b\n      "
		"credentials:\n        - username: ''\n",
		":5: \"mirror.upstreams[0].credentials[0].username\" is \"\", "
		"which is no text; write at least one letter"),

	IN_FILE("listen:\n  - address: ':1'\n    tls:\n      certificate: c\n",
		":4: \"listen[0].tls.certificate\" is set, but "
		"listen[0].tls.key is not; write both"),
	IN_ENV(ENV "LISTEN=:1 " ENV "LISTEN_0_TLS_KEY=k",
	       ENV "LISTEN_0_TLS_KEY is set, but " ENV
	       "LISTEN_0_TLS_CERTIFICATE is not; write both"),
	IN_FLAGS("--upstream=a.b --mirror.upstreams.0.credentials.0."
		 "password_file=/dev/null",
		 "--mirror.upstreams.0.credentials.0.password_file is set, but "
		 "--mirror.upstreams.0.credentials.0.username is not; write "
		 "both"),
	IN_FLAGS("--listen=:1 --listen.2.address=:3",
		 "--listen.2.address is set, but --listen.1.address is not; "
		 "write both"),
	IN_FILE("mirror:\n  upstreams:\n    - urls: ['http://a']\n",
		":3: \"mirror.upstreams[0].urls[0]\" is set, but "
		"mirror.upstreams[0].name is not; write both"),
	IN_FLAGS("--listen=:1=a.b", "--listen is \"a.b\", which is no "
		 "upstream here; add it to --upstream"),
	IN_FILE("mirror:\n  default: a.b\n", ":2: \"mirror.default\" is "
		"\"a.b\", which is no upstream here; add it to "
		"mirror.upstreams"),
	IN_FILE("mirror:\n  upstreams:\n    - name: a.b\n    - name: a.b\n",
		":4: \"mirror.upstreams[1].name\" is \"a.b\", and so is "
		"mirror.upstreams[0].name; put them together"),
	IN_FILE("mirror:\n  upstreams:\n    - {name: a.b, ca: no}\n",
		":3: \"mirror.upstreams[0].ca\" is \"no\", which cannot be "
		"read: No such file or directory"),

	IN_FILE("data: a\ndata: b\n", ":2: \"data\" stands here twice"),
	IN_ENV(ENV "CONFIG=none.yaml", "configuration: none.yaml: No such "
	       "file or directory"),
};
/* clang-format on */

static void what_is_wrong_is_said_with_place_and_remedy(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_size(wrong); i++) {
		struct config *config = NULL;
		struct err e = { 0 };

		assert_int_equal(load(wrong[i].written, &config, &e), -1);
		assert_null(config);
		assert_string_equal(e.message, wrong[i].sentence);
		assert_int_equal(e.kind, ERR_USAGE);
	}
}

/* Of each type that has a grammar: values that are none of it. */
static void bad_values_are_refused(void **state)
{
	static const char *const flags[] = {
		"--drain=s",
		"--drain=-1s",
		"--drain=1.5s",
		"--drain=1w",
		"--drain=1ss",
		"--limits.blob_size=0B",
		"--limits.blob_size=10",
		"--limits.blob_size=10G",
		"--limits.blob_size=10gib",
		"--limits.blob_size=1.5GiB",
		"--limits.blob_size=-1B",
		"--limits.blob_size=9999999TiB",
		"--limits.blob_size=none",
		"--limits.uploads=10001",
		"--limits.uploads=+1",
		"--limits.uploads=1k",
		"--user=-1",
		"--user=2147483648",
		"--user=nobody",
		"--listen=:65536",
		"--listen=:-1",
		"--listen=:",
		"--listen=host",
		"--listen=:1,",
		"--listen=a/b:1",
		"--listen=[::1:1",
		"--listen=]:1",
		"--listen=[]:1",
		"--mirror.cache.limit=0B",
		"--mirror.cache.limit=None",
		"--mirror.cache.limit=",
		"--upstream=Ghcr.io",
		"--upstream=ghcr.io/org",
		"--upstream=..",
		"--upstream=.a",
		"--upstream=a..b",
		"--upstream=a.b:x",
		"--upstream=a.b=https://",
		"--upstream=a.b=https://u@h",
		"--upstream=a.b=https://h/v2",
		"--upstream=a.b=https://h?q",
		"--upstream=a.b=//h",
		"--upstream=",
		"--listen.0=:1",
		"--listen.x.address=:1",
		"--listen.1000.address=:1",
		"--listen.0.address.=:1",
		"--",
	};

	(void)state;
	for (size_t i = 0; i < array_size(flags); i++) {
		struct config *config = NULL;
		struct err e = { 0 };

		if (load((struct written){ .flags = flags[i] }, &config, &e) ==
		    0)
			fail_msg("%s was taken", flags[i]);
		assert_int_equal(e.kind, ERR_USAGE);
	}
}

/* -------------------------------------------------------------------- help */

static void help_fits_in_80_columns(void **state)
{
	(void)state;
	auto_buf struct buf help = { 0 };

	config_print_keys(&help);
	struct span rest = buf_span(&help);
	while (rest.len > 0) {
		struct span line = span_cut(&rest, '\n');

		assert_true(line.len < 80);
		assert_false(span_ends(line, " "));
	}
}

static void help_has_each_key_once(void **state)
{
	(void)state;
	auto_buf struct buf help = { 0 };

	config_print_keys(&help);
	for (size_t i = 0; i < key_count; i++) {
		auto_buf struct buf start = { 0 };

		buf_addf(&start, "\n  ");
		key_spell(&keys[i], PLACE_OPTION, NULL, &start);
		buf_addf(&start, " ");
		const char *found = strstr(help.at, start.at);
		assert_non_null(found);
		assert_null(strstr(found + 1, start.at));
	}
}

/* --------------------------------------------------- docs/configuration.md */

/* From SOURCE_ROOT, which the build sets. */
static void read_page(struct buf *page)
{
	const char *root = getenv("SOURCE_ROOT");
	struct err e = { 0 };

	if (!root)
		skip();
	auto_free char *path = fill("%s/docs/configuration.md", root);
	if (io_read_file(path, 1 << 20, page, &e) < 0)
		fail_msg("%s", e.message);
}

static void the_page_ends_with_every_key(void **state)
{
	(void)state;
	auto_buf struct buf page = { 0 };
	auto_buf struct buf keys_part = { 0 };

	read_page(&page);
	config_print_page(&keys_part);
	if (!span_ends(buf_span(&page), keys_part.at))
		fail_msg("from \"## All keys\" on, docs/configuration.md is "
			 "not what \"private-registry config docs\" prints");
}

static void the_example_of_the_page_loads(void **state)
{
	static const char *const files[] = { "cert.pem", "key.pem", "ca.pem",
					     "password" };

	(void)state;
	auto_buf struct buf page = { 0 };
	read_page(&page);
	for (size_t i = 0; i < array_size(files); i++)
		write_file(files[i], "");

	char *example = strstr(page.at, "```yaml\n") + strlen("```yaml\n");
	*strstr(example, "```") = '\0';
	auto_of(config) struct config *config =
		loaded((struct written){ .file = example });

	for (size_t i = 0; i < array_size(files); i++)
		unlink(files[i]);
	assert_int_equal(config->listen_count, 3);
	assert_string_equal(config->listen[1].tls.key, "key.pem");
	assert_int_equal(config->upstream_count, 3);
	assert_string_equal(config->upstreams[1].urls[0], "https://ghcr.io");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_is_taken_whole_from_the_highest_place),
		cmocka_unit_test(an_empty_file_changes_nothing),
		cmocka_unit_test(docker_hub_is_there_whatever_is_written),
		cmocka_unit_test(docker_hub_may_be_written_otherwise),
		cmocka_unit_test(the_short_form_of_a_list_may_be_repeated),
		cmocka_unit_test(variables_come_in_any_order),
		cmocka_unit_test(paths_in_the_file_start_at_the_file),
		cmocka_unit_test(a_variable_may_name_the_file),
		cmocka_unit_test(what_kubernetes_says_of_a_service_is_not_ours),
		cmocka_unit_test(what_is_wrong_is_said_with_place_and_remedy),
		cmocka_unit_test(bad_values_are_refused),
		cmocka_unit_test(help_fits_in_80_columns),
		cmocka_unit_test(help_has_each_key_once),
		cmocka_unit_test(the_page_ends_with_every_key),
		cmocka_unit_test(the_example_of_the_page_loads),
	};

	return cmocka_run_group_tests(tests, config_enter, config_leave);
}
