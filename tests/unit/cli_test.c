/*
 * Promises of cli/cli.h. serve_run is this file's: it keeps what it was told
 * to do, and ends as the test wants.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "cli/cli.h"

static struct {
	int calls;
	char data[64];
	char address[64];
	enum err_kind end; /* ERR_NONE: a clean stop */
} served;

int serve_run(struct config *config, char *const *args, struct err *e)
{
	(void)args;
	served.calls++;
	span_copy(span_of(config->data), served.data, sizeof(served.data));
	span_copy(span_of(config->listen[0].address), served.address,
		  sizeof(served.address));
	config_close(&config);
	if (served.end == ERR_NONE)
		return 0;
	return err_set(e, served.end, "it ended");
}

static const struct verb verbs[] = {
	{ "serve", "be a registry", cli_serve, .help = cli_serve_help },
	{ "config", "check or show", cli_config, cli_config_help,
	  cli_config_verbs },
	{ "help", "tell about a verb", cli_help, .help = cli_help_help },
	{ "version", "tell the version", cli_version,
	  .help = cli_version_help },
	{ 0 },
};

/* What a call ended with and wrote. */
static struct {
	int status;
	char out[16384];
	char err[1024];
} said;

/* Sends `fd` to a new file and returns where it went before. */
static int divert(int fd, FILE *file)
{
	int before = dup(fd);

	assert_true(before >= 0 && dup2(fileno(file), fd) == fd);
	return before;
}

static void restore(int fd, int before, FILE *file, char *text, size_t room)
{
	assert_true(dup2(before, fd) == fd);
	close(before);
	rewind(file);
	text[fread(text, 1, room - 1, file)] = '\0';
	fclose(file);
}

/* call("serve", "--data", "x", NULL) */
static void call(const char *first, ...)
{
	char *argv[16] = { (char[]){ "private-registry" } };
	size_t count = 1;
	va_list more;

	va_start(more, first);
	for (const char *arg = first; arg; arg = va_arg(more, const char *))
		argv[count++] = strdup(arg);
	va_end(more);

	FILE *out_file = tmpfile(), *err_file = tmpfile();
	fflush(stdout);
	int out = divert(STDOUT_FILENO, out_file);
	int err = divert(STDERR_FILENO, err_file);
	said.status = cli_main(verbs, argv);
	restore(STDERR_FILENO, err, err_file, said.err, sizeof(said.err));
	restore(STDOUT_FILENO, out, out_file, said.out, sizeof(said.out));
	while (count > 1)
		free(argv[--count]);
}

static int begin(void **state)
{
	(void)state;
	memset(&served, 0, sizeof(served));
	return 0;
}

/* The call was refused with exactly this, and nothing was served. */
static void assert_refused(const char *sentence)
{
	assert_string_equal(said.err, sentence);
	assert_string_equal(said.out, "");
	assert_int_equal(said.status, 2);
	assert_int_equal(served.calls, 0);
}

/* -------------------------------------------------------------------- serve */

static void serve_needs_no_option(void **state)
{
	(void)state;
	call("serve", NULL);
	assert_int_equal(said.status, 0);
	assert_int_equal(served.calls, 1);
	assert_string_equal(served.data, "./data");
	assert_string_equal(said.out, "");
	assert_string_equal(said.err, "");
}

static void a_value_follows_or_is_joined_by_an_equals_sign(void **state)
{
	(void)state;
	call("serve", "--data", "a=b", "--listen=:1", NULL);
	assert_string_equal(served.data, "a=b");
	assert_string_equal(served.address, ":1");
}

static void the_last_option_has_the_last_word(void **state)
{
	(void)state;
	call("serve", "--data", "a", "--data", "b", NULL);
	assert_string_equal(served.data, "b");
}

static void the_environment_is_read(void **state)
{
	(void)state;
	setenv("PRIVATE_REGISTRY_DATA", "from-environment", 1);
	call("serve", NULL);
	unsetenv("PRIVATE_REGISTRY_DATA");
	assert_string_equal(served.data, "from-environment");
}

static void the_file_is_named_by_an_option(void **state)
{
	(void)state;
	call("serve", "--config", "/dev/null", NULL);
	assert_int_equal(served.calls, 1);
	call("serve", "--config=/nowhere/x.yaml", NULL);
	assert_int_equal(said.status, 2);
	assert_int_equal(served.calls, 1);
}

static void the_exit_status_says_how_it_ended(void **state)
{
	static const struct {
		enum err_kind end;
		int status;
	} rows[] = {
		{ ERR_NONE, 0 },  { ERR_IO, 1 },     { ERR_INTERNAL, 1 },
		{ ERR_USAGE, 2 }, { ERR_LOCKED, 3 },
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		served.end = rows[i].end;
		call("serve", NULL);
		assert_int_equal(said.status, rows[i].status);
		assert_string_equal(
			said.err,
			rows[i].end ? "private-registry: it ended\n" : "");
	}
}

/* ----------------------------------------------------------- what is wrong */

static void without_a_verb_it_says_which_to_try(void **state)
{
	(void)state;
	call(NULL, NULL);
	assert_refused("private-registry: a verb is missing; try "
		       "\"private-registry serve\", or \"private-registry "
		       "--help\"\n");
}

static void an_unknown_verb_is_answered_with_those_there_are(void **state)
{
	(void)state;
	call("brew", NULL);
	assert_refused("private-registry: there is no verb \"brew\"; there "
		       "are: serve, config, help, version\n");
	call("help", "brew", NULL);
	assert_refused("private-registry: there is no verb \"brew\"; there "
		       "are: serve, config, help, version\n");
	call("config", "brew", NULL);
	assert_refused("private-registry: there is no verb \"brew\"; there "
		       "are: check, show, docs\n");
	call("config", NULL);
	assert_refused("private-registry: a verb is missing behind "
		       "\"config\"; there are: check, show, docs\n");
}

static void what_was_meant_is_guessed(void **state)
{
	(void)state;
	call("serv", NULL);
	assert_refused("private-registry: there is no verb \"serv\"; did you "
		       "mean \"serve\"?\n");
	call("config", "chek", "x", NULL);
	assert_refused("private-registry: there is no verb \"chek\"; did you "
		       "mean \"check\"?\n");
}

static void a_word_too_many_is_refused(void **state)
{
	(void)state;
	call("serve", "now", NULL);
	assert_refused("private-registry: \"now\" is a word too many; options "
		       "begin with --\n");
	call("version", "now", NULL);
	assert_refused("private-registry: \"now\" is a word too many; leave "
		       "it out\n");
	call("help", "serve", "now", NULL);
	assert_refused("private-registry: \"now\" is a word too many; leave "
		       "it out\n");
}

static void an_option_without_its_value_is_refused(void **state)
{
	(void)state;
	call("serve", "--config", NULL);
	assert_refused("private-registry: --config needs a value; write "
		       "--config FILE\n");
	call("serve", "--data", "--listen", ":1", NULL);
	assert_refused("private-registry: --data needs a value; write --data "
		       "DIRECTORY\n");
}

static void an_unknown_option_is_refused_whatever_follows(void **state)
{
	(void)state;
	call("serve", "--dta", "x", NULL);
	assert_refused("private-registry: there is no option \"--dta\"; did "
		       "you mean \"--data\"?\n");
	call("serve", "-d", "x", NULL);
	assert_refused("private-registry: \"-d\" is a word too many; options "
		       "begin with --\n");
}

/* --------------------------------------------------------------------- help */

static void assert_readable(void)
{
	struct span rest = span_of(said.out);

	assert_int_equal(said.status, 0);
	assert_string_equal(said.err, "");
	assert_int_equal(served.calls, 0);
	assert_true(span_ends(rest, "\n"));
	while (rest.len > 0) {
		struct span line = span_cut(&rest, '\n');

		assert_true(line.len < 80);
		assert_false(span_ends(line, " "));
	}
}

static void help_names_each_verb(void **state)
{
	static const char *const spellings[] = { "help", "--help", "-h" };

	(void)state;
	for (size_t i = 0; i < array_size(spellings); i++) {
		call(spellings[i], NULL);
		assert_readable();
		for (const struct verb *verb = verbs; verb->name; verb++)
			assert_non_null(strstr(said.out, verb->summary));
	}
}

static void each_verb_has_help(void **state)
{
	(void)state;
	for (const struct verb *verb = verbs; verb->name; verb++) {
		char first[sizeof(said.out)];

		call("help", verb->name, NULL);
		assert_readable();
		memcpy(first, said.out, sizeof(first));
		call(verb->name, "--help", NULL);
		assert_readable();
		assert_string_equal(said.out, first);
	}
}

static void each_verb_of_a_group_has_help(void **state)
{
	(void)state;
	for (const struct verb *verb = cli_config_verbs; verb->name; verb++) {
		char first[sizeof(said.out)];

		call("help", "config", verb->name, NULL);
		assert_readable();
		assert_non_null(strstr(said.out, verb->name));
		memcpy(first, said.out, sizeof(first));
		call("config", verb->name, "--help", NULL);
		assert_readable();
		assert_string_equal(said.out, first);
	}
}

static void help_outweighs_what_is_wrong(void **state)
{
	(void)state;
	call("serve", "--colour", "--help", NULL);
	assert_readable();
	assert_non_null(strstr(said.out, "--mirror.patience DURATION"));
}

static void the_version_is_told(void **state)
{
	(void)state;
	call("--version", NULL);
	assert_readable();
	assert_true(span_starts(span_of(said.out), "private-registry 0."));
	call("version", NULL);
	assert_true(span_starts(span_of(said.out), "private-registry 0."));
}

#define row(test) cmocka_unit_test_setup(test, begin)

int main(void)
{
	const struct CMUnitTest tests[] = {
		row(serve_needs_no_option),
		row(a_value_follows_or_is_joined_by_an_equals_sign),
		row(the_last_option_has_the_last_word),
		row(the_environment_is_read),
		row(the_file_is_named_by_an_option),
		row(the_exit_status_says_how_it_ended),
		row(without_a_verb_it_says_which_to_try),
		row(an_unknown_verb_is_answered_with_those_there_are),
		row(what_was_meant_is_guessed),
		row(a_word_too_many_is_refused),
		row(an_option_without_its_value_is_refused),
		row(an_unknown_option_is_refused_whatever_follows),
		row(help_names_each_verb),
		row(each_verb_has_help),
		row(each_verb_of_a_group_has_help),
		row(help_outweighs_what_is_wrong),
		row(the_version_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
