/*
 * Promises of agent/agent.h: a host is pointed at a registry, and is as before
 * when that is taken back, whatever happened meanwhile.
 */
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
static const char *at(const char *path)
{
	static char texts[8][512];
	static size_t next;
	char *text = texts[next++ % array_size(texts)];

	snprintf(text, sizeof(texts[0]), "%s%s", lab.root, path);
	return text;
}

static void dir_make(const char *path)
{
	struct err e;
	int dir = io_make_dir(at(path), &e);

	assert_true(dir >= 0);
	close(dir);
	assert_int_equal(chmod(at(path), 0755), 0);
}

static void file_write(const char *path, const char *text, const char *mode)
{
	FILE *file = fopen(at(path), mode);

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void file_make(const char *path, const char *text)
{
	file_write(path, text, "w");
	assert_int_equal(chmod(at(path), 0644), 0);
}

static void file_add(const char *path, const char *text)
{
	file_write(path, text, "a");
}

static bool is_there(const char *path)
{
	struct stat st;

	return lstat(at(path), &st) == 0;
}

static void expect_text(const char *path, const char *wanted)
{
	auto_buf struct buf text = { 0 };
	struct err e;

	assert_int_equal(io_read_file(at(path), 1 << 20, &text, &e), 0);
	assert_string_equal(text.at, wanted);
}

static bool has_text(const char *path, const char *part)
{
	auto_buf struct buf text = { 0 };
	struct err e;

	return io_read_file(at(path), 1 << 20, &text, &e) == 0 &&
	       strstr(text.at, part);
}

static int walk_one(const char *path, const struct stat *st, int type,
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

static int line_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All of the host but /var, in an order that no file system chooses. */
static void host_list(struct buf *out)
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

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path);
}

static int host_enter(void **state)
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

static int host_leave(void **state)
{
	(void)state;
	agent_report_free(&lab.report);
	buf_free(&lab.damage);
	lab.report = (struct agent_report){ 0 };
	return nftw(lab.root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* ------------------------------------------------------------- the agent */

static struct agent *agent_start(enum agent_use use)
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
static void apply(const struct agent_target *target)
{
	auto_of(agent) struct agent *agent = agent_start(AGENT_CHANGE);
	struct err e;

	assert_int_equal(agent_apply(agent, target, &lab.report, &e), 0);
	assert_int_equal(lab.report.failures, 0);
}

static void withdraw(void)
{
	auto_of(agent) struct agent *agent = agent_start(AGENT_CHANGE);

	agent_withdraw(agent, &lab.report);
	assert_int_equal(lab.report.failures, 0);
}

static void expect_said(const char *part)
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

/* ---------------------------------------------------------------- promises */

static void everything_is_written_and_everything_goes(void **state)
{
	(void)state;
	unchanged_by({
		apply(&first);
		assert_int_equal(lab.report.conflicts, 0);
		expect_text("/etc/environment",
			    "# private-registry: the next line is managed\n"
			    "DOCKER_REPO=10.0.0.5:5000/\n# kept\nLANG=C");
		assert_true(has_text(UNITS, "DOCKER_REPO=10.0.0.5:5000/\n"));
		assert_true(has_text(DOCKER_HOSTS, "[host.\"http://10.0.0.5:"
						   "5000\"]"));
		assert_true(has_text(DROP_IN, "\"10.0.0.5:5000/ghcr.io\""));
		assert_true(has_text(DROP_IN, "insecure = true"));
		withdraw();
	});
}

static void what_is_applied_is_not_applied_again(void **state)
{
	(void)state;
	apply(&first);
	unchanged_by({
		apply(&first);
		assert_int_equal(lab.report.changes, 0);
		expect_said("podman: has " DROP_IN " since 2");
		assert_int_equal(lab.report.news.len, 0);
	});
}

static void a_registry_that_moves_takes_all_along(void **state)
{
	(void)state;
	unchanged_by({
		apply(&first);
		apply(&second);
		assert_false(is_there("/etc/containerd/certs.d/ghcr.io"));
		assert_false(is_there("/etc/containerd/certs.d/10.0.0.5:5000"));
		assert_true(has_text(DOCKER_HOSTS, "/etc/containerd/certs.d/"
						   "images.lan:443/ca.crt"));
		assert_true(has_text("/etc/containers/certs.d/images.lan:443/"
				     "ca.crt",
				     "BEGIN CERTIFICATE"));
		assert_false(has_text(DROP_IN, "insecure"));
		apply(&first);
		assert_false(is_there("/etc/containers/certs.d"));
		withdraw();
	});
}

static void a_dry_run_changes_nothing_and_tells_all(void **state)
{
	(void)state;
	unchanged_by({
		auto_of(agent) struct agent *agent = agent_start(AGENT_TELL);
		struct err e;

		assert_int_equal(agent_apply(agent, &first, &lab.report, &e),
				 0);
		assert_true(lab.report.changes >= 5);
		assert_non_null(strstr(lab.report.diff.at,
				       "--- /etc/environment\n"
				       "+++ /etc/environment\n"
				       "@@ -0,0 +1,2 @@\n"
				       "+# private-registry"));
		assert_non_null(strstr(lab.report.diff.at,
				       "--- /dev/null\n"
				       "+++ " DROP_IN "\n"));
		assert_false(is_there("/var"));
	});
}

static void one_agent_has_a_host(void **state)
{
	auto_of(agent) struct agent *agent = agent_start(AGENT_CHANGE);
	struct agent *other;
	struct err e;
	int status;

	(void)state;
	pid_t child = fork();
	if (child == 0)
		_exit(agent_open(lab.root, AGENT_CHANGE, &other, &lab.damage,
				 &e) < 0 &&
				      e.kind == ERR_BUSY ?
			      0 :
			      1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* --------------------------------------------------------- the operator's */

static void mode_and_owner_stay_whoever_sets_them(void **state)
{
	uid_t owner = getuid() == 0 ? 12345 : getuid();
	struct stat st;

	(void)state;
	assert_int_equal(chmod(at("/etc/environment"), 0640), 0);
	assert_int_equal(chown(at("/etc/environment"), owner, (gid_t)-1), 0);
	unchanged_by({
		apply(&first);
		assert_int_equal(stat(at("/etc/environment"), &st), 0);
		assert_int_equal(st.st_mode & 07777, 0640);
		assert_int_equal(st.st_uid, owner);
		withdraw();
	});
	apply(&first);
	assert_int_equal(chmod(at("/etc/environment"), 0600), 0);
	withdraw();
	assert_int_equal(stat(at("/etc/environment"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	expect_text("/etc/environment", "# kept\nLANG=C");
}

static void a_link_is_followed_within_the_root_and_stays(void **state)
{
	struct stat st;

	(void)state;
	dir_make("/srv");
	assert_int_equal(rename(at("/etc/environment"), at("/srv/env")), 0);
	assert_int_equal(symlink("/srv/env", at("/etc/environment")), 0);
	unchanged_by({
		apply(&first);
		assert_true(has_text("/srv/env", "DOCKER_REPO=10.0.0.5:5000/"));
		assert_int_equal(lstat(at("/etc/environment"), &st), 0);
		assert_true(S_ISLNK(st.st_mode));
		apply(&first);
		assert_int_equal(lab.report.changes, 0);
		withdraw();
	});
}

static void a_link_to_nothing_is_a_conflict(void **state)
{
	(void)state;
	assert_int_equal(remove(at("/etc/environment")), 0);
	assert_int_equal(symlink("/srv/gone", at("/etc/environment")), 0);
	unchanged_by({
		apply(&first);
		expect_said("/etc/environment is a link to nothing");
		withdraw();
	});
}

static void what_was_not_there_is_gone_again(void **state)
{
	(void)state;
	assert_int_equal(remove(at("/etc/environment")), 0);
	unchanged_by({
		apply(&first);
		assert_true(is_there("/etc/environment"));
		withdraw();
	});
}

static void what_the_operator_has_set_is_left_alone(void **state)
{
	(void)state;
	file_add("/etc/environment", "\nDOCKER_REPO=mine/\n");
	file_add("/etc/containers/registries.conf",
		 "[[registry]]\nprefix = \"docker.io\"\nblocked = true\n");
	dir_make("/etc/containerd/certs.d/docker.io");
	file_make("/etc/containerd/certs.d/docker.io/ca.crt", "theirs");
	unchanged_by({
		apply(&first);
		assert_int_equal(lab.report.conflicts, 3);
		expect_said("a DOCKER_REPO of its own");
		expect_said("podman: conflict docker.io");
		expect_said("certs.d/docker.io has settings of its own");
		assert_true(has_text(UNITS, "DOCKER_REPO=10.0.0.5:5000/\n"));
		assert_false(has_text(DROP_IN, "prefix = \"docker.io\""));
		assert_true(has_text(DROP_IN, "prefix = \"ghcr.io\""));
		assert_false(is_there(DOCKER_HOSTS));
		withdraw();
	});
}

static void edits_stay_and_ours_goes(void **state)
{
	(void)state;
	apply(&first);
	file_add("/etc/environment", "\nTERM=dumb");
	file_make("/etc/containerd/certs.d/other", "theirs");
	apply(&second);
	expect_text("/etc/environment",
		    "# private-registry: the next line is managed\n"
		    "DOCKER_REPO=images.lan:443/\n# kept\nLANG=C\nTERM=dumb");
	withdraw();
	expect_text("/etc/environment", "# kept\nLANG=C\nTERM=dumb");
	expect_text("/etc/containerd/certs.d/other", "theirs");
	assert_false(is_there("/etc/containerd/certs.d/docker.io"));
}

static void a_file_of_ours_that_was_edited_is_set_aside(void **state)
{
	(void)state;
	apply(&first);
	file_add(DOCKER_HOSTS, "# mine\n");
	apply(&first);
	assert_int_equal(lab.report.conflicts, 1);
	assert_true(has_text(DOCKER_HOSTS, "# mine"));
	withdraw();
	assert_false(is_there(DOCKER_HOSTS));
	assert_true(has_text(DOCKER_HOSTS ".edited", "# mine\n"));
}

static void a_file_that_became_the_operators_stays(void **state)
{
	(void)state;
	apply(&first);
	file_make(DOCKER_HOSTS, "server = \"https://mine\"\n");
	withdraw();
	expect_text(DOCKER_HOSTS, "server = \"https://mine\"\n");
	assert_false(is_there("/etc/containerd/certs.d/ghcr.io"));
}

static void a_file_that_is_gone_stays_gone(void **state)
{
	(void)state;
	apply(&first);
	assert_int_equal(remove(at("/etc/environment")), 0);
	assert_int_equal(remove(at(UNITS)), 0);
	withdraw();
	assert_false(is_there("/etc/environment"));
	assert_false(is_there("/run/private-registry"));
}

/* ------------------------------------------------------------ the journal */

static int damage_one(const char *path, const struct stat *st, int type,
		      struct FTW *where)
{
	FILE *file;

	(void)where;
	if (type != FTW_F)
		return 0;
	file = fopen(path, "r+");
	assert_non_null(file);
	fseek(file, st->st_size / 2, SEEK_SET);
	fputc('~', file);
	return fclose(file);
}

static void a_damaged_journal_touches_nothing(void **state)
{
	(void)state;
	apply(&first);
	assert_int_equal(nftw(at(JOURNAL), damage_one, 8, FTW_PHYS), 0);
	unchanged_by({
		withdraw();
		assert_int_equal(lab.report.changes, 0);
		assert_non_null(strstr(lab.damage.at, "is damaged"));
		apply(&first);
		expect_said("something of ours of which nothing is known");
	});
}

static void without_a_journal_nothing_is_changed(void **state)
{
	struct agent *agent;
	struct err e;

	(void)state;
	dir_make("/var/lib/private-registry");
	file_make("/var/lib/private-registry/agent", "in the way");
	unchanged_by(assert_int_equal(agent_open(lab.root, AGENT_CHANGE, &agent,
						 &lab.damage, &e),
				      -1));
}

static void a_journal_that_others_can_write_is_not_believed(void **state)
{
	struct agent *agent;
	struct err e;

	(void)state;
	dir_make("/var/lib/private-registry");
	assert_int_equal(chmod(at("/var/lib/private-registry"), 0777), 0);
	assert_int_equal(agent_open(lab.root, AGENT_CHANGE, &agent, &lab.damage,
				    &e),
			 -1);
	assert_int_equal(e.kind, ERR_CONFLICT);
}

static void the_status_is_what_was_kept(void **state)
{
	auto_buf struct buf text = { 0 };
	struct err e;

	(void)state;
	assert_int_equal(agent_status(lab.root, &text, &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	struct agent *agent = agent_start(AGENT_CHANGE);
	assert_int_equal(agent_apply(agent, &first, &lab.report, &e), 0);
	assert_int_equal(agent_keep_status(agent, "it is so", &lab.report, &e),
			 0);
	agent_close(&agent);
	assert_int_equal(agent_status(lab.root, &text, &e), 0);
	assert_non_null(strstr(text.at, "no agent runs; the last one said:\n"
					"it is so\nenvironment: wrote "));
}

static void what_is_no_registry_is_refused(void **state)
{
	static const char *const urls[] = {
		"10.0.0.5:5000", "ftp://a", "http://a b", "http://a\nb:1", "",
	};
	auto_of(agent) struct agent *agent = agent_start(AGENT_CHANGE);

	(void)state;
	for (size_t i = 0; i < array_size(urls); i++) {
		struct agent_target target = { .url = urls[i] };
		struct err e;

		assert_int_equal(agent_apply(agent, &target, &lab.report, &e),
				 -1);
		assert_int_equal(e.kind, ERR_USAGE);
	}
}

#define HOST_TEST(test) \
	cmocka_unit_test_setup_teardown(test, host_enter, host_leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(everything_is_written_and_everything_goes),
		HOST_TEST(what_is_applied_is_not_applied_again),
		HOST_TEST(a_registry_that_moves_takes_all_along),
		HOST_TEST(a_dry_run_changes_nothing_and_tells_all),
		HOST_TEST(one_agent_has_a_host),
		HOST_TEST(mode_and_owner_stay_whoever_sets_them),
		HOST_TEST(a_link_is_followed_within_the_root_and_stays),
		HOST_TEST(a_link_to_nothing_is_a_conflict),
		HOST_TEST(what_was_not_there_is_gone_again),
		HOST_TEST(what_the_operator_has_set_is_left_alone),
		HOST_TEST(edits_stay_and_ours_goes),
		HOST_TEST(a_file_of_ours_that_was_edited_is_set_aside),
		HOST_TEST(a_file_that_became_the_operators_stays),
		HOST_TEST(a_file_that_is_gone_stays_gone),
		HOST_TEST(a_damaged_journal_touches_nothing),
		HOST_TEST(without_a_journal_nothing_is_changed),
		HOST_TEST(a_journal_that_others_can_write_is_not_believed),
		HOST_TEST(the_status_is_what_was_kept),
		HOST_TEST(what_is_no_registry_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
