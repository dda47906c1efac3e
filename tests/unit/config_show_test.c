/*
 * Promises of config/config.h: a file checked, values shown, and what only a
 * start can change.
 */
#include "config/keys.h"
#include "config_load.h"

/* ------------------------------------------------------------------- check */

static void every_problem_of_a_file_is_told(void **state)
{
	(void)state;
	auto_buf struct buf problems = { 0 };

	write_file(FILE_NAME,
		   "datta: /x\n"
		   "drain: soon\n"
		   "listen:\n"
		   "  - address: nowhere\n"
		   "    tls: {key: /dev/null}\n"
		   "  - upstream: a.b\n"
		   "mirror: {default: c.d, prefetch: [{image: No}]}\n");
	assert_int_equal(config_check(FILE_NAME, &problems), 7);
	assert_string_equal(
		problems.at, FILE_NAME
		":1: there is no key \"datta\"; did you mean "
		"\"data\"?\n" FILE_NAME
		":2: \"drain\" is \"soon\", which is no duration; "
		"write a number with a unit, like 1s or 500ms\n" FILE_NAME
		":4: \"listen[0].address\" is \"nowhere\", which is no address "
		"to listen on; write a port, like :5000, or host and port, "
		"like 127.0.0.1:5000\n" FILE_NAME
		":7: \"mirror.prefetch[0].image\" is \"No\", which is no "
		"image; write NAME, NAME:TAG or NAME@sha256:…\n" FILE_NAME
		":5: \"listen[0].tls.key\" is set, but "
		"listen[0].tls.certificate is not; write both\n" FILE_NAME
		":6: \"listen[1].upstream\" is set, but listen[1].address is "
		"not; write both\n" FILE_NAME
		":7: \"mirror.default\" is \"c.d\", which is no upstream here; "
		"add it to mirror.upstreams\n");
}

static void a_file_that_cannot_be_read_on_is_a_problem_too(void **state)
{
	(void)state;
	auto_buf struct buf problems = { 0 };

	write_file(FILE_NAME, "drain: x\ndata: a\ndata: b\n");
	assert_int_equal(config_check(FILE_NAME, &problems), 2);
	assert_non_null(strstr(problems.at, ":3: \"data\" stands here twice"));
	assert_int_equal(config_check("none.yaml", &problems), 1);
	write_file(FILE_NAME, "data: x\n");
	assert_int_equal(config_check(FILE_NAME, &problems), 0);
}

/* -------------------------------------------------------------------- show */

#define FULL                                                       \
	"drain: 90s\n"                                             \
	"listen:\n"                                                \
	"  - address: ':1'\n"                                      \
	"    tls:\n"                                               \
	"      certificate: /dev/null\n"                           \
	"      key: /dev/null\n"                                   \
	"      more: [{certificate: /dev/zero, key: /dev/zero}]\n" \
	"      client_ca: /dev/null\n"                             \
	"trusted_proxies: ['::1', 10.0.0.0/8]\n"                   \
	"limits: {blob_size: 1536MiB}\n"                           \
	"mirror:\n"                                                \
	"  default: ''\n"                                          \
	"  upstreams:\n"                                           \
	"    - name: a.b\n"                                        \
	"      urls: ['http://c', 'http://d']\n"                   \
	"      credentials:\n"                                     \
	"        - username: \"\\\"\\\\ \\x01: #\"\n"              \
	"          password_file: /dev/null\n"

/* What the file of that name, or nothing, shows. */
static void show(const char *path, struct buf *out)
{
	struct err e;

	if (config_show(&(struct config_source){ .path = path }, out, &e) < 0)
		fail_msg("%s", e.message);
}

/* Without the comments, which name lines. */
static void strip(struct buf *shown)
{
	char *to = shown->at;

	for (char *from = shown->at; *from;) {
		size_t line = strcspn(from, "\n");
		char *comment = memmem(from, line, " # ", 3);
		size_t kept = comment ? (size_t)(comment - from) : line;

		memmove(to, from, kept);
		to += kept;
		from += line + (from[line] == '\n');
	}
	*to = '\0';
}

static void what_is_shown_can_be_loaded_and_shows_the_same(void **state)
{
	static const char *const files[] = { FULL, "" };

	(void)state;
	for (size_t i = 0; i < array_size(files); i++) {
		auto_buf struct buf first = { 0 };
		auto_buf struct buf second = { 0 };

		write_file(FILE_NAME, files[i]);
		show(FILE_NAME, &first);
		write_file(FILE_NAME, first.at);
		show(FILE_NAME, &second);
		strip(&first);
		strip(&second);
		assert_string_equal(first.at, second.at);
	}
}

static void a_value_is_shown_with_the_place_where_it_was_written(void **state)
{
	static const char *const lines[][2] = {
		{ "\ndrain: 5s ", ENV "DRAIN\n" },
		{ "\n  level: debug ", "--log-level\n" },
		{ "\n  - address: \":1\" ", "--listen\n" },
		{ "\n  patience: 2s ", FILE_NAME ":2\n" },
		{ "\n    - name: a.b ", FILE_NAME ":3\n" },
		{ "\n        - \"https://a.b\" ", "default\n" },
		{ "\n    - name: docker.io ", "default\n" },
	};
	char *env[] = { (char[]){ ENV "DRAIN=5s" }, NULL };
	const char *flags[] = { "--log-level=debug", "--listen=:1" };
	struct config_source source = { FILE_NAME, env, flags, 2 };

	(void)state;
	auto_buf struct buf out = { 0 };
	struct err e;
	write_file(FILE_NAME, "mirror:\n  patience: 2s\n  upstreams: a.b\n");
	assert_int_equal(config_show(&source, &out, &e), 0);
	for (size_t i = 0; i < array_size(lines); i++) {
		const char *line = strstr(out.at, lines[i][0]);

		assert_non_null(line);
		line = strstr(line, " # ") + strlen(" # ");
		assert_memory_equal(line, lines[i][1], strlen(lines[i][1]));
	}
}

/* So config show has nothing to mask: what is secret is in a file. */
static void no_key_holds_a_secret(void **state)
{
	static const char *const words[] = { "password", "secret", "token" };

	(void)state;
	for (size_t i = 0; i < key_count; i++)
		for (size_t w = 0; w < array_size(words); w++)
			if (strstr(keys[i].name, words[w]))
				assert_int_equal(keys[i].type, FILE_PATH);
}

/* -------------------------------------------------------------------- keep */

/* What `next` says that only a start can change, and what holds then. */
static void expect_kept(const char *next, const char *kept, const char *holds)
{
	static const char now[] =
		"data: /a\n"
		"listen: [{address: ':1', tls: {certificate: /dev/null, "
		"key: /dev/null}}, {address: ':2', upstream: a.b}]\n"
		"mirror: {upstreams: a.b}\n";
	auto_of(config) struct config *old =
		loaded((struct written){ .file = now });
	auto_of(config) struct config *new =
		loaded((struct written){ .file = next });
	auto_buf struct buf names = { 0 };

	config_keep(new, old, &names);
	assert_string_equal(buf_span(&names).at, kept);
	auto_of(config) struct config *expected =
		loaded((struct written){ .file = holds });
	assert_string_equal(new->data, expected->data);
	assert_int_equal(new->drain_ms, expected->drain_ms);
	assert_int_equal(new->listen_count, expected->listen_count);
	for (size_t i = 0; i < new->listen_count; i++) {
		assert_string_equal(new->listen[i].address,
				    expected->listen[i].address);
		assert_int_equal(new->listen[i].more_count,
				 expected->listen[i].more_count);
	}
	assert_int_equal(new->upstream_count, expected->upstream_count);
	assert_string_equal(new->upstreams[0].urls[0],
			    expected->upstreams[0].urls[0]);
	assert_string_equal(new->mirror_default, expected->mirror_default);
}

#define DOOR_1                                                \
	"{address: ':1', tls: {certificate: /dev/zero, key: " \
	"/dev/null, more: [{certificate: /dev/null, key: "    \
	"/dev/null}]}}"
#define OLD_LISTEN                                                \
	"listen: [{address: ':1', tls: {certificate: /dev/null, " \
	"key: /dev/null}}, {address: ':2', upstream: a.b}]\n"
#define DOOR_2 "{address: ':2', upstream: a.b}"

static void what_only_a_start_can_change_stays(void **state)
{
	(void)state;
	/* other certificates, another URL: nothing is in the way */
	expect_kept("data: /a\ndrain: 1s\nlisten: [" DOOR_1 ", " DOOR_2 "]\n"
		    "mirror: {upstreams: a.b=http://x}\n",
		    "",
		    "data: /a\ndrain: 1s\nlisten: [" DOOR_1 ", " DOOR_2 "]\n"
		    "mirror: {upstreams: a.b=http://x}\n");
	/* another directory */
	expect_kept("data: /b\ndrain: 1s\n" OLD_LISTEN
		    "mirror: {upstreams: a.b}\n",
		    "data",
		    "data: /a\ndrain: 1s\n" OLD_LISTEN
		    "mirror: {upstreams: a.b}\n");
	/* a door less, and one more upstream */
	expect_kept("data: /a\nlisten: [" DOOR_1 "]\n"
		    "mirror: {upstreams: 'c.d,a.b=http://x'}\n",
		    "listen, mirror.upstreams",
		    "data: /a\n" OLD_LISTEN "mirror: {upstreams: a.b}\n");
	/* an upstream that is not there yet, as the one of bare names */
	expect_kept("data: /a\n" OLD_LISTEN
		    "mirror: {default: c.d, upstreams: 'a.b,c.d'}\n",
		    "mirror.upstreams, mirror.default",
		    "data: /a\n" OLD_LISTEN "mirror: {upstreams: a.b}\n");
	/* another one that is there */
	expect_kept("data: /a\n" OLD_LISTEN
		    "mirror: {default: a.b, upstreams: a.b}\n",
		    "",
		    "data: /a\n" OLD_LISTEN
		    "mirror: {default: a.b, upstreams: a.b}\n");
	/* a door that becomes plain */
	expect_kept("data: /a\nlisten: [{address: ':1'}, " DOOR_2 "]\n"
		    "mirror: {upstreams: a.b}\n",
		    "listen",
		    "data: /a\n" OLD_LISTEN "mirror: {upstreams: a.b}\n");
}

static void what_stays_keeps_its_secrets(void **state)
{
	auto_of(config) struct config *old = loaded((struct written){
		.file = "mirror: {upstreams: [{name: a.b, proxy: "
			"'http://me:secret@proxy:1'}]}\n",
	});
	auto_of(config) struct config *new = loaded((struct written){
		.file = "mirror: {upstreams: [{name: c.d}]}\n",
	});
	auto_buf struct buf names = { 0 };

	(void)state;
	config_keep(new, old, &names);
	assert_string_equal(names.at, "mirror.upstreams");
	assert_string_equal(new->upstreams[0].proxy,
			    "http://me:secret@proxy:1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_problem_of_a_file_is_told),
		cmocka_unit_test(
			a_file_that_cannot_be_read_on_is_a_problem_too),
		cmocka_unit_test(
			what_is_shown_can_be_loaded_and_shows_the_same),
		cmocka_unit_test(
			a_value_is_shown_with_the_place_where_it_was_written),
		cmocka_unit_test(no_key_holds_a_secret),
		cmocka_unit_test(what_only_a_start_can_change_stays),
		cmocka_unit_test(what_stays_keeps_its_secrets),
	};

	return cmocka_run_group_tests(tests, config_enter, config_leave);
}
