/*
 * http/records.h: the encrypted side of a TLS connection.
 *
 * What OpenSSL sends goes into a buffer of the thread, or of the connection
 * when the socket is full: a write never has to be repeated in the middle of
 * a record, and several records leave in one system call.
 *
 * Where the kernel has TLS, the socket is offered to it. If it takes over
 * when the handshake is done, what is written to the socket as it is leaves
 * encrypted, and only what is no data comes this way.
 */
#pragma once
#include <stdbool.h>

#include "base/buf.h"

struct bio_st;
struct wire;

struct records {
	struct wire *wire;
	struct bio_st *writer;
	struct buf rest; /* encrypted, not yet taken by the socket */
};

/*
 * For OpenSSL, which owns both: to read from and, maybe the same, to write
 * to. `records` is zeroed, and must stay where it is.
 */
void records_open(struct records *, struct wire *, struct bio_st **reader_out,
		  struct bio_st **writer_out);
/* After OpenSSL is done with it. */
void records_close(struct records *);

/* The handshake is done: has the kernel taken over? */
bool records_settle(struct records *);

/* Results are those of http/wire.h. */
int records_flush(struct records *) must_check;

enum { TLS_BATCH = 64 * 1024 };

/*
 * The calling thread keeps a buffer for sending, until it says otherwise:
 * worth it where many connections are served.
 */
void records_buffer_open(void);
void records_buffer_close(void);
