/*
 * http/listener.h: listening sockets, and how accepted connections come to
 * their reactors.
 */
#pragma once
#include "base/err.h"

struct reactor;

/*
 * A listening socket on just the address of "host:port" or "[v6]:port", or on
 * ":port" (every address of this host, IPv4 and IPv6); -1: ERR_USAGE with the
 * address and the remedy.
 */
int listener_open(const char *address, unsigned *port_out, struct err *)
	may_wait must_check;

/* Every reactor accepts on every door. */
void porches_open(struct reactor *);
void porches_close(struct reactor *);
/* Out of descriptors, a reactor accepts nothing for a moment. */
void porches_reopen(struct reactor *);
