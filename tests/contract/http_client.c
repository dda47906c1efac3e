/*
 * Clients of http_lab.h: blocking sockets with a deadline, with or without
 * TLS.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_lab.h"

static void secure(struct client *client, const struct client_as *who)
{
	static SSL_CTX *context;

	if (!context)
		context = SSL_CTX_new(TLS_client_method());
	SSL *ssl = client->ssl = SSL_new(context);
	SSL_set_fd(ssl, client->fd);
	SSL_set_max_proto_version(ssl, who->version);
	if (who->host)
		SSL_set_tlsext_host_name(ssl, who->host);
	if (who->certificate) {
		assert_int_equal(SSL_use_certificate_file(ssl, who->certificate,
							  SSL_FILETYPE_PEM),
				 1);
		assert_int_equal(SSL_use_PrivateKey_file(ssl, who->key,
							 SSL_FILETYPE_PEM),
				 1);
	}
	assert_int_equal(SSL_connect(ssl), 1);
}

struct client client_make(void)
{
	struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
	struct client client = { .fd = socket(AF_INET,
					      SOCK_STREAM | SOCK_CLOEXEC, 0) };

	signal(SIGPIPE, SIG_IGN);
	setsockopt(client.fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
		   sizeof(patience));
	setsockopt(client.fd, SOL_SOCKET, SO_SNDTIMEO, &patience,
		   sizeof(patience));
	assert_true(client.fd >= 0);
	return client;
}

void client_connect(const struct client *client, struct lab *lab, unsigned door)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)http_port(lab->http, door)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};

	assert_int_equal(connect(client->fd, (void *)&address, sizeof(address)),
			 0);
}

struct client client_open_raw(struct lab *lab, unsigned door)
{
	struct client client = client_make();

	client_connect(&client, lab, door);
	return client;
}

struct client client_open(struct lab *lab, unsigned door)
{
	struct client client = client_open_raw(lab, door);

	if (door == SECURE)
		secure(&client, &(struct client_as){ 0 });
	return client;
}

struct client client_open_as(struct lab *lab, const struct client_as *who)
{
	struct client client = client_open_raw(lab, SECURE);

	secure(&client, who);
	return client;
}

void client_close(struct client *client)
{
	SSL_free(client->ssl);
	buf_free(&client->in);
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
}

size_t client_send(struct client *client, const char *bytes, size_t size)
{
	size_t sent = 0;

	while (sent < size) {
		int most = size - sent < 65536 ? (int)(size - sent) : 65536;
		ssize_t n = client->ssl ?
				    SSL_write(client->ssl, bytes + sent, most) :
				    send(client->fd, bytes + sent, (size_t)most,
					 MSG_NOSIGNAL);
		if (n <= 0)
			break;
		sent += (size_t)n;
	}
	return sent;
}

void client_say(struct client *client, const char *format, ...)
{
	auto_buf struct buf text = { 0 };
	va_list args;

	va_start(args, format);
	buf_vaddf(&text, format, args);
	va_end(args);
	assert_int_equal(client_send(client, text.at, text.len), text.len);
}

/* More of it: bytes, 0 at the end, -1 after a reset or when it is silent. */
static ssize_t receive(struct client *client)
{
	char piece[65536];
	ssize_t n = client->ssl ? SSL_read(client->ssl, piece, sizeof(piece)) :
				  recv(client->fd, piece, sizeof(piece), 0);

	if (n > 0)
		buf_add(&client->in, span_make(piece, (size_t)n));
	return n;
}

bool client_receives(struct client *client, size_t count)
{
	while (client->in.len < count)
		if (receive(client) <= 0)
			return false;
	return true;
}

bool client_sees_fin(struct client *client)
{
	ssize_t n;

	do
		n = receive(client);
	while (n > 0);
	return client->ssl ? errno != ECONNRESET : n == 0;
}

static struct span take(struct client *client, size_t count, struct buf *out)
{
	size_t start = out->len;

	if (count > client->in.len)
		count = client->in.len;
	buf_add(out, span_make(client->in.at, count));
	client->in.len -= count;
	memmove(client->in.at, client->in.at + count, client->in.len);
	return span_make(out->at + start, count);
}

/* Up to and with `end`; empty if that does not come. */
static struct span take_until(struct client *client, const char *end,
			      struct buf *out)
{
	for (;;) {
		const char *at = client->in.len ?
					 memmem(client->in.at, client->in.len,
						end, strlen(end)) :
					 NULL;
		if (at)
			return take(client,
				    (size_t)(at - client->in.at) + strlen(end),
				    out);
		if (receive(client) <= 0)
			return SPAN("");
	}
}

static bool take_chunks(struct client *client, struct buf *body)
{
	for (;;) {
		auto_buf struct buf frame = { 0 };
		struct span line = take_until(client, "\r\n", &frame);
		size_t size = strtoul(line.len ? line.at : "", NULL, 16);

		if (line.len == 0 || !client_receives(client, size + 2))
			return false;
		take(client, size, body);
		assert_true(span_is(take(client, 2, &frame), "\r\n"));
		if (size == 0)
			return true;
	}
}

static bool take_body(struct client *client, struct answer *answer)
{
	struct span length = answer_header(answer, "Content-Length");
	bool whole = true;

	if (answer_header(answer, "Transfer-Encoding").at)
		return take_chunks(client, &answer->body);
	size_t size = length.at ? (size_t)span_decimal(length) : 0;
	if (length.at)
		whole = client_receives(client, size);
	else if (answer->status >= 200 && answer->status != 204)
		size = client_sees_fin(client) ? SIZE_MAX : 0;
	take(client, size, &answer->body);
	return whole;
}

struct answer client_answer(struct client *client, bool head)
{
	struct answer answer = { 0 };
	struct span text = take_until(client, "\r\n\r\n", &answer.head);

	if (!span_starts(text, "HTTP/1.1 "))
		return answer;
	answer.status = atoi(text.at + strlen("HTTP/1.1 "));
	answer.whole = head || take_body(client, &answer);
	return answer;
}

void answer_free(struct answer *answer)
{
	buf_free(&answer->head);
	buf_free(&answer->body);
}

struct answer client_get(struct client *client, const char *path)
{
	client_say(client, "GET %s HTTP/1.1\r\nHost: lab\r\n\r\n", path);
	return client_answer(client, false);
}

void client_peer_name(struct client *client, char *out, size_t room)
{
	X509 *certificate = SSL_get1_peer_certificate(client->ssl);

	X509_NAME_get_text_by_NID(X509_get_subject_name(certificate),
				  NID_commonName, out, (int)room);
	X509_free(certificate);
}

bool client_hears_alert(struct client *client, const char *reason)
{
	char byte;

	ERR_clear_error();
	if (SSL_read(client->ssl, &byte, 1) > 0)
		return false;
	const char *heard = ERR_reason_error_string(ERR_peek_error());
	return heard && strstr(heard, reason);
}

struct span answer_header(const struct answer *answer, const char *name)
{
	struct span rest = buf_span(&answer->head);

	while (rest.at) {
		struct span value = span_cut(&rest, '\n');
		struct span key = span_cut(&value, ':');

		if (!value.at || !span_is_nocase(key, name))
			continue;
		value.len--; /* its CR */
		return span_trim(value);
	}
	return SPAN_NONE;
}

bool answer_is(const struct answer *answer, int status, const char *body)
{
	return answer->whole && answer->status == status &&
	       span_is(buf_span(&answer->body), body);
}

bool answer_is_pattern(const struct answer *answer, size_t size)
{
	if (answer->body.len != size)
		return false;
	for (size_t i = 0; i < size; i++)
		if (answer->body.at[i] != pattern(i))
			return false;
	return true;
}
