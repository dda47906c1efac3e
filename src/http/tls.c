/*
 * OpenSSL, for connections that live on reactors: it never waits, and its
 * bytes come and go through http/records.h.
 */
#include "http/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/thread.h"
#include "http/http.h"
#include "http/identity.h"
#include "http/records.h"
#include "http/wire.h"

struct tls {
	SSL *ssl;
	struct records records;
};

/* ------------------------------------------------------------ contexts */

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

/* The client names the server that it means. */
static int choose_certificate(SSL *ssl, int *alert, void *arg)
{
	const char *host = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	SSL_CTX *context = identity_take(arg, host);

	(void)alert;
	SSL_set_SSL_CTX(ssl, context);
	SSL_CTX_free(context);
	return SSL_TLSEXT_ERR_OK;
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
					     SSL_OP_ENABLE_KTLS |
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

static int wrong(const char *what, const char *file, struct err *e)
{
	char reason[128];
	const char *text = ERR_reason_error_string(ERR_peek_error());

	span_copy(span_of(text ? text : "unusable"), reason, sizeof(reason));
	ERR_clear_error();
	return err_set(e, ERR_USAGE, "%s %s: %s", what, file, reason);
}

static int load_certificate(SSL_CTX *context,
			    const struct http_certificate *from, struct err *e)
{
	if (!from->key)
		return err_set(e, ERR_USAGE,
			       "certificate %s needs a key: name its PEM file",
			       from->certificate);
	if (SSL_CTX_use_certificate_chain_file(context, from->certificate) != 1)
		return wrong("give a PEM file with the certificate and its "
			     "chain as certificate, not",
			     from->certificate, e);
	if (SSL_CTX_use_PrivateKey_file(context, from->key, SSL_FILETYPE_PEM) !=
	    1)
		return wrong("give a PEM file with the private key of the "
			     "certificate as key, not",
			     from->key, e);
	return 0;
}

static int load_authorities(SSL_CTX *context, const struct http_door *door,
			    struct err *e)
{
	int mode = SSL_VERIFY_PEER;

	if (!door->client_ca)
		return 0;
	STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(door->client_ca);
	if (!names || SSL_CTX_load_verify_file(context, door->client_ca) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return wrong("give a PEM file with the authorities of clients "
			     "as client_ca, not",
			     door->client_ca, e);
	}
	SSL_CTX_set_client_CA_list(context, names);
	if (door->client_required)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(context, mode, NULL);
	return 0;
}

int tls_context_open(const struct http_certificate *certificate,
		     const struct http_door *door, struct identity *identity,
		     SSL_CTX **out, struct err *e)
{
	SSL_CTX *context = context_open();

	thread_may_wait("tls_context_open");
	ERR_clear_error();
	if (load_certificate(context, certificate, e) < 0 ||
	    load_authorities(context, door, e) < 0) {
		SSL_CTX_free(context);
		return -1;
	}
	if (door->certificate_count > 1) {
		SSL_CTX_set_tlsext_servername_callback(context,
						       choose_certificate);
		SSL_CTX_set_tlsext_servername_arg(context, identity);
	}
	*out = context;
	return 0;
}

SSL_CTX *tls_context_keep(SSL_CTX *context)
{
	SSL_CTX_up_ref(context);
	return context;
}

void tls_context_drop(SSL_CTX **pointer)
{
	SSL_CTX_free(steal_ptr(pointer));
}

bool tls_context_is_for(const SSL_CTX *context, const char *host)
{
	return X509_check_host(SSL_CTX_get0_certificate(context), host, 0, 0,
			       NULL) == 1;
}

/* ------------------------------------------------------------ connections */

struct tls *tls_open(struct identity *identity, struct wire *wire)
{
	SSL_CTX *context = identity_take(identity, NULL);
	SSL *ssl = SSL_new(context);
	BIO *reader, *writer;

	SSL_CTX_free(context);
	if (!ssl)
		return NULL;
	struct tls *tls = mem_alloc(sizeof(*tls));
	tls->ssl = ssl;
	records_open(&tls->records, wire, &reader, &writer);
	SSL_set_bio(ssl, reader, writer);
	SSL_set_accept_state(ssl);
	return tls;
}

void tls_close(struct tls **pointer)
{
	struct tls *tls = steal_ptr(pointer);

	SSL_free(tls->ssl);
	records_close(&tls->records);
	free(tls);
}

int tls_flush(struct tls *tls)
{
	return records_flush(&tls->records);
}

/* What a call that did not succeed means. */
static ssize_t outcome(struct tls *tls, int result)
{
	int error = SSL_get_error(tls->ssl, result);

	ERR_clear_error();
	if (tls_flush(tls) == WIRE_GONE) /* an alert, a key update */
		return WIRE_GONE;
	if (error == SSL_ERROR_WANT_WRITE) /* below, the kernel has TLS */
		tls->records.wire->writable = false;
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
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
	tls->records.wire->seals = !records_settle(&tls->records);
	return tls_flush(tls) == WIRE_GONE ? WIRE_GONE : 0;
}

char *tls_client(const struct tls *tls)
{
	X509 *certificate = SSL_get0_peer_certificate(tls->ssl);
	BIO *text = BIO_new(BIO_s_mem());
	char *name = NULL;
	char *at;

	if (certificate && text &&
	    X509_NAME_print_ex(text, X509_get_subject_name(certificate), 0,
			       XN_FLAG_RFC2253) >= 0) {
		long len = BIO_get_mem_data(text, &at);
		name = mem_alloc((size_t)len + 1);
		memcpy(name, at, (size_t)len);
	}
	BIO_free(text);
	return name;
}

bool tls_client_is(const struct tls *tls, const char *name)
{
	enum {
		EXACTLY = X509_CHECK_FLAG_NO_WILDCARDS |
			  X509_CHECK_FLAG_ALWAYS_CHECK_SUBJECT
	};
	X509 *certificate = SSL_get0_peer_certificate(tls->ssl);

	/* To OpenSSL ".a.test" is every name that ends so. */
	return certificate && name[0] != '.' &&
	       X509_check_host(certificate, name, 0, EXACTLY, NULL) == 1;
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
	int busy = tls_flush(tls);

	if (busy)
		return busy;
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
