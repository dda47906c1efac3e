/*
 * push: pushes images that are new each time, several at once, as dockerd,
 * podman and crane do: for each blob HEAD (404), POST, PATCH with a chunked
 * body, PUT; then the manifest by tag. Each image goes to a repository of
 * its own, on a connection of its own, one request after another.
 *
 * usage: push PORT IMAGES LAYERS BYTES AT_ONCE
 *
 * Prints the seconds that all of it took. What a 201 does not answer ends it.
 */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define OCI "application/vnd.oci.image."

static struct sockaddr_in server = { .sin_family = AF_INET };
static int images, layers;
static size_t layer_bytes;
static atomic_int next_image;
static unsigned run; /* so that no repository was there before */

struct client {
	int fd;
	int image;
	char answer[16384];
	char location[1024]; /* of the last answer that had one */
	char manifest[65536];
	size_t used;
};

/* ------------------------------------------------------------------ HTTP */

static void client_open(struct client *client)
{
	int on = 1;

	client->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(client->fd, (struct sockaddr *)&server, sizeof(server)) < 0)
		err(1, "connect");
	setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static void client_send(struct client *client, const void *at, size_t len)
{
	if (send(client->fd, at, len, MSG_NOSIGNAL) != (ssize_t)len)
		err(1, "send");
}

/* A path of the server's, also from a whole URL. */
static void location_keep(struct client *client, const char *at)
{
	const char *host = strstr(at, "://");
	size_t len = strcspn(at, "\r");

	if (host && host < at + len) {
		const char *path = strchr(host + 3, '/');

		len -= (size_t)(path - at);
		at = path;
	}
	if (len >= sizeof(client->location))
		errx(1, "a long Location");
	memcpy(client->location, at, len);
	client->location[len] = '\0';
}

/* Reads an answer to its end. */
static void client_expect(struct client *client, const char *what, int status,
			  int is_head)
{
	char *end = NULL, *at = client->answer, *found;
	size_t n = 0, body = 0;

	while (!end || n < (size_t)(end + 4 - at) + body) {
		ssize_t got = recv(client->fd, at + n,
				   sizeof(client->answer) - 1 - n, 0);
		if (got <= 0)
			errx(1, "%s: the connection ended", what);
		n += (size_t)got;
		at[n] = '\0';
		if (!end && (end = strstr(at, "\r\n\r\n"))) {
			found = strcasestr(at, "\r\nContent-Length:");
			if (found && found < end && !is_head)
				body = strtoul(found + 17, NULL, 10);
		}
	}
	if (atoi(at + 9) != status)
		errx(1, "%s: not %d: %s", what, status, at);
	found = strcasestr(at, "\r\nLocation: ");
	if (found && found < end)
		location_keep(client, found + 12);
}

__attribute__((format(printf, 3, 4))) static void
client_ask(struct client *client, const char *body, const char *format, ...)
{
	char request[4096];
	va_list args;

	va_start(args, format);
	int n = vsnprintf(request, sizeof(request), format, args);
	va_end(args);
	n += snprintf(request + n, sizeof(request) - (size_t)n,
		      " HTTP/1.1\r\nHost: bench.test\r\n%s", body);
	client_send(client, request, (size_t)n);
}

/* ---------------------------------------------------------------- pushing */

static void digest_of(const void *at, size_t len, char *out)
{
	unsigned char hash[SHA256_DIGEST_LENGTH];

	SHA256(at, len, hash);
	out += sprintf(out, "sha256:");
	for (size_t i = 0; i < sizeof(hash); i++)
		out += sprintf(out, "%02x", hash[i]);
}

static void blob_send(struct client *client, const void *bytes, size_t len)
{
	char head[32];
	int n = snprintf(head, sizeof(head), "%zx\r\n", len);

	client_send(client, head, (size_t)n);
	client_send(client, bytes, len);
	client_send(client, "\r\n0\r\n\r\n", 7);
}

static void blob_push(struct client *client, const void *bytes, size_t len,
		      char *digest)
{
	digest_of(bytes, len, digest);
	client_ask(client, "\r\n", "HEAD /v2/bench/push%u-%d/blobs/%s", run,
		   client->image, digest);
	client_expect(client, "HEAD", 404, 1);
	client_ask(client, "Content-Length: 0\r\n\r\n",
		   "POST /v2/bench/push%u-%d/blobs/uploads/", run,
		   client->image);
	client_expect(client, "POST", 202, 0);
	client_ask(client,
		   "Content-Type: application/octet-stream\r\n"
		   "Transfer-Encoding: chunked\r\n\r\n",
		   "PATCH %s", client->location);
	blob_send(client, bytes, len);
	client_expect(client, "PATCH", 202, 0);
	client_ask(client, "Content-Length: 0\r\n\r\n", "PUT %s%cdigest=%s",
		   client->location, strchr(client->location, '?') ? '&' : '?',
		   digest);
	client_expect(client, "PUT", 201, 0);
}

__attribute__((format(printf, 2, 3))) static void
manifest_add(struct client *client, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	client->used += (size_t)vsnprintf(
		client->manifest + client->used,
		sizeof(client->manifest) - client->used, format, args);
	va_end(args);
	if (client->used >= sizeof(client->manifest))
		errx(1, "too many layers");
}

static void manifest_push(struct client *client)
{
	char head[128];

	snprintf(head, sizeof(head),
		 "Content-Type: " OCI "manifest.v1+json\r\n"
		 "Content-Length: %zu\r\n\r\n",
		 client->used);
	client_ask(client, head, "PUT /v2/bench/push%u-%d/manifests/latest",
		   run, client->image);
	client_send(client, client->manifest, client->used);
	client_expect(client, "PUT manifest", 201, 0);
}

static void image_push(struct client *client, char *layer)
{
	char digest[80], config[128];
	int n = snprintf(config, sizeof(config),
			 "{\"architecture\":\"amd64\",\"os\":\"linux\","
			 "\"run\":%u,\"image\":%d}",
			 run, client->image);

	client_open(client);
	blob_push(client, config, (size_t)n, digest);
	client->used = 0;
	manifest_add(client,
		     "{\"schemaVersion\":2,\"mediaType\":\"" OCI
		     "manifest.v1+json\",\"config\":{\"mediaType\":\"" OCI
		     "config.v1+json\",\"size\":%d,\"digest\":\"%s\"},"
		     "\"layers\":[",
		     n, digest);
	for (int i = 0; i < layers; i++) {
		/* 12 random bytes make all of it new. */
		if (getrandom(layer, 12, 0) != 12)
			err(1, "getrandom");
		blob_push(client, layer, layer_bytes, digest);
		manifest_add(client,
			     "%s{\"mediaType\":\"" OCI
			     "layer.v1.tar\",\"size\":%zu,\"digest\":\"%s\"}",
			     i ? "," : "", layer_bytes, digest);
	}
	manifest_add(client, "]}");
	manifest_push(client);
	close(client->fd);
}

static void *push_on(void *unused)
{
	struct client *client = calloc(1, sizeof(*client));
	char *layer = malloc(layer_bytes);

	if (!client || !layer ||
	    getrandom(layer, layer_bytes, 0) != (ssize_t)layer_bytes)
		err(1, "memory");
	while ((client->image = next_image++) < images)
		image_push(client, layer);
	free(layer);
	free(client);
	return unused;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	pthread_t threads[256];

	if (argc != 6)
		errx(2, "usage: push PORT IMAGES LAYERS BYTES AT_ONCE");
	server.sin_port = htons((uint16_t)atoi(argv[1]));
	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	images = atoi(argv[2]);
	layers = atoi(argv[3]);
	layer_bytes = strtoul(argv[4], NULL, 10);
	int at_once = atoi(argv[5]);
	if (at_once < 1 || at_once > 256 || layer_bytes < 12)
		errx(2, "from 1 to 256 at once, layers of 12 bytes or more");
	if (getrandom(&run, sizeof(run), 0) != sizeof(run))
		err(1, "getrandom");

	double began = now();

	for (int i = 0; i < at_once; i++)
		pthread_create(&threads[i], NULL, push_on, NULL);
	for (int i = 0; i < at_once; i++)
		pthread_join(threads[i], NULL);
	printf("%.6f\n", now() - began);
	return 0;
}
