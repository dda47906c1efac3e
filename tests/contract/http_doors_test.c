/*
 * Promises of http/http.h about addresses, and about more clients than there
 * are descriptors.
 */
#include "http_lab.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

/* A connection to the plain door at this address, or -1. */
static int reach(struct lab *lab, const char *host)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST,
				  .ai_socktype = SOCK_STREAM };
	struct addrinfo *to;
	char port[8];

	snprintf(port, sizeof(port), "%u", http_port(lab->http, PLAIN));
	assert_int_equal(getaddrinfo(host, port, &hints, &to), 0);
	int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, to->ai_addr, to->ai_addrlen) < 0) {
		close(fd);
		fd = -1;
	}
	freeaddrinfo(to);
	return fd;
}

static bool answers(struct lab *lab, const char *host)
{
	auto_client struct client client = { .fd = reach(lab, host) };

	if (client.fd < 0)
		return false;
	auto_answer struct answer answer = client_get(&client, "/small");
	return answer_is(&answer, 200, "small");
}

static void listen_at(struct lab *lab, const char *address)
{
	lab->doors[PLAIN].address = address;
	lab_reopen(lab, &(struct http_options){ 0 });
}

static void a_door_without_a_host_is_for_ipv4_and_ipv6(void **state)
{
	static const struct {
		const char *host, *shown;
	} cases[] = {
		{ "127.0.0.1", "127.0.0.1:" },
		{ "::1", "[::1]:" },
		{ "::ffff:127.0.0.1", "127.0.0.1:" },
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		auto_client struct client client = {
			.fd = reach(*state, cases[i].host)
		};
		assert_true(client.fd >= 0);
		auto_answer struct answer answer = client_get(&client, "/peer");
		assert_true(
			span_starts(buf_span(&answer.body), cases[i].shown));
	}
}

static void a_door_with_an_address_is_for_that_alone(void **state)
{
	static const struct {
		const char *address, *in, *out;
	} cases[] = {
		{ "127.0.0.1:0", "127.0.0.1", "127.0.0.2" },
		{ "0.0.0.0:0", "127.0.0.2", "::1" },
		{ "[::1]:0", "::1", "127.0.0.1" },
		{ "[::]:0", "::1", "127.0.0.1" },
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		listen_at(*state, cases[i].address);
		assert_true(answers(*state, cases[i].in));
		assert_false(answers(*state, cases[i].out));
	}
}

/* --------------------------------------------------------- passed sockets */

/* A socket that listens on a free port; "host:port" goes to `text`. */
static int listening(const char *host, char text[64])
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(inet_pton(AF_INET, host, &address.sin_addr), 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	snprintf(text, 64, "%s:%u", host, ntohs(address.sin_port));
	return fd;
}

static void reopen_with(struct lab *lab, int passed)
{
	lab_reopen(lab, &(struct http_options){ .sockets = &passed,
						.socket_count = 1 });
}

static void who_comes_between_two_servers_waits_for_the_next(void **state)
{
	struct lab *lab = *state;
	char address[64];
	auto_fd int kept = listening("127.0.0.1", address);

	lab->doors[PLAIN].address = address;
	reopen_with(lab, dup(kept));
	assert_true(answers(lab, "127.0.0.1"));

	http_drain(lab->http, PATIENCE_MS);
	auto_client struct client early = { .fd = reach(lab, "127.0.0.1") };
	assert_true(early.fd >= 0);
	client_say(&early, "GET /small HTTP/1.1\r\nHost: lab\r\n\r\n");

	reopen_with(lab, dup(kept));
	auto_answer struct answer answer = client_answer(&early, false);
	assert_true(answer_is(&answer, 200, "small"));
}

static void a_socket_for_no_door_is_refused(void **state)
{
	struct lab *lab = *state;
	char address[64];
	int passed = listening("127.0.0.2", address);
	struct http_options options = {
		.doors = lab->doors,
		.door_count = 1,
		.sockets = &passed,
		.socket_count = 1,
	};
	struct http *http;
	struct err e;

	lab->doors[PLAIN].address = "127.0.0.1:0";
	assert_int_equal(http_open(&options, &http, &e), -1);
	assert_int_equal(e.kind, ERR_USAGE);
	assert_non_null(strstr(e.message, address));
}

/* ----------------------------------------------------------------- health */

static void a_reactor_that_is_stuck_is_noticed(void **state)
{
	struct lab *lab = *state;
	auto_client struct client client = client_open(lab, PLAIN);

	assert_true(http_answers(lab->http, PATIENCE_MS));
	client_say(&client, "GET /stuck HTTP/1.1\r\nHost: lab\r\n\r\n");
	lab_await_holding(lab, 1);
	assert_false(http_answers(lab->http, 50));

	lab_release(lab);
	auto_answer struct answer answer = client_answer(&client, false);
	assert_true(answer_is(&answer, 200, "held!"));
	assert_true(http_answers(lab->http, PATIENCE_MS));
}

/* ------------------------------------------------------------ descriptors */

enum { FEW = 100 };

static rlim_t limit_descriptors(rlim_t count)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	rlim_t before = limit.rlim_cur;
	limit.rlim_cur = count;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return before;
}

/* Descriptors of this process, so that no more than `FEW` are left. */
static unsigned take_descriptors(int *taken, unsigned room)
{
	unsigned count = 0;

	while (count < room && (taken[count] = dup(STDIN_FILENO)) >= 0)
		count++;
	for (unsigned i = 0; i < FEW && count > 0; i++)
		close(taken[--count]);
	return count;
}

/*
 * Both ends of each connection are ours, so the clients have theirs before the
 * server can take them.
 */
static void without_descriptors_all_are_served_in_the_end(void **state)
{
	enum { ROOM = 2000, CROWD = FEW - 10 };
	auto_free int *taken = mem_array(ROOM, sizeof(*taken));
	struct client crowd[CROWD];
	rlim_t before = limit_descriptors(1000);
	auto_client struct client first = client_open(*state, PLAIN);
	auto_answer struct answer hello = client_get(&first, "/small");
	unsigned count = take_descriptors(taken, ROOM);

	assert_true(answer_is(&hello, 200, "small"));
	for (int i = 0; i < CROWD; i++)
		crowd[i] = client_make();
	for (int i = 0; i < CROWD; i++)
		client_connect(&crowd[i], *state, PLAIN);
	auto_answer struct answer still = client_get(&first, "/small");
	assert_true(answer_is(&still, 200, "small"));
	while (count > 0)
		close(taken[--count]);
	for (int i = 0; i < CROWD; i++) {
		auto_answer struct answer answer =
			client_get(&crowd[i], "/small");
		assert_true(answer_is(&answer, 200, "small"));
		client_close(&crowd[i]);
	}
	limit_descriptors(before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(a_door_without_a_host_is_for_ipv4_and_ipv6),
		promise(a_door_with_an_address_is_for_that_alone),
		promise(who_comes_between_two_servers_waits_for_the_next),
		promise(a_socket_for_no_door_is_refused),
		promise(a_reactor_that_is_stuck_is_noticed),
		promise(without_descriptors_all_are_served_in_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
