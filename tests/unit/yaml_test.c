/*
 * Promises of base/yaml.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/yaml.h"

/* "key=value@line " for each item. */
static int note(const struct yaml_item *item, void *arg, struct err *e)
{
	struct buf *out = arg;

	if (strcmp(item->value, "stop") == 0)
		return err_set(e, ERR_USAGE, "%s:%u: %s: stopped", item->file,
			       item->line, item->key);
	buf_addf(out, "%s=%s@%u ", item->key, item->value, item->line);
	return 0;
}

static int walk(struct span text, struct buf *out, struct err *e)
{
	auto_fd int fd = memfd_create("yaml", MFD_CLOEXEC);
	char path[32];

	assert_int_equal(write(fd, text.at, text.len), text.len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int result = yaml_walk(path, note, out, e);
	if (result < 0) { /* the path is another each time */
		assert_memory_equal(e->message, path, strlen(path));
		memmove(e->message, e->message + strlen(path),
			strlen(e->message + strlen(path)) + 1);
	}
	return result;
}

static void assert_walk(struct span text, const char *items)
{
	auto_buf struct buf out = { 0 };
	struct err e;

	if (walk(text, &out, &e) < 0)
		fail_msg("%s", e.message);
	assert_string_equal(out.len ? out.at : "", items);
}

static void assert_refused(struct span text, const char *message)
{
	auto_buf struct buf out = { 0 };
	struct err e;

	assert_int_equal(walk(text, &out, &e), -1);
	assert_int_equal(e.kind, ERR_USAGE);
	assert_string_equal(e.message, message);
}

static void maps_and_lists_become_paths_in_order(void **state)
{
	(void)state;
	assert_walk(SPAN("data: /data\n"
			 "listen:\n"
			 "  - address: ':5000'\n"
			 "  - address: 0.0.0.0:5443\n"
			 "    tls: {certificate: c.pem, client: required}\n"
			 "mirror: {default: \"\"}\n"
			 "allow: [a, [b]]\n"),
		    "data=/data@1 listen[0].address=:5000@3 "
		    "listen[1].address=0.0.0.0:5443@4 "
		    "listen[1].tls.certificate=c.pem@5 "
		    "listen[1].tls.client=required@5 "
		    "mirror.default=@6 allow[0]=a@7 allow[1][0]=b@7 ");
}

static void values_are_texts_as_they_stand(void **state)
{
	(void)state;
	assert_walk(SPAN("a: 010\nb: yes\nc: null\nd:\ne: |\n  x\n  y\n"),
		    "a=010@1 b=yes@2 c=null@3 d=@4 e=x\ny\n@5 ");
}

static void a_file_may_say_nothing(void **state)
{
	(void)state;
	assert_walk(SPAN(""), "");
	assert_walk(SPAN("# only a comment\n"), "");
	assert_walk(SPAN("---\n"), "");
	assert_walk(SPAN("a: {}\nb: []\n"), "");
}

static void a_key_stands_once(void **state)
{
	(void)state;
	assert_refused(SPAN("a: 1\nb: 2\na: 3\n"),
		       ":3: \"a\" stands here twice");
	assert_refused(SPAN("x:\n  - {a: 1,\n     a: 2}\n"),
		       ":3: \"a\" stands here twice");
	assert_walk(SPAN("x: [{a: 1}, {a: 2}]\n"), "x[0].a=1@1 x[1].a=2@1 ");
}

static void what_a_configuration_does_not_need_is_refused(void **state)
{
	static const char decorated[] =
		":1: anchors, aliases and tags are not taken";

	(void)state;
	assert_refused(SPAN("a: &x 1\n"), decorated);
	assert_refused(SPAN("a: &x {b: 1}\n"), decorated);
	assert_refused(SPAN("a: !!str 1\n"), decorated);
	assert_refused(SPAN("a: !x [1]\n"), decorated);
	assert_refused(SPAN("a: *x\n"), decorated);
	assert_refused(SPAN("&x a: 1\n"), decorated);
	assert_refused(SPAN("- 1\n"), ":1: the file is not a map");
	assert_refused(SPAN("text\n"), ":1: the file is not a map");
	assert_refused(SPAN("a: 1\n---\nb: 2\n"), ":2: more than one document");
	assert_refused(SPAN("a: \"x\\0y\"\n"),
		       ":1: a value may not hold a NUL");
}

static void a_key_is_a_plain_word(void **state)
{
	static const char refused[] =
		":1: a key holds letters, digits, _ and -";

	(void)state;
	assert_walk(SPAN("key_1-b: x\n"), "key_1-b=x@1 ");
	assert_refused(SPAN("a.b: 1\n"), refused);
	assert_refused(SPAN("'': 1\n"), refused);
	assert_refused(SPAN("\"a\\0\": 1\n"), refused);
	assert_refused(SPAN("[a]: 1\n"), refused);
	assert_refused(SPAN("{a: b}: 1\n"), refused);
}

static void what_is_no_yaml_says_where(void **state)
{
	auto_buf struct buf out = { 0 };
	struct err e;

	(void)state;
	assert_int_equal(walk(SPAN("a: 1\nb: [1\n"), &out, &e), -1);
	assert_int_equal(e.kind, ERR_USAGE);
	assert_memory_equal(e.message, ":3: ", 4);
	assert_int_equal(walk(SPAN("a: 1\n\tb: 2\n"), &out, &e), -1);
	assert_memory_equal(e.message, ":2: ", 4);
	assert_int_equal(walk(SPAN("a: \xff\n"), &out, &e), -1);
	assert_int_equal(e.kind, ERR_USAGE);
}

static void nesting_has_an_end(void **state)
{
	(void)state;
	assert_refused(SPAN("a: [[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]"),
		       ":1: nested too deeply");
}

static void a_visitor_stops_the_walk(void **state)
{
	(void)state;
	assert_refused(SPAN("a: 1\nb:\n  c: stop\nd: 2\n"), ":3: b.c: stopped");
}

static void a_file_that_is_not_there_says_so(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(yaml_walk("/none.yaml", note, NULL, &e), -1);
	assert_string_equal(e.message, "/none.yaml: No such file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maps_and_lists_become_paths_in_order),
		cmocka_unit_test(values_are_texts_as_they_stand),
		cmocka_unit_test(a_file_may_say_nothing),
		cmocka_unit_test(a_key_stands_once),
		cmocka_unit_test(what_a_configuration_does_not_need_is_refused),
		cmocka_unit_test(a_key_is_a_plain_word),
		cmocka_unit_test(what_is_no_yaml_says_where),
		cmocka_unit_test(nesting_has_an_end),
		cmocka_unit_test(a_visitor_stops_the_walk),
		cmocka_unit_test(a_file_that_is_not_there_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
