/*
 * base/attr.h: what a declaration promises beyond its type.
 */
#pragma once

/* The result must be looked at: 0 or a value is success, -1 is in the err. */
#define must_check __attribute__((warn_unused_result))

/*
 * The function may block: on a peer, a disk, a long lock. It may not be
 * called on a thread that serves sockets. Read by the lint, and checked at
 * run time by thread_may_wait().
 */
#define may_wait

#define printf_like(text, first) __attribute__((format(printf, text, first)))

#define array_size(array) (sizeof(array) / sizeof((array)[0]))
