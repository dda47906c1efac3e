/*
 * http/listener.h: listening sockets, and how accepted connections come to
 * their reactors.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct reactor;

/* Sockets that somebody else has opened; -1: it is taken. */
struct passed {
	int *sockets;
	size_t count;
};

struct listener {
	int fd;
	unsigned port;
	bool passed; /* others have it, too: it is for them to shut it down */
};

/*
 * A listening socket on just the address of "host:port" or "[v6]:port", or on
 * ":port" (every address of this host, IPv4 and IPv6): the one that was passed
 * for it, or else a new one. -1: ERR_USAGE with the address and the remedy.
 */
int listener_open(const char *address, struct passed *, struct listener *out,
		  struct err *) may_wait must_check;

/* ERR_USAGE with the address of one that nobody has taken. */
int listener_none_left(const struct passed *, struct err *) must_check;

/* Every reactor accepts on every door. */
void porches_open(struct reactor *);
void porches_close(struct reactor *);
/* Out of descriptors, a reactor accepts nothing for a moment. */
void porches_reopen(struct reactor *);
