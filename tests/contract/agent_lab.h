/*
 * A host, and the agent at work on it.
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "agent/agent.h"
#include "base/io.h"

#define DOCKER_HOSTS "/etc/containerd/certs.d/docker.io/hosts.toml"
#define DROP_IN "/etc/containers/registries.conf.d/50-private-registry.conf"
#define UNITS "/run/private-registry/environment"
#define JOURNAL "/var/lib/private-registry/agent/journal"

/* A host: a directory below which the agent works. */
static struct {
	char root[64];
	struct agent_report report;
	struct buf damage;
} lab;

static struct buf *listing; /* where walk_one writes */

static const char *const upstreams[] = { "docker.io", "ghcr.io" };

static const struct agent_target first = {
	.url = "http://10.0.0.5:5000",
	.upstreams = upstreams,
	.upstream_count = 2,
};
static const struct agent_target second = {
	.url = "https://images.lan",
	.ca = SPAN("-----BEGIN CERTIFICATE-----\nMA==\n"
		   "-----END CERTIFICATE-----\n"),
	.upstreams = upstreams,
	.upstream_count = 1,
};

/* -------------------------------------------------------------- the host */

/* Static, of the last eight. */
static inline const char *at(const char *path)
{
	static char texts[8][512];
	static size_t next;
	char *text = texts[next++ % array_size(texts)];

	snprintf(text, sizeof(texts[0]), "%s%s", lab.root, path);
	return text;
}

static inline void dir_make(const char *path)
{
	struct err e;
	int dir = io_make_dir(at(path), &e);

	assert_true(dir >= 0);
	close(dir);
	assert_int_equal(chmod(at(path), 0755), 0);
}

static inline void file_write(const char *path, const char *text,
			      const char *mode)
{
	FILE *file = fopen(at(path), mode);

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static inline void file_make(const char *path, const char *text)
{
	file_write(path, text, "w");
	assert_int_equal(chmod(at(path), 0644), 0);
}

static inline void file_add(const char *path, const char *text)
{
	file_write(path, text, "a");
}

static inline bool is_there(const char *path)
{
	struct stat st;

	return lstat(at(path), &st) == 0;
}

static inline void expect_text(const char *path, const char *wanted)
{
	auto_buf struct buf text = { 0 };
	struct err e;

	assert_int_equal(io_read_file(at(path), 1 << 20, &text, &e), 0);
	assert_string_equal(text.at, wanted);
}

static inline bool has_text(const char *path, const char *part)
{
	auto_buf struct buf text = { 0 };
	struct err e;

	return io_read_file(at(path), 1 << 20, &text, &e) == 0 &&
	       strstr(text.at, part);
}

static inline int walk_one(const char *path, const struct stat *st, int type,
			   struct FTW *where)
{
	const char *inside = path + strlen(lab.root);
	struct err e;

	(void)where;
	if (strncmp(inside, "/var", 4) == 0)
		return 0;
	buf_addf(listing, "%s %o %u %u %d ", inside, st->st_mode, st->st_uid,
		 st->st_gid, type);
	if (type == FTW_F)
		assert_int_equal(io_read_file(path, 1 << 20, listing, &e), 0);
	buf_addf(listing, "\n");
	return 0;
}

static inline int line_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All of the host but /var, in an order that no file system chooses. */
static inline void host_list(struct buf *out)
{
	auto_buf struct buf text = { 0 };
	char *lines[200];
	size_t count = 0;

	listing = &text;
	assert_int_equal(nftw(lab.root, walk_one, 8, FTW_PHYS), 0);
	for (char *rest = text.at, *line; (line = strsep(&rest, "\n"));) {
		assert_true(count < array_size(lines));
		lines[count++] = line;
	}
	qsort(lines, count, sizeof(*lines), line_compare);
	for (size_t i = 0; i < count; i++)
		buf_addf(out, "%s\n", lines[i]);
}

static inline int remove_one(const char *path, const struct stat *st, int type,
			     struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path);
}

static inline int host_enter(void **state)
{
	(void)state;
	snprintf(lab.root, sizeof(lab.root), "/tmp/agent-test-XXXXXX");
	if (!mkdtemp(lab.root))
		return -1;
	dir_make("/etc/containerd");
	dir_make("/etc/containers");
	dir_make("/run");
	file_make("/etc/containers/registries.conf",
		  "unqualified-search-registries = [\"docker.io\"]\n");
	file_make("/etc/containerd/config.toml",
		  "config_path = \"/etc/containerd/certs.d\"\n");
	file_make("/etc/environment", "# kept\nLANG=C");
	return 0;
}

static inline int host_leave(void **state)
{
	(void)state;
	agent_report_free(&lab.report);
	buf_free(&lab.damage);
	lab.report = (struct agent_report){ 0 };
	return nftw(lab.root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* ------------------------------------------------------------- the agent */

static inline struct agent *agent_start(enum agent_use use)
{
	struct agent *agent;
	struct err e;

	if (agent_open(lab.root, use, &agent, &lab.damage, &e) < 0)
		fail_msg("%s", e.message);
	agent_report_free(&lab.report);
	lab.report = (struct agent_report){ 0 };
	return agent;
}

/* Each with an agent of its own, as after a restart. */
static inline void apply(const struct agent_target *target)
{
	auto_of(agent) struct agent *agent = agent_start(AGENT_CHANGE);
	struct err e;

	assert_int_equal(agent_apply(agent, target, &lab.report, &e), 0);
	assert_int_equal(lab.report.failures, 0);
}

static inline void try_to_withdraw(void)
{
	auto_of(agent) struct agent *agent = agent_start(AGENT_CHANGE);

	agent_withdraw(agent, &lab.report);
}

static inline void withdraw(void)
{
	try_to_withdraw();
	if (lab.report.failures)
		fail_msg("%s", lab.report.text.at);
}

static inline void expect_said(const char *part)
{
	if (!strstr(lab.report.text.at, part))
		fail_msg("nothing of \"%s\" in: %s", part, lab.report.text.at);
}

#define unchanged_by(work)                                         \
	({                                                         \
		auto_buf struct buf before = { 0 }, after = { 0 }; \
		host_list(&before);                                \
		work;                                              \
		host_list(&after);                                 \
		assert_string_equal(after.at, before.at);          \
	})

#define HOST_TEST(test) \
	cmocka_unit_test_setup_teardown(test, host_enter, host_leave)
