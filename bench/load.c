/*
 * load: reads one path over and over, on several connections, for a time.
 *
 * usage: load PORT PATH CONNECTIONS SECONDS [tls]
 *
 * Each connection is a thread that waits in recv and forgets what it read.
 * TLS is 1.3 with the one cipher, so that every server does the same work.
 * When the time is over, bodies under way are read to their end.
 *
 * Prints the body bytes read in time, the seconds, and all body bytes read.
 */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_in server = { .sin_family = AF_INET };
static const char *path;
static SSL_CTX *tls;
static pthread_barrier_t start;
static atomic_bool over;
static _Atomic int64_t total;

struct peer {
	int fd;
	SSL *ssl; /* null: plain */
};

static void peer_open(struct peer *peer)
{
	peer->ssl = NULL;
	peer->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(peer->fd, (struct sockaddr *)&server, sizeof(server)) < 0)
		err(1, "connect");
	if (!tls)
		return;
	peer->ssl = SSL_new(tls);
	SSL_set_fd(peer->ssl, peer->fd);
	if (SSL_connect(peer->ssl) != 1)
		errx(1, "TLS handshake failed");
}

static size_t peer_read(struct peer *peer, void *out, size_t room)
{
	ssize_t n = peer->ssl ? SSL_read(peer->ssl, out, (int)room) :
				recv(peer->fd, out, room, 0);

	if (n <= 0)
		errx(1, "the connection ended within a response");
	return (size_t)n;
}

static void peer_ask(struct peer *peer)
{
	char head[1024];
	int n = snprintf(head, sizeof(head),
			 "GET %s HTTP/1.1\r\nHost: bench\r\n\r\n", path);
	ssize_t sent = peer->ssl ? SSL_write(peer->ssl, head, n) :
				   send(peer->fd, head, (size_t)n, 0);

	if (sent != n)
		errx(1, "a request could not be sent");
}

/* Reads the head of a response; what is still to come of its body. */
static int64_t peer_head(struct peer *peer)
{
	char head[8192], *end = NULL, *length;
	size_t n = 0;
	int64_t size;

	while (!end) {
		if (n == sizeof(head) - 1)
			errx(1, "the response has no end of a head");
		n += peer_read(peer, head + n, sizeof(head) - 1 - n);
		head[n] = '\0';
		end = strstr(head, "\r\n\r\n");
	}
	length = strcasestr(head, "\r\nContent-Length:");
	if (strncmp(head, "HTTP/1.1 200", 12) != 0 || !length || length > end)
		errx(1, "not a 200 with a length: %.60s", head);
	size = strtoll(length + 17, NULL, 10);
	size_t early = (size_t)(head + n - (end + 4));

	atomic_fetch_add(&total, (int64_t)early);
	return size - (int64_t)early;
}

static void *read_on(void *unused)
{
	struct peer peer;
	char bytes[256 << 10];

	peer_open(&peer);
	pthread_barrier_wait(&start);
	while (!atomic_load(&over)) {
		peer_ask(&peer);
		for (int64_t left = peer_head(&peer), n; left > 0; left -= n) {
			size_t room = sizeof(bytes);

			if (left < (int64_t)room)
				room = (size_t)left;
			n = (int64_t)peer_read(&peer, bytes, room);
			atomic_fetch_add(&total, n);
		}
	}
	close(peer.fd);
	return unused;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void run(size_t connections, double seconds)
{
	pthread_t threads[256];
	struct timespec rest = { (time_t)seconds,
				 (long)((seconds - (time_t)seconds) * 1e9) };

	pthread_barrier_init(&start, NULL, (unsigned)connections + 1);
	for (size_t i = 0; i < connections; i++)
		pthread_create(&threads[i], NULL, read_on, NULL);
	pthread_barrier_wait(&start);

	double began = now();

	nanosleep(&rest, NULL);

	int64_t in_time = atomic_load(&total);
	double took = now() - began;

	atomic_store(&over, true);
	for (size_t i = 0; i < connections; i++)
		pthread_join(threads[i], NULL);
	printf("%lld %.6f %lld\n", (long long)in_time, took,
	       (long long)atomic_load(&total));
}

int main(int argc, char **argv)
{
	size_t connections;

	if (argc < 5)
		errx(2, "usage: load PORT PATH CONNECTIONS SECONDS [tls]");
	connections = (size_t)atoi(argv[3]);
	if (connections < 1 || connections > 256)
		errx(2, "from 1 to 256 connections");
	signal(SIGPIPE, SIG_IGN);
	server.sin_port = htons((uint16_t)atoi(argv[1]));
	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	path = argv[2];
	if (argc > 5) {
		tls = SSL_CTX_new(TLS_client_method());
		SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION);
		SSL_CTX_set_ciphersuites(tls, "TLS_AES_128_GCM_SHA256");
	}
	run(connections, atof(argv[4]));
	return 0;
}
