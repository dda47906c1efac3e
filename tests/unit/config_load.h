/*
 * For the tests of config/config.h: loads what is written as text. Each
 * program runs in a directory of its own, from config_enter to config_leave.
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "config/config.h"

#define ENV "PRIVATE_REGISTRY_"
#define FILE_NAME "registry.yaml"

/* What is written where; words are parted by blanks, %s is the value. */
struct written {
	const char *file;
	const char *env;
	const char *flags;
};

static inline void write_file(const char *name, const char *text)
{
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* Cuts `text` into words that end in a null; it lives as long as `text`. */
static inline size_t words(char *text, char **out, size_t room)
{
	size_t count = 0;

	for (char *word; (word = strsep(&text, " "));) {
		assert_true(count + 1 < room);
		if (*word)
			out[count++] = word;
	}
	out[count] = NULL;
	return count;
}

static inline int load(struct written written, struct config **out,
		       struct err *e)
{
	auto_free char *env_text = mem_text(written.env);
	auto_free char *flag_text = mem_text(written.flags);
	char *env[16], *flags[16];

	words(env_text, env, array_size(env));
	size_t count = words(flag_text, flags, array_size(flags));
	if (written.file)
		write_file(FILE_NAME, written.file);
	return config_load(
		&(struct config_source){
			.path = written.file ? FILE_NAME : NULL,
			.env = env,
			.flags = (const char *const *)flags,
			.flag_count = count,
		},
		out, e);
}

static inline struct config *loaded(struct written written)
{
	struct config *config;
	struct err e = { 0 };

	if (load(written, &config, &e) < 0)
		fail_msg("%s", e.message);
	return config;
}

/* Puts the value where %s stands. */
static inline char *fill(const char *format, const char *value)
{
	struct buf text = { 0 };
	const char *at = strstr(format, "%s");

	buf_addf(&text, "%.*s%s%s", (int)(at - format), format, value, at + 2);
	return text.at;
}

static char directory[] = "/tmp/config_test.XXXXXX";

static inline int config_enter(void **state)
{
	(void)state;
	return mkdtemp(directory) && chdir(directory) == 0 ? 0 : -1;
}

static inline int config_leave(void **state)
{
	(void)state;
	unlink(FILE_NAME);
	unlink("other.yaml");
	return rmdir(directory);
}
