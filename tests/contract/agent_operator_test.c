/*
 * Promises of agent/agent.h about what an operator has, and does meanwhile.
 */
#include "agent_lab.h"

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
	expect_said("agent: left /etc/containerd/certs.d/docker.io");
	apply(&first);
	file_add(DOCKER_HOSTS, "# again\n");
	withdraw();
	assert_true(has_text(DOCKER_HOSTS ".edited", "# mine\n"));
	assert_true(has_text(DOCKER_HOSTS ".edited.2", "# again\n"));
}

static void an_edit_keeps_no_host_at_a_registry_that_moved(void **state)
{
	(void)state;
	apply(&second);
	file_add(DOCKER_HOSTS, "# mine\n");
	file_add("/etc/environment", "\nDOCKER_REPO=mine/\n");
	apply(&first);
	expect_said("a DOCKER_REPO of its own");
	expect_text("/etc/environment", "# kept\nLANG=C\nDOCKER_REPO=mine/\n");
	assert_true(has_text(DOCKER_HOSTS, "10.0.0.5:5000"));
	assert_true(has_text(DOCKER_HOSTS ".edited", "# mine\n"));
	assert_false(is_there("/etc/containerd/certs.d/images.lan:443"));
}

static void a_line_that_the_operator_changed_is_his(void **state)
{
	(void)state;
	apply(&first);
	file_make("/etc/environment",
		  "# private-registry: the next line is managed\n"
		  "DOCKER_REPO=mine/\n# kept\nLANG=C");
	withdraw();
	expect_text("/etc/environment", "DOCKER_REPO=mine/\n# kept\nLANG=C");
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

static void what_has_two_names_is_left_alone(void **state)
{
	(void)state;
	assert_int_equal(link(at("/etc/environment"), at("/etc/twin")), 0);
	unchanged_by({
		apply(&first);
		expect_said("a hard link");
		assert_int_equal(lab.report.conflicts, 1);
		withdraw();
	});
}

static void an_authority_that_the_operator_has_is_the_same(void **state)
{
	(void)state;
	dir_make("/etc/containers/certs.d/images.lan:443");
	file_make("/etc/containers/certs.d/images.lan:443/ca.crt",
		  second.ca.at);
	unchanged_by({
		apply(&second);
		assert_int_equal(lab.report.conflicts, 0);
		expect_said("podman: note /etc/containers/certs.d/images.lan:"
			    "443/ca.crt is there already");
		assert_true(has_text(DROP_IN, "images.lan"));
		withdraw();
	});
}

/* ---------------------------------------------------------- what is in the way
 */

#define AUTHORITY "/etc/containerd/certs.d/images.lan:443/ca.crt"

static void without_its_authority_nothing_names_it(void **state)
{
	(void)state;
	apply(&first);
	dir_make(AUTHORITY);
	apply(&second);
	expect_said("containerd: conflict " AUTHORITY);
	expect_said("containerd: note nothing is pointed without");
	assert_false(is_there(DOCKER_HOSTS));
	assert_true(has_text(DROP_IN, "images.lan"));
	assert_int_equal(remove(at(AUTHORITY)), 0);
	apply(&second);
	assert_true(has_text(DOCKER_HOSTS, AUTHORITY));
}

/* Nothing of ours can be renamed to a name that is a directory's. */
static void an_authority_stays_as_long_as_a_file_names_it(void **state)
{
	(void)state;
	unchanged_by({
		apply(&second);
		assert_int_equal(rename(at(DOCKER_HOSTS), at("/aside")), 0);
		dir_make(DOCKER_HOSTS);
		try_to_withdraw();
		assert_int_equal(lab.report.failures, 1);
		assert_true(is_there(AUTHORITY));
		assert_false(is_there("/etc/containers/certs.d"));
		assert_int_equal(remove(at(DOCKER_HOSTS)), 0);
		assert_int_equal(rename(at("/aside"), at(DOCKER_HOSTS)), 0);
		withdraw();
	});
}

static void one_odd_file_stops_one_engine_alone(void **state)
{
	(void)state;
	apply(&first);
	dir_make("/etc/containers/registries.conf.d/99-odd.conf");
	apply(&second);
	expect_said("podman: conflict nothing of it changes: ");
	assert_true(has_text(DROP_IN, "10.0.0.5:5000"));
	assert_true(has_text(DOCKER_HOSTS, "images.lan"));
	assert_true(has_text("/etc/environment", "images.lan"));
	withdraw();
	assert_false(is_there(DROP_IN));
}

static void what_stays_is_found_behind_links_too(void **state)
{
	(void)state;
	dir_make("/srv");
	assert_int_equal(rename(at("/etc/containerd"), at("/srv/c")), 0);
	assert_int_equal(symlink("/srv/c", at("/etc/containerd")), 0);
	apply(&first);
	assert_int_equal(remove(at("/srv/c/config.toml")), 0);
	dir_make("/srv/c/config.toml");
	apply(&second);
	expect_said("containerd: conflict nothing of it changes: ");
	assert_true(has_text("/srv/c/certs.d/docker.io/hosts.toml",
			     "10.0.0.5:5000"));
}

static void what_shadows_the_operators_default_is_told(void **state)
{
	(void)state;
	dir_make("/etc/containerd/certs.d/_default");
	file_make("/etc/containerd/certs.d/_default/hosts.toml", "theirs");
	unchanged_by({
		apply(&first);
		expect_said(
			"containerd: note /etc/containerd/certs.d/_default");
		withdraw();
	});
}

static void a_directory_that_became_a_file_is_no_more_ours(void **state)
{
	(void)state;
	apply(&first);
	assert_int_equal(remove(at(DOCKER_HOSTS)), 0);
	assert_int_equal(remove(at("/etc/containerd/certs.d/docker.io")), 0);
	file_make("/etc/containerd/certs.d/docker.io", "theirs");
	withdraw();
	expect_text("/etc/containerd/certs.d/docker.io", "theirs");
	assert_false(is_there("/etc/containerd/certs.d/ghcr.io"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(mode_and_owner_stay_whoever_sets_them),
		HOST_TEST(a_link_is_followed_within_the_root_and_stays),
		HOST_TEST(a_link_to_nothing_is_a_conflict),
		HOST_TEST(what_was_not_there_is_gone_again),
		HOST_TEST(what_the_operator_has_set_is_left_alone),
		HOST_TEST(edits_stay_and_ours_goes),
		HOST_TEST(a_file_of_ours_that_was_edited_is_set_aside),
		HOST_TEST(an_edit_keeps_no_host_at_a_registry_that_moved),
		HOST_TEST(a_line_that_the_operator_changed_is_his),
		HOST_TEST(a_file_that_became_the_operators_stays),
		HOST_TEST(a_file_that_is_gone_stays_gone),
		HOST_TEST(what_has_two_names_is_left_alone),
		HOST_TEST(an_authority_that_the_operator_has_is_the_same),
		HOST_TEST(without_its_authority_nothing_names_it),
		HOST_TEST(an_authority_stays_as_long_as_a_file_names_it),
		HOST_TEST(one_odd_file_stops_one_engine_alone),
		HOST_TEST(what_stays_is_found_behind_links_too),
		HOST_TEST(what_shadows_the_operators_default_is_told),
		HOST_TEST(a_directory_that_became_a_file_is_no_more_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
