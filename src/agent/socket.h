/*
 * agent/socket.h: asks a daemon of this host, at its socket.
 */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "base/thread.h"

enum { SOCKET_MOST = 1024 * 1024 }; /* bytes of an answer */

/*
 * GET of a path, within 3 s; the body is added to `out`. ERR_UPSTREAM: it does
 * not answer 200; ERR_TOO_LARGE: it tells more than SOCKET_MOST.
 */
int socket_ask(const char *socket, const char *path, struct buf *out,
	       struct err *) may_wait must_check;
