/*
 * http/tls.h: TLS 1.2 and 1.3 of a server, over OpenSSL.
 */
#pragma once
#include <sys/types.h>

#include "base/err.h"
#include "base/span.h"

struct http_certificate;
struct http_door;
struct identity;

/* A certificate and its key, as OpenSSL keeps them; reference counted. */
struct ssl_ctx_st;

/*
 * Reads the files of `certificate`, and the door's authorities. ERR_USAGE
 * naming the file that is wrong, and the remedy.
 */
int tls_context_open(const struct http_certificate *, const struct http_door *,
		     struct identity *, struct ssl_ctx_st **out, struct err *)
	may_wait must_check;
struct ssl_ctx_st *tls_context_keep(struct ssl_ctx_st *);
void tls_context_drop(struct ssl_ctx_st **); /* gives back one reference */
/* Is `host` among the names in the certificate? */
bool tls_context_is_for(const struct ssl_ctx_st *, const char *host);

/* TLS of one connection. Results are those of http/wire.h. */
struct tls;
struct wire;

/* Null if OpenSSL cannot. `wire` must outlive it. */
struct tls *tls_open(struct identity *, struct wire *);
void tls_close(struct tls **);

/* 0 when it is done, or WIRE_…. */
int tls_handshake(struct tls *) must_check;
/*
 * After the handshake: the subject of the client's certificate, which was
 * verified; null if it has none. The caller's.
 */
char *tls_client(const struct tls *);
/* Is that a DNS name in it, or the CN of its subject? */
bool tls_client_is(const struct tls *, const char *name);
/* Something was received that was not read yet. */
bool tls_has_more(const struct tls *);
ssize_t tls_read(struct tls *, void *out, size_t room) must_check;
/* Takes up to TLS_BATCH bytes and sends them as far as it can. */
ssize_t tls_write(struct tls *, struct span) must_check;
int tls_flush(struct tls *) must_check;
/* The last record: nothing follows. */
void tls_say_goodbye(struct tls *);
