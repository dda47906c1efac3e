/*
 * Promises of http/http.h about TLS: who is shown which certificate, when it
 * is another one, and which clients get in.
 */
#include <fcntl.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "http_certificates.h"
#include "http_lab.h"

static void assert_peer(struct client *client, const char *name)
{
	char got[32];

	client_peer_name(client, got, sizeof(got));
	assert_string_equal(got, name);
}

/* Who asks for `host` is shown the certificate of `name`. */
static bool is_shown(struct lab *lab, const char *host, const char *name)
{
	auto_client struct client client =
		client_open_as(lab, &(struct client_as){ .host = host });
	char got[32];

	client_peer_name(&client, got, sizeof(got));
	return strcmp(got, name) == 0;
}

static void await_shown(struct lab *lab, const char *host, const char *name)
{
	int64_t deadline_ms = clock_ms() + PATIENCE_MS;

	while (!is_shown(lab, host, name))
		assert_true(clock_ms() < deadline_ms);
}

/* ------------------------------------------------------------ handshakes */

static void http_on_the_tls_port_is_told_so(void **state)
{
	auto_client struct client client = client_open_raw(*state, SECURE);
	auto_answer struct answer answer = client_get(&client, "/small");
	assert_int_equal(answer.status, 400);
	assert_non_null(strstr(answer.body.at, "https://"));
	assert_true(client_sees_fin(&client));
}

static void a_part_of_a_tls_record_holds_up_nobody(void **state)
{
	struct lab *lab = *state;

	lab_reopen(lab, &(struct http_options){ .reactors = 1 });
	auto_client struct client client = client_open(lab, SECURE);
	auto_answer struct answer before = client_get(&client, "/small");
	assert_true(answer_is(&before, 200, "small"));

	assert_int_equal(send(client.fd, "\x17\x03\x03", 3, 0), 3);
	for (unsigned door = 0; door < LAB_DOORS; door++) {
		auto_client struct client other = client_open(lab, door);
		auto_answer struct answer answer = client_get(&other, "/small");

		assert_true(answer_is(&answer, 200, "small"));
	}
}

static void a_slow_handshake_is_cut(void **state)
{
	struct lab *lab = *state;

	lab_reopen(lab, &(struct http_options){ .head_ms = 100 });
	auto_client struct client slow = client_open_raw(lab, SECURE);
	client_send(&slow, "\x16\x03", 2);
	client_sees_fin(&slow); /* a reset will do: a byte was not read */
}

static void tls_1_2_serves_the_same(void **state)
{
	struct client_as old = { .version = TLS1_2_VERSION };
	auto_client struct client client = client_open_as(*state, &old);
	auto_answer struct answer answer = client_get(&client, "/file");

	assert_true(answer_is_pattern(&answer, LARGE));
	client_say(&client, "PUT /echo HTTP/1.1\r\nHost: a\r\n"
			    "Content-Length: 3\r\n\r\nxyz");
	auto_answer struct answer echo = client_answer(&client, false);
	assert_true(answer_is(&echo, 200, "xyz"));
}

/* ------------------------------------------------------------ names */

/* The second door's second certificate, for b.test and everything in c.test. */
static void write_second(struct lab *lab)
{
	lab->certificates[1] =
		(struct http_certificate){ lab_file(lab, "second.pem"),
					   lab_file(lab, "second.key") };
	certificate_write(&(struct subject){ .name = "second",
					     .names = "DNS:b.test,"
						      "DNS:*.c.test" },
			  lab->certificates[1].certificate,
			  lab->certificates[1].key);
	lab->doors[SECURE].certificate_count = 2;
}

static void add_second(struct lab *lab, const struct http_options *options)
{
	write_second(lab);
	lab_reopen(lab, options);
}

static void each_name_is_shown_its_certificate(void **state)
{
	static const struct {
		const char *host, *name;
	} cases[] = {
		{ NULL, "first" },	   { "other.test", "first" },
		{ "b.test", "second" },	   { "B.TEST", "second" },
		{ "a.c.test", "second" },  { "c.test", "first" },
		{ "b.a.c.test", "first" }, { "second", "first" },
	};
	struct lab *lab = *state;

	add_second(lab, &(struct http_options){ 0 });
	for (size_t i = 0; i < array_size(cases); i++)
		if (!is_shown(lab, cases[i].host, cases[i].name))
			fail_msg("%s", cases[i].host);
}

static void a_chosen_certificate_serves_like_the_first(void **state)
{
	struct lab *lab = *state;

	add_second(lab, &(struct http_options){ 0 });
	auto_client struct client client =
		client_open_as(lab, &(struct client_as){ .host = "b.test" });
	auto_answer struct answer answer = client_get(&client, "/file");
	assert_true(answer_is_pattern(&answer, LARGE));
}

/* ------------------------------------------------------------ renewal */

static void a_reload_is_for_new_connections(void **state)
{
	struct lab *lab = *state;
	auto_client struct client old = client_open(lab, SECURE);
	struct err e;

	lab_certify(lab, "second");
	assert_int_equal(http_reload(lab->http, lab->doors, &e), 0);
	auto_client struct client new = client_open(lab, SECURE);
	assert_peer(&old, "first");
	assert_peer(&new, "second");
	auto_answer struct answer from_old = client_get(&old, "/small");
	auto_answer struct answer from_new = client_get(&new, "/small");
	assert_true(answer_is(&from_old, 200, "small"));
	assert_true(answer_is(&from_new, 200, "small"));
}

static void a_bad_certificate_changes_nothing(void **state)
{
	struct lab *lab = *state;
	struct err e;

	assert_int_equal(truncate(lab->certificate, 10), 0);
	assert_int_equal(http_reload(lab->http, lab->doors, &e), -1);
	assert_int_equal(e.kind, ERR_USAGE);
	assert_non_null(strstr(e.message, lab->certificate));
	auto_client struct client client = client_open(lab, SECURE);
	auto_answer struct answer answer = client_get(&client, "/small");
	assert_true(answer_is(&answer, 200, "small"));
}

static void a_bad_certificate_holds_no_other_back(void **state)
{
	struct lab *lab = *state;

	add_second(lab, &(struct http_options){ .renew_ms = 20 });
	assert_int_equal(truncate(lab->certificate, 10), 0);
	certificate_write(&(struct subject){ "third", "DNS:b.test", NULL },
			  lab->certificates[1].certificate,
			  lab->certificates[1].key);
	await_shown(lab, "b.test", "third");
	assert_true(is_shown(lab, NULL, "first"));
}

static void a_reload_may_bring_other_certificates(void **state)
{
	struct lab *lab = *state;
	static struct http_door more[LAB_DOORS], none[LAB_DOORS];
	struct err e;

	memcpy(none, lab->doors, sizeof(none));
	write_second(lab);
	memcpy(more, lab->doors, sizeof(more));
	assert_int_equal(http_reload(lab->http, more, &e), 0);
	assert_true(is_shown(lab, "b.test", "second"));
	assert_int_equal(http_reload(lab->http, none, &e), 0);
	assert_true(is_shown(lab, "b.test", "first"));

	assert_int_equal(truncate(lab->certificates[1].key, 10), 0);
	assert_int_equal(http_reload(lab->http, more, &e), -1);
	assert_non_null(strstr(e.message, lab->certificates[1].key));
	assert_true(is_shown(lab, NULL, "first"));
	assert_true(is_shown(lab, "b.test", "first"));
}

static void changed_files_are_read_again(void **state)
{
	struct lab *lab = *state;

	lab_reopen(lab, &(struct http_options){ .renew_ms = 20 });
	assert_true(is_shown(lab, NULL, "first"));
	lab_certify(lab, "second");
	await_shown(lab, NULL, "second");
}

/* As Kubernetes does: the links lead to the files of another generation. */
static void a_link_to_another_file_is_a_change(void **state)
{
	struct lab *lab = *state;
	const char *links[] = { lab_file(lab, "tls.crt"),
				lab_file(lab, "tls.key"),
				lab_file(lab, "tls.new") };

	certificate_write(&(struct subject){ .name = "other" },
			  lab_file(lab, "other.pem"),
			  lab_file(lab, "other.key"));
	assert_int_equal(symlink("cert.pem", links[0]), 0);
	assert_int_equal(symlink("key.pem", links[1]), 0);
	lab->certificates[0] = (struct http_certificate){ links[0], links[1] };
	lab_reopen(lab, &(struct http_options){ .renew_ms = 20 });
	assert_true(is_shown(lab, NULL, "first"));
	assert_int_equal(symlink("other.pem", links[2]), 0);
	assert_int_equal(rename(links[2], links[0]), 0);
	assert_int_equal(symlink("other.key", links[2]), 0);
	assert_int_equal(rename(links[2], links[1]), 0);
	await_shown(lab, NULL, "other");
}

static unsigned lines_of(const char *path)
{
	FILE *in = fopen(path, "r");
	unsigned lines = 0;
	int c;

	while ((c = getc(in)) != EOF)
		lines += c == '\n';
	fclose(in);
	return lines;
}

/* From here on the log goes to `path`; what to give to log_back. */
static int log_to(const char *path)
{
	auto_fd int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	int before = dup(STDERR_FILENO);

	assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	return before;
}

static void log_back(int before)
{
	dup2(before, STDERR_FILENO);
	close(before);
}

/* The second pair changes after the first, and so is looked at after it. */
static void change_second(struct lab *lab, const char *name)
{
	certificate_write(&(struct subject){ name, "DNS:b.test", NULL },
			  lab->certificates[1].certificate,
			  lab->certificates[1].key);
	await_shown(lab, "b.test", name);
}

static void half_a_pair_changes_nothing_and_is_told_once(void **state)
{
	struct lab *lab = *state;
	const char *log = lab_file(lab, "log");

	add_second(lab, &(struct http_options){ .renew_ms = 200 });
	int before = log_to(log);
	certificate_write(&(struct subject){ .name = "half" }, lab->certificate,
			  NULL);
	change_second(lab, "third");
	change_second(lab, "fourth");
	log_back(before);
	assert_true(is_shown(lab, NULL, "first"));
	assert_int_equal(lines_of(log), 3); /* the half, and two good ones */
	lab_certify(lab, "whole");
	await_shown(lab, NULL, "whole");
}

/* ------------------------------------------------------------ clients */

struct parties {
	struct issuer *ours, *others;
	struct client_as alice, mallory, nobody;
};

static struct client_as write_client(struct lab *lab, const char *name,
				     const struct issuer *issuer)
{
	char file[32], key[32];

	snprintf(file, sizeof(file), "%s.pem", name);
	snprintf(key, sizeof(key), "%s.key", name);
	struct client_as who = { .certificate = lab_file(lab, file),
				 .key = lab_file(lab, key) };
	certificate_write(&(struct subject){ .name = name, .issuer = issuer },
			  who.certificate, who.key);
	return who;
}

static struct parties invite(struct lab *lab, bool required)
{
	struct parties parties = {
		.ours = issuer_open("ours", lab_file(lab, "ours.pem")),
		.others = issuer_open("others", lab_file(lab, "others.pem")),
	};

	parties.alice = write_client(lab, "alice", parties.ours);
	parties.mallory = write_client(lab, "mallory", parties.others);
	lab->doors[SECURE].client_ca = lab_file(lab, "ours.pem");
	lab->doors[SECURE].client_required = required;
	lab_reopen(lab, &(struct http_options){ 0 });
	return parties;
}

static void dismiss(struct parties *parties)
{
	issuer_close(&parties->ours);
	issuer_close(&parties->others);
}

static void a_client_may_show_who_it_is(void **state)
{
	struct lab *lab = *state;
	struct parties parties = invite(lab, false);
	auto_client struct client alice = client_open_as(lab, &parties.alice);
	auto_client struct client nobody = client_open_as(lab, &parties.nobody);

	for (int i = 0; i < 2; i++) {
		auto_answer struct answer one = client_get(&alice, "/client");
		assert_true(answer_is(&one, 200, "CN=alice"));
		auto_answer struct answer two = client_get(&nobody, "/client");
		assert_true(answer_is(&two, 200, "nobody"));
	}
	auto_client struct client mallory =
		client_open_as(lab, &parties.mallory);
	assert_true(client_hears_alert(&mallory, "unknown ca"));
	dismiss(&parties);
}

static void a_client_is_who_its_certificate_says(void **state)
{
	struct lab *lab = *state;
	struct parties parties = invite(lab, false);
	struct subject named = { .name = "alice",
				 .names = "DNS:a.test,DNS:*.b.test",
				 .issuer = parties.ours };

	certificate_write(&named, parties.alice.certificate, parties.alice.key);
	auto_client struct client alice = client_open_as(lab, &parties.alice);
	auto_client struct client nobody = client_open_as(lab, &parties.nobody);
	auto_client struct client plain = client_open(lab, PLAIN);
	auto_answer struct answer one = client_get(&alice, "/names");
	assert_string_equal(one.body.at, "alice ALICE a.test *.b.test ");
	auto_answer struct answer two = client_get(&nobody, "/names");
	assert_true(answer_is(&two, 200, ""));
	auto_answer struct answer three = client_get(&plain, "/names");
	assert_true(answer_is(&three, 200, ""));
	dismiss(&parties);
}

static void a_client_may_have_to_show_who_it_is(void **state)
{
	struct lab *lab = *state;
	struct parties parties = invite(lab, true);
	auto_client struct client alice = client_open_as(lab, &parties.alice);
	auto_client struct client nobody = client_open_as(lab, &parties.nobody);
	auto_client struct client mallory =
		client_open_as(lab, &parties.mallory);
	auto_answer struct answer answer = client_get(&alice, "/client");

	assert_true(answer_is(&answer, 200, "CN=alice"));
	client_say(&nobody, "GET /client HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(client_hears_alert(&nobody, "certificate required"));
	client_say(&mallory, "GET /client HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(client_hears_alert(&mallory, "unknown ca"));
	dismiss(&parties);
}

static void other_authorities_are_read_again_too(void **state)
{
	struct lab *lab = *state;
	struct parties parties = invite(lab, true);
	struct err e;

	assert_int_equal(rename(lab_file(lab, "others.pem"),
				lab->doors[SECURE].client_ca),
			 0);
	assert_int_equal(http_reload(lab->http, lab->doors, &e), 0);
	auto_client struct client alice = client_open_as(lab, &parties.alice);
	assert_true(client_hears_alert(&alice, "unknown ca"));
	auto_client struct client mallory =
		client_open_as(lab, &parties.mallory);
	auto_answer struct answer answer = client_get(&mallory, "/client");
	assert_true(answer_is(&answer, 200, "CN=mallory"));
	dismiss(&parties);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(http_on_the_tls_port_is_told_so),
		promise(a_part_of_a_tls_record_holds_up_nobody),
		promise(a_slow_handshake_is_cut),
		promise(tls_1_2_serves_the_same),
		promise(each_name_is_shown_its_certificate),
		promise(a_chosen_certificate_serves_like_the_first),
		promise(a_reload_is_for_new_connections),
		promise(a_bad_certificate_changes_nothing),
		promise(a_bad_certificate_holds_no_other_back),
		promise(a_reload_may_bring_other_certificates),
		promise(changed_files_are_read_again),
		promise(a_link_to_another_file_is_a_change),
		promise(half_a_pair_changes_nothing_and_is_told_once),
		promise(a_client_may_show_who_it_is),
		promise(a_client_is_who_its_certificate_says),
		promise(a_client_may_have_to_show_who_it_is),
		promise(other_authorities_are_read_again_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
