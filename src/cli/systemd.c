/*
 * By hand: libsystemd would bring four libraries of compression and
 * cryptography along, for two variables and one datagram.
 */
#include "cli/systemd.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"

enum { FIRST = 3 }; /* SD_LISTEN_FDS_START */

/* They are meant for the process of that number alone. */
size_t systemd_sockets(int *out, size_t room)
{
	const char *pid = getenv("LISTEN_PID");
	const char *passed = getenv("LISTEN_FDS");

	if (!pid || !passed || strtol(pid, NULL, 10) != getpid())
		return 0;
	size_t count = strtoul(passed, NULL, 10);
	if (count > room)
		count = room;
	for (size_t i = 0; i < count; i++)
		out[i] = FIRST + (int)i;
	return count;
}

void systemd_tell(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = path ? strlen(path) : 0;

	if (len == 0 || len > sizeof(to.sun_path))
		return;
	auto_fd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	memcpy(to.sun_path, path, len);
	if (to.sun_path[0] == '@') /* a name that is in no directory */
		to.sun_path[0] = '\0';
	sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to,
	       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
}
