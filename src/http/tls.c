/*
 * OpenSSL reads and writes through a BIO of ours. Reading, it is told to try
 * again when the socket is known to be empty, which saves a system call a
 * request. Writing, it never hears that the socket is full: records gather
 * in the thread's buffer, and what the socket does not take of them is kept
 * by the connection as `rest` until it does.
 */
#include "http/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/thread.h"
#include "http/wire.h"

/* A batch as records: each of 16 KiB at most, with its frame. */
enum { BUFFER_ROOM = TLS_BATCH + 4 * 256 };

struct buffer {
	size_t len;
	char at[BUFFER_ROOM];
};

/*
 * Of whichever connection OpenSSL is at work for: empty between any two calls
 * from outside, so whatever may have written must flush.
 */
static _Thread_local struct buffer *buffer;

struct tls_identity {
	const char *certificate;
	const char *key;
	pthread_mutex_t lock; /* guards `context` */
	SSL_CTX *context;
};

struct tls {
	SSL *ssl;
	struct wire *wire;
	struct buf rest; /* encrypted, not yet taken by the socket */
};

void tls_buffer_open(void)
{
	buffer = mem_alloc(sizeof(*buffer));
}

void tls_buffer_close(void)
{
	free(steal_ptr(&buffer));
}

/* ------------------------------------------------------------ our BIO */

static int bio_write(BIO *bio, const char *bytes, int len)
{
	struct tls *tls = BIO_get_data(bio);
	size_t size = (size_t)len;

	if (buffer && tls->rest.len == 0 && size <= BUFFER_ROOM - buffer->len) {
		memcpy(buffer->at + buffer->len, bytes, size);
		buffer->len += size;
		return len;
	}
	if (buffer) {
		buf_add(&tls->rest, span_make(buffer->at, buffer->len));
		buffer->len = 0;
	}
	buf_add(&tls->rest, span_make(bytes, size));
	return len;
}

static int bio_read(BIO *bio, char *out, int room)
{
	struct tls *tls = BIO_get_data(bio);
	ssize_t n = wire_receive(tls->wire, out, (size_t)room);

	BIO_clear_retry_flags(bio);
	if (n == WIRE_WAIT)
		BIO_set_retry_read(bio);
	return n < 0 ? -1 : (int)n;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
	(void)bio, (void)number, (void)pointer;
	return command == BIO_CTRL_FLUSH; /* we flush after each call */
}

/* One for all, made at first use and never released. */
static BIO_METHOD *bio_method;

static void bio_method_make(void)
{
	bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK,
				  "wire");
	BIO_meth_set_write(bio_method, bio_write);
	BIO_meth_set_read(bio_method, bio_read);
	BIO_meth_set_ctrl(bio_method, bio_control);
}

static BIO *bio_open(struct tls *tls)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, bio_method_make);
	BIO *bio = BIO_new(bio_method);
	if (bio) {
		BIO_set_data(bio, tls);
		BIO_set_init(bio, 1);
	}
	return bio;
}

/* ------------------------------------------------------------ identities */

static int choose_protocol(SSL *ssl, const unsigned char **out,
			   unsigned char *out_len, const unsigned char *offered,
			   unsigned offered_len, void *arg)
{
	static const unsigned char http[] = "\x08http/1.1";
	unsigned char *chosen;

	(void)ssl, (void)arg;
	if (SSL_select_next_proto(&chosen, out_len, http, sizeof(http) - 1,
				  offered,
				  offered_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_NOACK;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* An encrypted key is refused; without this OpenSSL asks at the terminal. */
static int no_password(char *out, int room, int writing, void *arg)
{
	(void)out, (void)room, (void)writing, (void)arg;
	return 0;
}

static SSL_CTX *context_open(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());

	if (!context)
		abort();
	SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
	SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE |
					     SSL_OP_NO_RENEGOTIATION |
					     SSL_OP_NO_COMPRESSION |
					     SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS |
					  SSL_MODE_ENABLE_PARTIAL_WRITE |
					  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20");
	SSL_CTX_set_read_ahead(context, 1);
	/* Sessions are kept by clients, in tickets. */
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(context, 1);
	SSL_CTX_set_session_id_context(context, (const void *)"http", 4);
	SSL_CTX_set_default_passwd_cb(context, no_password);
	SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
	return context;
}

static int context_wrong(SSL_CTX *context, struct err *e, const char *what,
			 const char *file)
{
	char reason[128];
	const char *text = ERR_reason_error_string(ERR_peek_error());

	span_copy(span_of(text ? text : "unusable"), reason, sizeof(reason));
	ERR_clear_error();
	SSL_CTX_free(context);
	return err_set(e, ERR_USAGE, "%s %s: %s", what, file, reason);
}

static int context_load(const struct tls_identity *identity, SSL_CTX **out,
			struct err *e)
{
	SSL_CTX *context = context_open();

	thread_may_wait("tls_identity_open");
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(context,
					       identity->certificate) != 1)
		return context_wrong(context, e,
				     "give a PEM file with the certificate and "
				     "its chain as certificate, not",
				     identity->certificate);
	if (SSL_CTX_use_PrivateKey_file(context, identity->key,
					SSL_FILETYPE_PEM) != 1)
		return context_wrong(context, e,
				     "give a PEM file with the private key of "
				     "the certificate as key, not",
				     identity->key);
	*out = context;
	return 0;
}

int tls_identity_open(const char *certificate, const char *key,
		      struct tls_identity **out, struct err *e)
{
	struct tls_identity identity = { .certificate = certificate,
					 .key = key };

	if (!key)
		return err_set(e, ERR_USAGE,
			       "certificate %s needs a key: name its PEM file",
			       certificate);
	if (context_load(&identity, &identity.context, e) < 0)
		return -1;
	pthread_mutex_init(&identity.lock, NULL);
	*out = mem_alloc(sizeof(identity));
	**out = identity;
	return 0;
}

int tls_identity_reload(struct tls_identity *identity, struct err *e)
{
	SSL_CTX *context;

	if (context_load(identity, &context, e) < 0)
		return -1;
	pthread_mutex_lock(&identity->lock);
	SSL_CTX *old = identity->context;
	identity->context = context;
	pthread_mutex_unlock(&identity->lock);
	SSL_CTX_free(old);
	return 0;
}

void tls_identity_close(struct tls_identity **pointer)
{
	struct tls_identity *identity = steal_ptr(pointer);

	if (!identity)
		return;
	SSL_CTX_free(identity->context);
	pthread_mutex_destroy(&identity->lock);
	free(identity);
}

/* ------------------------------------------------------------ connections */

static SSL *ssl_open(struct tls_identity *identity)
{
	hold_mutex(&identity->lock);
	return SSL_new(identity->context);
}

struct tls *tls_open(struct tls_identity *identity, struct wire *wire)
{
	SSL *ssl = ssl_open(identity);

	if (!ssl)
		return NULL;
	struct tls *tls = mem_alloc(sizeof(*tls));
	BIO *bio = bio_open(tls);
	if (!bio)
		abort();
	tls->ssl = ssl;
	tls->wire = wire;
	SSL_set_bio(ssl, bio, bio);
	SSL_set_accept_state(ssl);
	return tls;
}

void tls_close(struct tls **pointer)
{
	struct tls *tls = steal_ptr(pointer);

	SSL_free(tls->ssl);
	buf_free(&tls->rest);
	free(tls);
}

/* Sends from `bytes` what the socket takes; how much, or WIRE_GONE. */
static ssize_t push(struct tls *tls, struct span bytes)
{
	size_t sent = 0;

	while (sent < bytes.len) {
		ssize_t n = wire_send(tls->wire, span_from(bytes, sent), false);
		if (n == WIRE_GONE)
			return n;
		if (n == WIRE_WAIT)
			break;
		sent += (size_t)n;
	}
	return (ssize_t)sent;
}

static int flush_rest(struct tls *tls)
{
	ssize_t n = push(tls, buf_span(&tls->rest));

	if (n < 0)
		return (int)n;
	tls->rest.len -= (size_t)n;
	if (tls->rest.len > 0) {
		memmove(tls->rest.at, tls->rest.at + n, tls->rest.len);
		return WIRE_WAIT;
	}
	buf_free(&tls->rest);
	return 0;
}

/* Slow clients are many: not a byte more than it takes. */
static void keep(struct tls *tls, struct span bytes)
{
	tls->rest.room = bytes.len + 1;
	tls->rest.at = mem_alloc(tls->rest.room);
	buf_add(&tls->rest, bytes);
}

int tls_flush(struct tls *tls)
{
	if (tls->rest.len > 0)
		return flush_rest(tls);
	if (!buffer || buffer->len == 0)
		return 0;
	struct span bytes = span_make(buffer->at, buffer->len);
	ssize_t n = push(tls, bytes);
	buffer->len = 0;
	if (n < 0)
		return (int)n;
	if ((size_t)n == bytes.len)
		return 0;
	keep(tls, span_from(bytes, (size_t)n));
	return WIRE_WAIT;
}

/* What a call that did not succeed means. */
static ssize_t outcome(struct tls *tls, int result)
{
	int error = SSL_get_error(tls->ssl, result);

	ERR_clear_error();
	if (tls_flush(tls) == WIRE_GONE) /* an alert, a key update */
		return WIRE_GONE;
	if (error == SSL_ERROR_WANT_READ)
		return WIRE_WAIT;
	return error == SSL_ERROR_ZERO_RETURN ? 0 : WIRE_GONE;
}

int tls_handshake(struct tls *tls)
{
	int result = SSL_do_handshake(tls->ssl);

	if (result != 1) {
		ssize_t error = outcome(tls, result);
		return error == WIRE_WAIT ? WIRE_WAIT : WIRE_GONE;
	}
	return tls_flush(tls) == WIRE_GONE ? WIRE_GONE : 0;
}

bool tls_has_more(const struct tls *tls)
{
	return SSL_has_pending(tls->ssl) == 1;
}

ssize_t tls_read(struct tls *tls, void *out, size_t room)
{
	int most = room < INT32_MAX ? (int)room : INT32_MAX;
	int n = SSL_read(tls->ssl, out, most);

	if (n <= 0)
		return outcome(tls, n);
	return tls_flush(tls) == WIRE_GONE ? WIRE_GONE : n;
}

ssize_t tls_write(struct tls *tls, struct span bytes)
{
	size_t taken = 0;

	if (tls->rest.len > 0) {
		int busy = flush_rest(tls);
		if (busy)
			return busy;
	}
	if (bytes.len > TLS_BATCH)
		bytes.len = TLS_BATCH;
	while (taken < bytes.len) {
		struct span rest = span_from(bytes, taken);
		int n = SSL_write(tls->ssl, rest.at, (int)rest.len);
		if (n <= 0)
			return outcome(tls, n) == WIRE_WAIT ? WIRE_WAIT :
							      WIRE_GONE;
		taken += (size_t)n;
	}
	return tls_flush(tls) == WIRE_GONE ? WIRE_GONE : (ssize_t)taken;
}

void tls_say_goodbye(struct tls *tls)
{
	SSL_shutdown(tls->ssl);
	ERR_clear_error();
	if (tls_flush(tls) != 0)
		return; /* full or gone: the FIN must do */
}
