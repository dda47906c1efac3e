/*
 * cli/systemd.h: what a service manager passes, and what it wants to hear:
 * the protocols of sd_listen_fds(3) and sd_notify(3).
 */
#pragma once
#include <stddef.h>

/*
 * Sockets that listen, opened before this process was; at most `room` of
 * them. Returns how many; 0 where nobody passes any. They are the caller's.
 */
size_t systemd_sockets(int *out, size_t room);

/* "READY=1", "STOPPING=1". Nothing happens where nobody listens. */
void systemd_tell(const char *state);
