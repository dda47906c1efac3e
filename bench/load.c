/*
 * load: asks for one path over and over, on several connections, for a time.
 *
 * usage: load METHOD PORT PATH CONNECTIONS SECONDS [tls]
 *
 * Two threads, each with its share of the connections, read what comes and
 * forget it. TLS is 1.3 with the one cipher, so that every server does the
 * same work. When the time is over, answers under way are read to their end.
 *
 * Prints, in time, the body bytes, the answers and the seconds; then all body
 * bytes and all answers.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 2, TURN = 16 };

static struct sockaddr_in server = { .sin_family = AF_INET };
static char request[1024];
static int request_len;
static bool bodiless; /* HEAD */
static SSL_CTX *tls;
static pthread_barrier_t start;
static atomic_bool over;
static _Atomic int64_t total, answers;

struct peer {
	int fd;
	SSL *ssl; /* null: plain */
	char head[8192];
	size_t used;  /* bytes of the head so far */
	int64_t left; /* of the body; -1: the head is still coming */
};

struct share {
	pthread_t thread;
	struct peer *peers;
	size_t count;
};

static void peer_open(struct peer *peer)
{
	int on = 1;

	peer->ssl = NULL;
	peer->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(peer->fd, (struct sockaddr *)&server, sizeof(server)) < 0)
		err(1, "connect");
	setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (tls) {
		peer->ssl = SSL_new(tls);
		SSL_set_fd(peer->ssl, peer->fd);
		if (SSL_connect(peer->ssl) != 1)
			errx(1, "TLS handshake failed");
	}
	fcntl(peer->fd, F_SETFL, O_NONBLOCK);
}

static void peer_ask(struct peer *peer)
{
	ssize_t sent = peer->ssl ?
			       SSL_write(peer->ssl, request, request_len) :
			       send(peer->fd, request, (size_t)request_len, 0);

	if (sent != request_len)
		errx(1, "a request could not be sent");
	peer->used = 0;
	peer->left = -1;
}

/* 0: nothing more for now. */
static size_t peer_read(struct peer *peer, void *out, size_t room)
{
	ssize_t n = peer->ssl ? SSL_read(peer->ssl, out, (int)room) :
				recv(peer->fd, out, room, 0);

	if (n > 0)
		return (size_t)n;
	if (peer->ssl ?
		    SSL_get_error(peer->ssl, (int)n) != SSL_ERROR_WANT_READ :
		    n == 0 || errno != EAGAIN)
		errx(1, "the connection ended within an answer");
	return 0;
}

/* Of `len` bytes, how many belong to the head. */
static size_t head_take(struct peer *peer, const char *bytes, size_t len)
{
	size_t before = peer->used;
	size_t room = sizeof(peer->head) - 1 - before;
	char *end, *length;

	memcpy(peer->head + before, bytes, len < room ? len : room);
	peer->used += len < room ? len : room;
	peer->head[peer->used] = '\0';
	end = strstr(peer->head, "\r\n\r\n");
	if (!end && len < room)
		return len;
	length = strcasestr(peer->head, "\r\nContent-Length:");
	if (strncmp(peer->head, "HTTP/1.1 200", 12) != 0 || !end || !length ||
	    length > end)
		errx(1, "not a 200 with a length: %.60s", peer->head);
	peer->left = bodiless ? 0 : strtoll(length + 17, NULL, 10);
	return (size_t)(end + 4 - peer->head) - before;
}

/* False when the last answer has come. */
static bool peer_take(struct peer *peer, const char *bytes, size_t len)
{
	if (peer->left < 0) {
		size_t taken = head_take(peer, bytes, len);

		len -= taken;
	}
	if ((int64_t)len > peer->left && peer->left >= 0)
		errx(1, "more than one answer to a request");
	if (peer->left < 0)
		return true;
	peer->left -= (int64_t)len;
	atomic_fetch_add(&total, (int64_t)len);
	if (peer->left > 0)
		return true;
	atomic_fetch_add(&answers, 1);
	if (atomic_load(&over))
		return false;
	peer_ask(peer);
	return true;
}

/* What has come, but only so much, that others have their turn. */
static bool peer_run(struct peer *peer)
{
	static _Thread_local char bytes[256 << 10];

	for (int turn = 0; turn < TURN || (peer->ssl && SSL_pending(peer->ssl));
	     turn++) {
		size_t n = peer_read(peer, bytes, sizeof(bytes));

		if (n == 0)
			return true;
		if (!peer_take(peer, bytes, n))
			return false;
	}
	return true;
}

static void *run_share(void *arg)
{
	struct share *share = arg;
	struct epoll_event events[64];
	int epoll = epoll_create1(0);
	size_t open = share->count;

	for (size_t i = 0; i < share->count; i++) {
		struct epoll_event event = { .events = EPOLLIN,
					     .data.ptr = &share->peers[i] };

		peer_open(&share->peers[i]);
		epoll_ctl(epoll, EPOLL_CTL_ADD, share->peers[i].fd, &event);
	}
	pthread_barrier_wait(&start);
	for (size_t i = 0; i < share->count; i++)
		peer_ask(&share->peers[i]);
	while (open > 0) {
		int n = epoll_wait(epoll, events, 64, -1);

		for (int i = 0; i < n; i++) {
			struct peer *peer = events[i].data.ptr;

			if (peer_run(peer))
				continue;
			close(peer->fd);
			open--;
		}
	}
	return NULL;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void run(size_t connections, double seconds)
{
	struct share shares[THREADS];
	struct timespec rest = { (time_t)seconds,
				 (long)((seconds - (time_t)seconds) * 1e9) };

	pthread_barrier_init(&start, NULL, THREADS + 1);
	for (size_t i = 0; i < THREADS; i++) {
		struct share *share = &shares[i];

		share->count = connections / THREADS;
		share->peers = calloc(share->count, sizeof(*share->peers));
		pthread_create(&share->thread, NULL, run_share, share);
	}
	pthread_barrier_wait(&start);

	double began = now();

	nanosleep(&rest, NULL);

	int64_t bytes_in_time = atomic_load(&total);
	int64_t answers_in_time = atomic_load(&answers);
	double took = now() - began;

	atomic_store(&over, true);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(shares[i].thread, NULL);
	printf("%lld %lld %.6f %lld %lld\n", (long long)bytes_in_time,
	       (long long)answers_in_time, took, (long long)atomic_load(&total),
	       (long long)atomic_load(&answers));
}

int main(int argc, char **argv)
{
	size_t connections;

	if (argc < 6)
		errx(2,
		     "usage: load METHOD PORT PATH CONNECTIONS SECONDS [tls]");
	connections = (size_t)atoi(argv[4]);
	if (connections < THREADS || connections % THREADS)
		errx(2, "the threads share the connections evenly");
	signal(SIGPIPE, SIG_IGN);
	server.sin_port = htons((uint16_t)atoi(argv[2]));
	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	bodiless = !strcmp(argv[1], "HEAD");
	request_len = snprintf(request, sizeof(request),
			       "%s %s HTTP/1.1\r\nHost: bench.test\r\n"
			       "Accept: application/vnd.oci.image."
			       "manifest.v1+json\r\n\r\n",
			       argv[1], argv[3]);
	if (argc > 6) {
		tls = SSL_CTX_new(TLS_client_method());
		SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION);
		SSL_CTX_set_ciphersuites(tls, "TLS_AES_128_GCM_SHA256");
	}
	run(connections, atof(argv[5]));
	return 0;
}
