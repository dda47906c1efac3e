/*
 * A BIO of ours. Reading, it tells OpenSSL to try again when the socket is
 * known to be empty, which saves a system call a request. Writing, it never
 * says that the socket is full: records gather in the thread's buffer, and
 * what the socket does not take of them is kept by the connection as `rest`.
 *
 * The kernel is offered the socket by a second BIO below ours, OpenSSL's own,
 * which alone knows how to hand keys over: whatever OpenSSL wants to know of
 * the BIO it writes to is asked there.
 */
#include "http/records.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/bio.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "base/mem.h"
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

void records_buffer_open(void)
{
	buffer = mem_alloc(sizeof(*buffer));
}

void records_buffer_close(void)
{
	free(steal_ptr(&buffer));
}

/* ------------------------------------------------------------ flushing */

/* Sends from `bytes` what the socket takes; how much, or WIRE_GONE. */
static ssize_t push(struct records *r, struct span bytes)
{
	size_t sent = 0;

	while (sent < bytes.len) {
		ssize_t n = wire_send(r->wire, span_from(bytes, sent), false);
		if (n == WIRE_GONE)
			return n;
		if (n == WIRE_WAIT)
			break;
		sent += (size_t)n;
	}
	return (ssize_t)sent;
}

static int flush_rest(struct records *r)
{
	ssize_t n = push(r, buf_span(&r->rest));

	if (n < 0)
		return (int)n;
	r->rest.len -= (size_t)n;
	if (r->rest.len > 0) {
		memmove(r->rest.at, r->rest.at + n, r->rest.len);
		return WIRE_WAIT;
	}
	buf_free(&r->rest);
	return 0;
}

/* Slow clients are many: not a byte more than it takes. */
static void keep(struct records *r, struct span bytes)
{
	r->rest.room = bytes.len + 1;
	r->rest.at = mem_alloc(r->rest.room);
	buf_add(&r->rest, bytes);
}

int records_flush(struct records *r)
{
	if (r->rest.len > 0)
		return flush_rest(r);
	if (!buffer || buffer->len == 0)
		return 0;
	struct span bytes = span_make(buffer->at, buffer->len);
	ssize_t n = push(r, bytes);
	buffer->len = 0;
	if (n < 0)
		return (int)n;
	if ((size_t)n == bytes.len)
		return 0;
	keep(r, span_from(bytes, (size_t)n));
	return WIRE_WAIT;
}

/* ------------------------------------------------------------ our BIO */

static int kernel_write(BIO *bio, BIO *below, const char *bytes, int len)
{
	int n = BIO_write(below, bytes, len);

	BIO_clear_retry_flags(bio);
	BIO_copy_next_retry(bio);
	return n;
}

static int bio_write(BIO *bio, const char *bytes, int len)
{
	struct records *r = BIO_get_data(bio);
	size_t size = (size_t)len;

	if (BIO_next(bio) && BIO_get_ktls_send(BIO_next(bio)))
		return kernel_write(bio, BIO_next(bio), bytes, len);
	if (buffer && r->rest.len == 0 && size <= BUFFER_ROOM - buffer->len) {
		memcpy(buffer->at + buffer->len, bytes, size);
		buffer->len += size;
		return len;
	}
	if (buffer) {
		buf_add(&r->rest, span_make(buffer->at, buffer->len));
		buffer->len = 0;
	}
	buf_add(&r->rest, span_make(bytes, size));
	return len;
}

static int bio_read(BIO *bio, char *out, int room)
{
	struct records *r = BIO_get_data(bio);
	ssize_t n = wire_receive(r->wire, out, (size_t)room);

	BIO_clear_retry_flags(bio);
	if (n == WIRE_WAIT)
		BIO_set_retry_read(bio);
	return n < 0 ? -1 : (int)n;
}

/* What was written before the kernel gets the keys must leave before. */
static long bio_control(BIO *bio, int command, long number, void *pointer)
{
	BIO *below = BIO_next(bio);

	if (command == BIO_CTRL_FLUSH)
		return 1; /* we flush after each call */
	if (!below || records_flush(BIO_get_data(bio)) != 0)
		return 0;
	return BIO_ctrl(below, command, number, pointer);
}

/* One for all, made at first use and never released. */
static BIO_METHOD *bio_method;

static void bio_method_make(void)
{
	bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK,
				  "records");
	BIO_meth_set_write(bio_method, bio_write);
	BIO_meth_set_read(bio_method, bio_read);
	BIO_meth_set_ctrl(bio_method, bio_control);
}

static BIO *bio_open(struct records *r)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, bio_method_make);
	BIO *bio = BIO_new(bio_method);
	if (!bio)
		abort();
	BIO_set_data(bio, r);
	BIO_set_init(bio, 1);
	return bio;
}

/* ------------------------------------------------------------ the kernel */

/* The socket would take keys. Asked no more once the kernel had never heard. */
static bool kernel_has_tls(int fd)
{
	static atomic_bool has_not;

	if (has_not)
		return false;
	if (setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) == 0)
		return true;
	has_not = errno == ENOENT || errno == ENOPROTOOPT;
	return false;
}

void records_open(struct records *r, struct wire *wire, BIO **reader_out,
		  BIO **writer_out)
{
	r->wire = wire;
	*reader_out = *writer_out = bio_open(r);
	if (kernel_has_tls(wire->fd)) {
		BIO *socket = BIO_new_socket(wire->fd, BIO_NOCLOSE);
		if (!socket)
			abort();
		*writer_out = BIO_push(bio_open(r), socket);
	}
	r->writer = *writer_out;
}

void records_close(struct records *r)
{
	buf_free(&r->rest);
}

bool records_settle(struct records *r)
{
	BIO *below = BIO_next(r->writer);

	if (!below || BIO_get_ktls_send(below))
		return below != NULL;
	BIO_pop(below);
	BIO_free(below);
	return false;
}
