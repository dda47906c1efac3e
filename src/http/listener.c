/*
 * The kernel wakes one reactor for a new connection (EPOLLEXCLUSIVE); that
 * one accepts it and gives it to the reactor that has the fewest.
 */
#include "http/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "http/connection.h"
#include "http/server.h"

enum { BACKLOG = 4096, CLOSED_MS = 100, AT_ONCE = 64 };

/* ------------------------------------------------------------ listening */

/* "host:port" into both; an empty host stays empty. */
static bool split(const char *address, char *host, size_t room,
		  const char **port_out)
{
	struct span whole = span_of(address);
	ptrdiff_t colon = span_find_last(whole, ':');

	if (colon < 0)
		return false;
	struct span name = span_make(address, (size_t)colon);
	if (span_starts(name, "[") && span_ends(name, "]"))
		name = span_make(name.at + 1, name.len - 2);
	else if (span_find(name, ':') >= 0)
		return false;
	*port_out = address + colon + 1;
	return **port_out && span_copy(name, host, room);
}

/* All addresses of this host. */
static const char *anywhere(void)
{
	auto_fd int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0 ? "::" : "0.0.0.0";
}

static int resolve(const char *address, struct addrinfo **out, struct err *e)
{
	struct addrinfo hints = {
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
	};
	char host[256];
	const char *port;

	if (!split(address, host, sizeof(host), &port))
		return err_set(e, ERR_USAGE,
			       "listen address %s: write HOST:PORT, "
			       "[IPV6]:PORT or :PORT",
			       address);
	int status = getaddrinfo(*host ? host : anywhere(), port, &hints, out);
	if (status)
		return err_set(e, ERR_USAGE,
			       "listen address %s: %s; write an address of "
			       "this host and a port",
			       address, gai_strerror(status));
	return 0;
}

static int bind_failed(const char *address, struct err *e)
{
	switch (errno) {
	case EADDRINUSE:
		return err_set(e, ERR_USAGE,
			       "listen address %s is in use: stop the other "
			       "program or choose another port",
			       address);
	case EACCES:
		return err_set(e, ERR_USAGE,
			       "listen address %s needs root: choose a port "
			       "above 1023",
			       address);
	case EADDRNOTAVAIL:
		return err_set(e, ERR_USAGE,
			       "listen address %s is not an address of this "
			       "host: choose one that is",
			       address);
	default:
		return err_sys(e, "listen address %s", address);
	}
}

static unsigned bound_port(int fd)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	const struct sockaddr_in *v4 = (const void *)&address;
	const struct sockaddr_in6 *v6 = (const void *)&address;

	if (getsockname(fd, (void *)&address, &len) < 0)
		return 0;
	return ntohs(address.ss_family == AF_INET ? v4->sin_port :
						    v6->sin6_port);
}

/* Accepted sockets inherit all of these. */
static void set_options(int fd)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{ SOL_SOCKET, SO_REUSEADDR, 1 },
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
		/* Who waits for a file to grow may have lost its network. */
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, 60 },
		{ IPPROTO_TCP, TCP_KEEPINTVL, 15 },
		{ IPPROTO_TCP, TCP_KEEPCNT, 4 },
	};

	for (size_t i = 0; i < array_size(options); i++)
		setsockopt(fd, options[i].level, options[i].name,
			   &options[i].value, sizeof(options[i].value));
}

/* `address` without a host is IPv4 and IPv6 on one socket. */
static int listen_on(const struct addrinfo *info, const char *address,
		     struct err *e)
{
	int one_family = *address != ':';
	auto_fd int fd = socket(info->ai_family,
				SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_sys(e, "listen address %s", address);
	set_options(fd);
	if (info->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one_family,
			   sizeof(one_family));
	if (bind(fd, info->ai_addr, info->ai_addrlen) < 0 ||
	    listen(fd, BACKLOG) < 0)
		return bind_failed(address, e);
	return steal_fd(&fd);
}

/* ------------------------------------------------------- passed sockets */

/* "[::]:5000" */
struct place {
	char text[NI_MAXHOST + NI_MAXSERV];
};

static struct place place_of(const struct sockaddr *address, socklen_t len)
{
	struct place place = { "?" };
	char host[NI_MAXHOST], port[NI_MAXSERV];

	if (getnameinfo(address, len, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV) == 0)
		snprintf(place.text, sizeof(place.text),
			 address->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s",
			 host, port);
	return place;
}

static struct place bound_place(int fd)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &len) < 0)
		return (struct place){ "?" };
	return place_of((struct sockaddr *)&address, len);
}

/* The place of the first that is bound there; null: none is. */
static int *find_passed(struct passed *passed, const struct addrinfo *info)
{
	struct place wanted = place_of(info->ai_addr, info->ai_addrlen);

	for (size_t i = 0; i < passed->count; i++)
		if (passed->sockets[i] >= 0 &&
		    strcmp(bound_place(passed->sockets[i]).text, wanted.text) ==
			    0)
			return &passed->sockets[i];
	return NULL;
}

static int take(int *passed, const char *address, struct err *e)
{
	auto_fd int fd = steal_fd(passed);

	set_options(fd);
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || listen(fd, BACKLOG) < 0)
		return err_sys(e, "the socket that was passed for %s", address);
	return steal_fd(&fd);
}

int listener_none_left(const struct passed *passed, struct err *e)
{
	for (size_t i = 0; i < passed->count; i++)
		if (passed->sockets[i] >= 0)
			return err_set(e, ERR_USAGE,
				       "a socket was passed for %.100s, where "
				       "nothing listens: add that to listen, "
				       "or pass none",
				       bound_place(passed->sockets[i]).text);
	return 0;
}

int listener_open(const char *address, struct passed *passed,
		  struct listener *out, struct err *e)
{
	struct addrinfo *info;

	thread_may_wait("listener_open");
	if (resolve(address, &info, e) < 0)
		return -1;
	int *found = find_passed(passed, info);
	out->passed = found != NULL;
	out->fd = found ? take(found, address, e) : listen_on(info, address, e);
	freeaddrinfo(info);
	if (out->fd < 0)
		return -1;
	out->port = bound_port(out->fd);
	return 0;
}

/* ------------------------------------------------------------ accepting */

/* The least busy; `self` when there are equals. It counts from now on. */
static struct reactor *place(struct reactor *self)
{
	struct http *http = self->http;
	struct reactor *best = self;

	hold_mutex(&http->lock);
	for (unsigned i = 0; i < http->reactor_count; i++)
		if (http->reactors[i].connections < best->connections)
			best = &http->reactors[i];
	best->connections++;
	return best;
}

static bool is_full(const struct http *http)
{
	unsigned count = 0;

	for (unsigned i = 0; i < http->reactor_count; i++)
		count += http->reactors[i].connections;
	return count >= http->most;
}

/* Who has been idle for longest makes room. */
static void make_room(struct reactor *r)
{
	enum { SPARED_MS = 1000 }; /* its next request may be on its way */
	struct link *idle = &r->waiting[TIMEOUT_IDLE];
	int64_t due_ms =
		r->now_ms + r->http->timeouts_ms[TIMEOUT_IDLE] - SPARED_MS;

	for (int i = 0; i < AT_ONCE && !list_is_empty(idle); i++) {
		struct connection *c =
			container_of(idle->next, struct connection, link);
		if (c->due_ms > due_ms)
			return;
		connection_close(&c);
	}
}

static void out_of_descriptors(struct reactor *r)
{
	static _Atomic int64_t said_ms;
	int64_t last = said_ms;

	make_room(r);
	porches_close(r);
	r->closed_until_ms = r->now_ms + CLOSED_MS;
	if (last && r->now_ms - last < 60 * 1000)
		return;
	if (atomic_compare_exchange_strong(&said_ms, &last, r->now_ms))
		log_say(LOG_WARN, "accept",
			"no descriptors left: new connections wait; raise "
			"the limit of open files");
}

static void accept_failed(struct reactor *r)
{
	if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
	    errno == ENOBUFS)
		out_of_descriptors(r);
}

static void porch_ready(struct source *source, uint32_t events)
{
	struct porch *porch = container_of(source, struct porch, source);
	struct reactor *r = porch->reactor;
	struct sockaddr_storage address;

	(void)events;
	if (is_full(r->http))
		return out_of_descriptors(r);
	for (int i = 0; i < AT_ONCE && !is_full(r->http); i++) {
		socklen_t len = sizeof(address);
		int fd = accept4(porch->door->listener.fd, (void *)&address,
				 &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return accept_failed(r);
		struct reactor *home = place(r);
		struct connection *c =
			connection_open(fd, &address, porch->door, home);
		if (home == r)
			connection_run(c);
		else
			reactor_give(home, c);
	}
}

static void each_porch(struct reactor *r, int operation)
{
	for (size_t i = 0; i < r->http->options.door_count; i++) {
		struct epoll_event event = {
			.events = EPOLLIN | EPOLLEXCLUSIVE,
			.data.ptr = &r->porches[i].source,
		};
		epoll_ctl(r->epoll, operation, r->http->doors[i].listener.fd,
			  &event);
	}
}

void porches_open(struct reactor *r)
{
	size_t count = r->http->options.door_count;

	r->porches = mem_array(count, sizeof(*r->porches));
	for (size_t i = 0; i < count; i++)
		r->porches[i] = (struct porch){
			.source.ready = porch_ready,
			.reactor = r,
			.door = &r->http->doors[i],
		};
	each_porch(r, EPOLL_CTL_ADD);
}

void porches_close(struct reactor *r)
{
	each_porch(r, EPOLL_CTL_DEL);
}

void porches_reopen(struct reactor *r)
{
	if (r->closed_until_ms == 0 || r->now_ms < r->closed_until_ms)
		return;
	r->closed_until_ms = 0;
	if (!r->drained)
		each_porch(r, EPOLL_CTL_ADD);
}
