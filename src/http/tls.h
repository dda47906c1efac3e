/*
 * http/tls.h: TLS 1.2 and 1.3 of a server, over OpenSSL.
 *
 * What OpenSSL sends goes into a buffer of the thread, or of the connection
 * when the socket is full: a write never has to be repeated in the middle of
 * a record, and several records leave in one system call.
 */
#pragma once
#include <sys/types.h>

#include "base/err.h"
#include "base/span.h"

/* A certificate and its key; may be replaced while connections are open. */
struct tls_identity;

/* ERR_USAGE naming the file that is wrong, and the remedy. */
int tls_identity_open(const char *certificate, const char *key,
		      struct tls_identity **out, struct err *)
	may_wait must_check;
/* Reads both files again. On an error the old ones stay. */
int tls_identity_reload(struct tls_identity *, struct err *)
	may_wait must_check;
void tls_identity_close(struct tls_identity **);

/* TLS of one connection. Results are those of http/wire.h. */
struct tls;
struct wire;

/* Null if OpenSSL cannot. `wire` must outlive it. */
struct tls *tls_open(struct tls_identity *, struct wire *);
void tls_close(struct tls **);

/* 0 when it is done, or WIRE_…. */
int tls_handshake(struct tls *) must_check;
/* Something was received that was not read yet. */
bool tls_has_more(const struct tls *);
ssize_t tls_read(struct tls *, void *out, size_t room) must_check;
/* Takes up to TLS_BATCH bytes and sends them as far as it can. */
ssize_t tls_write(struct tls *, struct span) must_check;
int tls_flush(struct tls *) must_check;
/* The last record: nothing follows. */
void tls_say_goodbye(struct tls *);

enum { TLS_BATCH = 64 * 1024 };

/*
 * The calling thread keeps a buffer for sending, until it says otherwise:
 * worth it where many connections are served.
 */
void tls_buffer_open(void);
void tls_buffer_close(void);
