/*
 * Promises of agent/agent.h: a host is pointed at a registry, and is as before
 * when that is taken back.
 */
#include "agent_lab.h"

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
		try_to_withdraw();
		assert_int_equal(lab.report.failures, 1);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(everything_is_written_and_everything_goes),
		HOST_TEST(what_is_applied_is_not_applied_again),
		HOST_TEST(a_registry_that_moves_takes_all_along),
		HOST_TEST(a_dry_run_changes_nothing_and_tells_all),
		HOST_TEST(one_agent_has_a_host),
		HOST_TEST(a_damaged_journal_touches_nothing),
		HOST_TEST(without_a_journal_nothing_is_changed),
		HOST_TEST(a_journal_that_others_can_write_is_not_believed),
		HOST_TEST(the_status_is_what_was_kept),
		HOST_TEST(what_is_no_registry_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
