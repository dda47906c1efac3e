/*
 * A file that holds nothing but room. The database needs some to be opened:
 * on a full disk the ballast goes overboard, and the start succeeds. So does
 * it when the end of a failed commit could not be noted otherwise. It is taken
 * in again behind that commit, or at a later start, if there is room for it.
 */
#include "base/io.h"
#include "store/inside.h"

#define BALLAST_BYTES (1024 * 1024)

static const char ballast[] = "ballast";

static int ballast_fill(int data, struct err *e)
{
	int64_t size;
	auto_fd int fd = io_open_at(data, ballast, O_WRONLY | O_CREAT, e);

	if (fd < 0 || io_size(fd, &size, e) < 0)
		return -1;
	if (size == BALLAST_BYTES)
		return 0;
	return posix_fallocate(fd, 0, BALLAST_BYTES) == 0 ? 0 : -1;
}

void ballast_take(int data)
{
	struct err ignored;

	if (ballast_fill(data, &ignored) < 0)
		ballast_drop(data);
}

void ballast_drop(int data)
{
	struct err ignored;

	never_mind(io_unlink_at(data, ballast, &ignored));
}
