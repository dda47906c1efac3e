/*
 * A response is described first and written once its description is whole:
 * only then is known what the connection does afterwards.
 */
#include <assert.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/pool.h"
#include "http/connection.h"
#include "http/parts.h"
#include "http/send.h"
#include "http/server.h"

#define CLOSED_AT_ONCE (1024 * 1024) /* bytes */

/* ------------------------------------------------------------ describing */

/* What would end a header, or hide in one. */
static const bool control[256] = { [0 ... 0x1f] = true, [0x7f] = true };

void respond_header(struct response *res, const char *name, const char *format,
		    ...)
{
	struct buf *headers = &res->headers;
	va_list args;

	buf_add(headers, span_of(name));
	buf_add(headers, SPAN(": "));
	size_t start = headers->len;
	va_start(args, format);
	if (strcmp(format, "%s") == 0)
		buf_add(headers, span_of(va_arg(args, const char *)));
	else if (!strchr(format, '%'))
		buf_add(headers, span_of(format));
	else
		buf_vaddf(headers, format, args);
	va_end(args);
	for (size_t i = start; i < headers->len; i++)
		if (control[(unsigned char)headers->at[i]])
			headers->at[i] = '?';
	buf_add(headers, SPAN("\r\n"));
}

/* ------------------------------------------------------------ releasing */

/*
 * Of a file that has no name any more this may be the last close, which frees
 * its pages and its blocks: a quarter of a second for a gigabyte.
 */
static bool closes_slowly(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_nlink == 0 &&
	       st.st_size > CLOSED_AT_ONCE;
}

static void file_close(void *arg)
{
	close((int)(intptr_t)arg);
}

static void growing_close(void *arg)
{
	struct growing *growing = arg;

	growing_drop(&growing);
}

/* Here, or on a thread that may take its time. */
static void close_by(struct response *res, int fd, void (*end)(void *),
		     void *arg)
{
	if (closes_slowly(fd))
		pool_run(exchange_answering(res)
				 ->connection->home->http->closers,
			 end, arg);
	else
		end(arg);
}

void response_release(struct response *res)
{
	struct growing *growing = steal_ptr(&res->growing);

	if (res->fd >= 0)
		close_by(res, res->fd, file_close, (void *)(intptr_t)res->fd);
	if (growing)
		close_by(res, growing_fd(growing), growing_close, growing);
	res->fd = -1;
	res->kind = BODY_NONE;
	res->later = NULL;
}

/* ------------------------------------------------------------ the body */

static void describe(struct response *res, int status, enum body_kind kind,
		     int64_t length)
{
	response_release(res);
	res->status = status;
	res->kind = kind;
	res->length = length;
}

void respond_empty(struct response *res, int status)
{
	describe(res, status, BODY_NONE, 0);
}

void respond_size(struct response *res, int status, int64_t size)
{
	describe(res, status, BODY_NONE, size);
}

void respond_bytes(struct response *res, int status, struct span bytes)
{
	describe(res, status, BODY_BYTES, (int64_t)bytes.len);
	res->bytes = bytes;
}

void respond_file(struct response *res, int status, int fd, int64_t offset,
		  int64_t length)
{
	describe(res, status, BODY_FILE, length);
	res->fd = fd;
	res->offset = offset;
}

void respond_parts(struct response *res, int fd, int64_t size,
		   const struct http_part *parts, size_t count,
		   const char *media_type)
{
	struct arena *arena = exchange_answering(res)->request.arena;

	describe(res, 206, BODY_PARTS, 0);
	res->fd = fd;
	res->parts = parts_make(arena, size, parts, count, media_type);
	res->length = parts_length(res->parts);
}

void respond_growing(struct response *res, int status, struct growing *growing,
		     int64_t offset, int64_t length)
{
	int64_t size = growing_size(growing);

	if (length < 0 && size >= 0)
		length = size - offset;
	describe(res, status, BODY_GROWING, length);
	res->growing = growing;
	res->offset = offset;
}

void respond_stream(struct response *res, int status, int64_t length,
		    stream_fn *write)
{
	describe(res, status, BODY_STREAM, length);
	res->write = write;
}

void respond_later(struct response *res, enum http_lane lane, unsigned whom,
		   respond_fn *then)
{
	response_release(res);
	res->later = then;
	res->lane = lane;
	res->whom = whom;
}

/* ------------------------------------------------------------ writing */

static const struct {
	int status;
	struct span text;
} status_lines[] = {
#define STATUS(number, text)                          \
	{                                             \
		number, SPAN(#number " " text "\r\n") \
	}
	STATUS(200, "OK"),
	STATUS(201, "Created"),
	STATUS(202, "Accepted"),
	STATUS(204, "No Content"),
	STATUS(206, "Partial Content"),
	STATUS(301, "Moved Permanently"),
	STATUS(302, "Found"),
	STATUS(304, "Not Modified"),
	STATUS(307, "Temporary Redirect"),
	STATUS(400, "Bad Request"),
	STATUS(401, "Unauthorized"),
	STATUS(403, "Forbidden"),
	STATUS(404, "Not Found"),
	STATUS(405, "Method Not Allowed"),
	STATUS(408, "Request Timeout"),
	STATUS(409, "Conflict"),
	STATUS(411, "Length Required"),
	STATUS(412, "Precondition Failed"),
	STATUS(413, "Content Too Large"),
	STATUS(414, "URI Too Long"),
	STATUS(415, "Unsupported Media Type"),
	STATUS(416, "Range Not Satisfiable"),
	STATUS(429, "Too Many Requests"),
	STATUS(431, "Request Header Fields Too Large"),
	STATUS(500, "Internal Server Error"),
	STATUS(501, "Not Implemented"),
	STATUS(502, "Bad Gateway"),
	STATUS(503, "Service Unavailable"),
	STATUS(504, "Gateway Timeout"),
	STATUS(505, "HTTP Version Not Supported"),
	STATUS(507, "Insufficient Storage"),
	STATUS(508, "Loop Detected"),
#undef STATUS
};

static void add_status(struct buf *text, int status)
{
	buf_add(text, SPAN("HTTP/1.1 "));
	for (size_t i = 0; i < array_size(status_lines); i++)
		if (status_lines[i].status == status)
			return buf_add(text, status_lines[i].text);
	buf_addf(text, "%d \r\n", status);
}

/* RFC 9110, 5.6.7; made once a second. */
static void add_date(struct buf *text)
{
	static _Thread_local time_t made;
	static _Thread_local char date[64];
	time_t now = clock_wall_s();

	if (now != made) {
		struct tm tm;

		gmtime_r(&now, &tm);
		strftime(date, sizeof(date),
			 "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
		made = now;
	}
	buf_add(text, span_of(date));
}

/* RFC 9112, 6: these never have a body, and 304 only speaks of one. */
static bool has_no_body(int status)
{
	return status == 204 || status == 304;
}

static void add_framing(struct exchange *x)
{
	struct buf *text = &x->sending.text;
	const struct response *res = &x->response;
	char digits[SPAN_NUMBER_ROOM];

	if (x->sending.chunked) {
		buf_add(text, SPAN("Transfer-Encoding: chunked\r\n"));
	} else if (res->length >= 0 && !has_no_body(res->status)) {
		buf_add(text, SPAN("Content-Length: "));
		buf_add(text, span_number(res->length, digits));
		buf_add(text, SPAN("\r\n"));
	}
	if (res->kind == BODY_PARTS)
		parts_describe(res->parts, text);
	if (!x->keep)
		buf_add(text, SPAN("Connection: close\r\n"));
	else if (x->old)
		buf_add(text, SPAN("Connection: keep-alive\r\n"));
}

static void write_head(struct exchange *x)
{
	struct buf *text = &x->sending.text;

	add_status(text, x->response.status);
	add_date(text);
	buf_add(text, SPAN("X-Request-Id: "));
	buf_add(text, span_of(x->request.id));
	buf_add(text, SPAN("\r\n"));
	add_framing(x);
	buf_add(text, buf_span(&x->response.headers));
	buf_add(text, SPAN("\r\n"));
}

void response_start(struct exchange *x)
{
	const struct http *http = x->connection->home->http;
	const struct response *res = &x->response;
	bool streams = res->kind == BODY_GROWING || res->kind == BODY_STREAM;
	bool head = x->request.method == METHOD_HEAD;

	assert(res->status && !res->later);
	x->keep = exchange_skip_body(x) && x->keep && !http->draining;
	x->sending.chunked = streams && res->length < 0 && !x->old;
	x->unframed = streams && res->length < 0 && x->old && !head;
	if (x->unframed)
		x->keep = false;
	write_head(x);
	if (head || has_no_body(res->status))
		x->sending.ended = true;
	else
		send_start(x);
}
