/*
 * One thread, one poll() over the listener and its connections.
 */
#include "fake_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"

#define CONNECTIONS 16
#define REQUESTS 256
#define HEAD_MAX 32768
#define DRIP "X: y\r\n"
#define DRIP_MS 20

struct answer {
	char *text;
	enum fake_then then;
};

struct connection {
	int fd; /* -1: free */
	char head[HEAD_MAX];
	size_t len;
	bool drips;
};

struct fake_server {
	struct thread thread;
	int listener;
	int stop; /* eventfd */
	char url[64];
	struct connection connections[CONNECTIONS];

	pthread_mutex_t mutex; /* for all below */
	pthread_cond_t asked;
	struct answer answers[REQUESTS];
	size_t answer_count;
	char *requests[REQUESTS];
	size_t request_count;
	size_t connection_count;
};

static void demand(bool promise)
{
	if (!promise)
		abort();
}

/* Keeps the request and finds its answer. */
static struct answer next_answer(struct fake_server *server, const char *head)
{
	static char unexpected[] = "HTTP/1.1 599 Unexpected\r\n"
				   "Content-Length: 0\r\n\r\n";

	hold_mutex(&server->mutex);
	demand(server->request_count < REQUESTS);
	size_t index = server->request_count++;
	server->requests[index] = mem_text(head);
	pthread_cond_broadcast(&server->asked);
	if (index < server->answer_count)
		return server->answers[index];
	return (struct answer){ .text = unexpected };
}

static void hang_up(struct connection *connection)
{
	close(connection->fd);
	*connection = (struct connection){ .fd = -1 };
}

/* The peer may be gone already; it is the test that decides what that means. */
static void send_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t sent = send(fd, text, len, MSG_NOSIGNAL);

		if (sent <= 0)
			return;
		text += sent;
		len -= (size_t)sent;
	}
}

/* Of the request at the start, with its body; 0 if it is not all there. */
static size_t request_length(const struct connection *connection)
{
	static const char header[] = "\r\nContent-Length:";
	const char *end = strstr(connection->head, "\r\n\r\n");
	const char *length = strcasestr(connection->head, header);

	if (!end)
		return 0;
	size_t len = (size_t)(end - connection->head) + 4;
	if (length && length < end)
		len += (size_t)strtoul(length + strlen(header), NULL, 10);
	return len <= connection->len ? len : 0;
}

static void answer_one(struct fake_server *server,
		       struct connection *connection)
{
	size_t used = request_length(connection);
	if (used == 0)
		return;
	char next = connection->head[used];
	connection->head[used] = '\0';
	struct answer answer = next_answer(server, connection->head);

	connection->head[used] = next;
	connection->len -= used;
	memmove(connection->head, connection->head + used, connection->len + 1);
	send_all(connection->fd, answer.text, strlen(answer.text));
	connection->drips = answer.then == FAKE_DRIP;
	if (answer.then == FAKE_CUT)
		hang_up(connection);
}

static void read_some(struct fake_server *server, struct connection *connection)
{
	char *at = connection->head + connection->len;
	size_t room = HEAD_MAX - 1 - connection->len;
	ssize_t got = recv(connection->fd, at, room, 0);

	if (got <= 0) {
		hang_up(connection);
		return;
	}
	connection->len += (size_t)got;
	connection->head[connection->len] = '\0';
	answer_one(server, connection);
}

static void take_connection(struct fake_server *server)
{
	int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);

	demand(fd >= 0);
	for (size_t i = 0; i < CONNECTIONS; i++) {
		if (server->connections[i].fd >= 0)
			continue;
		server->connections[i].fd = fd;
		hold_mutex(&server->mutex);
		server->connection_count++;
		return;
	}
	demand(false);
}

/* Milliseconds until it has to be called again; -1: it need not be. */
static int drip(struct fake_server *server)
{
	int again_ms = -1;

	for (size_t i = 0; i < CONNECTIONS; i++) {
		if (!server->connections[i].drips)
			continue;
		send_all(server->connections[i].fd, DRIP, strlen(DRIP));
		again_ms = DRIP_MS;
	}
	return again_ms;
}

static void serve(void *arg)
{
	struct fake_server *server = arg;
	struct pollfd fds[CONNECTIONS + 2];

	for (;;) {
		for (size_t i = 0; i < CONNECTIONS; i++)
			fds[i] = (struct pollfd){ server->connections[i].fd,
						  POLLIN, 0 };
		fds[CONNECTIONS] =
			(struct pollfd){ server->listener, POLLIN, 0 };
		fds[CONNECTIONS + 1] =
			(struct pollfd){ server->stop, POLLIN, 0 };
		demand(poll(fds, CONNECTIONS + 2, drip(server)) >= 0);
		if (fds[CONNECTIONS + 1].revents)
			return;
		for (size_t i = 0; i < CONNECTIONS; i++)
			if (fds[i].revents)
				read_some(server, &server->connections[i]);
		if (fds[CONNECTIONS].revents)
			take_connection(server);
	}
}

struct fake_server *fake_open(const char *address)
{
	struct fake_server *server = mem_alloc(sizeof(*server));
	struct sockaddr_in name = { .sin_family = AF_INET };
	socklen_t len = sizeof(name);

	inet_pton(AF_INET, address, &name.sin_addr);
	server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	server->stop = eventfd(0, EFD_CLOEXEC);
	demand(bind(server->listener, (struct sockaddr *)&name, len) == 0 &&
	       listen(server->listener, CONNECTIONS) == 0 &&
	       getsockname(server->listener, (struct sockaddr *)&name, &len) ==
		       0);
	snprintf(server->url, sizeof(server->url), "http://%s:%u", address,
		 ntohs(name.sin_port));
	for (size_t i = 0; i < CONNECTIONS; i++)
		server->connections[i].fd = -1;
	pthread_mutex_init(&server->mutex, NULL);
	cond_open(&server->asked);
	thread_start(&server->thread, "fake-server", serve, server);
	return server;
}

void fake_close(struct fake_server **at)
{
	struct fake_server *server = steal_ptr(at);

	if (!server)
		return;
	demand(eventfd_write(server->stop, 1) == 0);
	thread_join(&server->thread);
	for (size_t i = 0; i < CONNECTIONS; i++)
		if (server->connections[i].fd >= 0)
			close(server->connections[i].fd);
	for (size_t i = 0; i < server->answer_count; i++)
		free(server->answers[i].text);
	for (size_t i = 0; i < server->request_count; i++)
		free(server->requests[i]);
	close(server->listener);
	close(server->stop);
	pthread_cond_destroy(&server->asked);
	pthread_mutex_destroy(&server->mutex);
	free(server);
}

const char *fake_url(const struct fake_server *server)
{
	return server->url;
}

void fake_answer(struct fake_server *server, enum fake_then then,
		 const char *format, ...)
{
	struct buf text = { 0 };
	va_list args;

	va_start(args, format);
	buf_vaddf(&text, format, args);
	va_end(args);
	hold_mutex(&server->mutex);
	demand(server->answer_count < REQUESTS);
	server->answers[server->answer_count++] = (struct answer){
		text.at ? text.at : mem_text(""),
		then,
	};
}

size_t fake_request_count(struct fake_server *server)
{
	hold_mutex(&server->mutex);
	return server->request_count;
}

size_t fake_connection_count(struct fake_server *server)
{
	hold_mutex(&server->mutex);
	return server->connection_count;
}

const char *fake_request(struct fake_server *server, size_t index)
{
	hold_mutex(&server->mutex);
	return index < server->request_count ? server->requests[index] : "";
}

void fake_wait(struct fake_server *server, size_t count)
{
	int64_t deadline = clock_ms() + 10000;

	hold_mutex(&server->mutex);
	while (server->request_count < count)
		if (!cond_wait_until(&server->asked, &server->mutex, deadline))
			return;
}
