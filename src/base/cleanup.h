/*
 * base/cleanup.h: what a scope opened, it closes.
 *
 *	auto_free char *text = mem_text("x");
 *	auto_fd int fd = io_open(…);
 *	return steal_fd(&fd);
 */
#pragma once
#include <stdlib.h>
#include <unistd.h>

#define auto_with(fn) __attribute__((cleanup(fn)))

static inline void auto_free_end(void *pointer)
{
	free(*(void **)pointer);
}

static inline void auto_fd_end(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define auto_free auto_with(auto_free_end)
#define auto_fd auto_with(auto_fd_end)

/*
 * After DEFINE_AUTO(store, store_close) an `auto_of(store) struct store *s` is
 * closed at the end of its scope.
 */
#define DEFINE_AUTO(type, fn)                                      \
	static inline void auto_##type##_end(struct type **object) \
	{                                                          \
		if (*object)                                       \
			fn(object);                                \
	}

#define auto_of(type) auto_with(auto_##type##_end)

#define steal_ptr(pointer)                                  \
	({                                                  \
		__typeof__(*(pointer)) taken_ = *(pointer); \
		*(pointer) = NULL;                          \
		taken_;                                     \
	})

static inline int steal_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}
