/*
 * Promises of cluster/srv.h against a name server: in a network of this test's
 * own, where it is the one that the system asks. That takes root.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/thread.h"
#include "cluster/srv.h"

#define NAME "_registry._tcp.lan"

enum { HEAD = 12, QUESTION = HEAD + sizeof("\x9_registry\4_tcp\3lan") + 4 };

/* What the server says to whatever it is asked. */
struct lab {
	struct thread thread;
	int fd; /* of the server; -1: there is none */
	int code;
	const char *records;
	size_t len;
	int count;
};

/* ------------------------------------------------------------- the machinery
 */

static bool is_alone; /* in a network and with mounts of its own */

static bool bring_up_loopback(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	bool up = ioctl(fd, SIOCSIFFLAGS, &request) == 0;

	close(fd);
	return up;
}

static bool replace_resolver(void)
{
	char path[] = "/tmp/resolv-XXXXXX";
	static const char text[] = "nameserver 127.0.0.1\n";
	int fd = mkstemp(path);
	bool replaced = write(fd, text, strlen(text)) > 0 &&
			mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
			mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL) ==
				0;

	close(fd);
	unlink(path);
	return replaced;
}

static void answer(void *arg)
{
	const struct lab *lab = arg;
	struct sockaddr_in peer;
	socklen_t peer_len = sizeof(peer);
	unsigned char text[512];

	/* A datagram of nobody ends it. */
	for (;;) {
		ssize_t got = recvfrom(lab->fd, text, sizeof(text), 0,
				       (struct sockaddr *)&peer, &peer_len);

		if (got < QUESTION)
			return;
		text[2] |= 0x84;
		text[3] = (unsigned char)lab->code;
		memset(text + 6, 0, HEAD - 6);
		text[7] = (unsigned char)lab->count;
		memcpy(text + QUESTION, lab->records, lab->len);
		sendto(lab->fd, text, QUESTION + lab->len, 0,
		       (struct sockaddr *)&peer, peer_len);
	}
}

static struct sockaddr_in address(void)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(53),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

static void serve(struct lab *lab)
{
	struct sockaddr_in here = address();

	lab->fd = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(bind(lab->fd, (struct sockaddr *)&here, sizeof(here)),
			 0);
	thread_start(&lab->thread, "name-server", answer, lab);
}

static void stop(struct lab *lab)
{
	struct sockaddr_in there = address();
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	sendto(fd, "", 0, 0, (struct sockaddr *)&there, sizeof(there));
	close(fd);
	thread_join(&lab->thread);
	close(lab->fd);
}

static int find(struct lab *lab, struct srv_list *list, struct err *e)
{
	if (!is_alone)
		skip();
	serve(lab);
	int failed = srv_find(NAME, list, e);
	stop(lab);
	return failed;
}

/* ------------------------------------------------------------------ promises
 */

static void a_service_is_found(void **state)
{
	static const char records[] =
		"\xc0\x0c\0\x21\0\1\0\0\0\x3c\0\x0d\0\2\0\1\x13\x88\1b\3lan\0"
		"\xc0\x0c\0\x21\0\1\0\0\0\x3c\0\x0d\0\1\0\1\x01\xbb\1a\3lan\0";
	struct lab lab = { .records = records,
			   .len = sizeof(records) - 1,
			   .count = 2 };
	struct srv_list list;
	struct err e;

	(void)state;
	if (find(&lab, &list, &e) < 0)
		fail_msg("%s", e.message);
	assert_int_equal(list.count, 2);
	assert_string_equal(list.targets[0].host, "a.lan");
	assert_int_equal(list.targets[0].port, 443);
	assert_string_equal(list.targets[1].host, "b.lan");
}

static void a_name_that_nobody_has_is_no_failure(void **state)
{
	struct lab lab = { .code = 3, .records = "" };
	struct srv_list list;
	struct err e;

	(void)state;
	assert_int_equal(find(&lab, &list, &e), 0);
	assert_int_equal(list.count, 0);
}

static void a_server_that_cannot_say_is_one(void **state)
{
	struct lab lab = { .code = 2, .records = "" };
	struct srv_list list;
	struct err e;

	(void)state;
	assert_int_equal(find(&lab, &list, &e), -1);
	assert_int_equal(e.kind, ERR_UNAVAILABLE);
	assert_non_null(strstr(e.message, NAME));
}

static void so_is_one_that_is_not_there(void **state)
{
	struct srv_list list;
	struct err e;

	(void)state;
	if (!is_alone)
		skip();
	assert_int_equal(srv_find(NAME, &list, &e), -1);
	assert_int_equal(e.kind, ERR_UNAVAILABLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_service_is_found),
		cmocka_unit_test(a_name_that_nobody_has_is_no_failure),
		cmocka_unit_test(a_server_that_cannot_say_is_one),
		cmocka_unit_test(so_is_one_that_is_not_there),
	};

	is_alone = unshare(CLONE_NEWNET | CLONE_NEWNS) == 0 &&
		   bring_up_loopback() && replace_resolver();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
