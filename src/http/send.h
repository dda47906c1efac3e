/*
 * http/send.h: moving a response to the wire, in turns.
 */
#pragma once
#include "http/connection.h"

/* The head is in `sending.text`; says where its body comes from. */
void send_start(struct exchange *);

/*
 * Goes on sending. NEXT_STEP: all is sent, or `cut` is set; otherwise what
 * has to come before the next call. On the home reactor.
 */
enum next send_on(struct connection *);

/* Reads the piece of file that comes next, so that sending does not wait. */
void send_warm(struct exchange *) may_wait;

/*
 * Frames of chunks (RFC 9112, 7.1): for `size` bytes that follow, and the
 * last. Nothing if the response is not chunked.
 */
void send_frame(struct sending *, int64_t size);
void send_last_frame(struct sending *);
