/*
 * Promises of http/http.h about addresses, and about more clients than there
 * are descriptors.
 */
#include "http_lab.h"

#include <netdb.h>
#include <stdio.h>
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
		promise(without_descriptors_all_are_served_in_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
