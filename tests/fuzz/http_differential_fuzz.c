/*
 * One message, read by us and by the parser that Node had (http-parser, as
 * Debian builds it: lenient). What both take must be one and the same message:
 * method, target, headers, body, and the byte behind which the next message
 * begins. Then nobody smuggles a request past a proxy that reads like the
 * other.
 *
 * What only one of them takes is no difference here: refusing is safe.
 *
 * Known and intended: methods that the other does not know, and ours calls
 * METHOD_OTHER, it refuses; an absolute target is cut into host and path by
 * us, and by the other in a call of its own; a message that asks for an
 * upgrade ends for the other with its head, and so is not compared.
 */
#include <http_parser.h>
#include <stdlib.h>
#include <strings.h>

#include "base/buf.h"
#include "http/frame.h"
#include "http/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

enum { HEADERS = 16 };

struct other {
	struct span url;
	struct header headers[HEADERS];
	size_t header_count;
	struct buf body;
	bool head_ended; /* all headers were seen */
	bool ended;	 /* and the last byte of the body */
	size_t length;	 /* of the whole message, if it ended */
};

static void check(bool promise)
{
	if (!promise)
		abort();
}

/* ------------------------------------------------------------ the other */

static struct other *other_of(http_parser *parser)
{
	return parser->data;
}

static int on_url(http_parser *parser, const char *at, size_t len)
{
	check(!other_of(parser)->url.at);
	other_of(parser)->url = span_make(at, len);
	return 0;
}

/* More than ours has room for: an error stops it. */
static int on_field(http_parser *parser, const char *at, size_t len)
{
	struct other *other = other_of(parser);

	if (other->head_ended)
		return 0; /* a trailer */
	if (other->header_count == HEADERS)
		return 1;
	other->headers[other->header_count++] =
		(struct header){ .name = span_make(at, len) };
	return 0;
}

/* A folded value comes in pieces; ours takes none. */
static int on_value(http_parser *parser, const char *at, size_t len)
{
	struct other *other = other_of(parser);

	if (other->head_ended)
		return 0;
	struct span *value = &other->headers[other->header_count - 1].value;
	if (value->at)
		return 1;
	*value = span_make(at, len);
	return 0;
}

static int on_headers(http_parser *parser)
{
	other_of(parser)->head_ended = true;
	return 0;
}

static int on_body(http_parser *parser, const char *at, size_t len)
{
	buf_add(&other_of(parser)->body, span_make(at, len));
	return 0;
}

static int on_end(http_parser *parser)
{
	other_of(parser)->ended = true;
	http_parser_pause(parser, 1);
	return 0;
}

static const http_parser_settings settings = {
	.on_url = on_url,
	.on_header_field = on_field,
	.on_header_value = on_value,
	.on_headers_complete = on_headers,
	.on_body = on_body,
	.on_message_complete = on_end,
};

/* False if it refuses, or sees no HTTP behind the head. */
static bool other_read(struct span bytes, http_parser *parser,
		       struct other *other)
{
	http_parser_init(parser, HTTP_REQUEST);
	parser->data = other;
	other->length =
		http_parser_execute(parser, &settings, bytes.at, bytes.len);
	enum http_errno wrong = HTTP_PARSER_ERRNO(parser);

	return (wrong == HPE_OK || wrong == HPE_PAUSED) && !parser->upgrade;
}

/* ------------------------------------------------------------ ours */

struct ours {
	struct header headers[HEADERS];
	struct head head;
	struct buf body;
	enum frame_event event; /* FRAME_MORE: it has no end yet */
	size_t length;
};

static bool ours_read(struct span bytes, struct ours *ours)
{
	struct span rest, data;
	struct frame frame;
	size_t line = 0;
	ssize_t length = head_length(bytes, &line);

	ours->head = (struct head){ .headers = ours->headers,
				    .header_room = HEADERS };
	if (length <= 0 ||
	    head_parse(span_make(bytes.at, (size_t)length), &ours->head))
		return false;
	rest = span_from(bytes, (size_t)length);
	frame_open(&frame, ours->head.body_size);
	while ((ours->event = frame_next(&frame, &rest, SIZE_MAX, &data)) ==
	       FRAME_DATA)
		buf_add(&ours->body, data);
	ours->length = bytes.len - rest.len;
	return ours->event != FRAME_BAD;
}

/* ------------------------------------------------------------ both */

static struct span field(const struct http_parser_url *parts, struct span url,
			 enum http_parser_url_fields which)
{
	if (!(parts->field_set & (1 << which)))
		return SPAN_NONE;
	return span_make(url.at + parts->field_data[which].off,
			 parts->field_data[which].len);
}

static bool same(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* What the other finds in a target is what ours found. */
static void check_target(const struct head *head, struct span url)
{
	struct http_parser_url parts;
	struct span path, host;

	http_parser_url_init(&parts);
	if (http_parser_parse_url(url.at, url.len, 0, &parts))
		return;
	path = field(&parts, url, UF_PATH);
	host = field(&parts, url, UF_HOST);
	check(same(head->path, path.at ? path : SPAN("/")));
	check(same(head->query, field(&parts, url, UF_QUERY)));
	check(!host.at || memmem(head->authority.at, head->authority.len,
				 host.at, host.len));
	check(!(parts.field_set & (1 << UF_USERINFO | 1 << UF_FRAGMENT)));
}

static void check_headers(const struct head *head, const struct other *other)
{
	check(head->header_count == other->header_count);
	for (size_t i = 0; i < head->header_count; i++) {
		check(span_eq(head->headers[i].name, other->headers[i].name));
		check(same(head->headers[i].value,
			   span_trim(other->headers[i].value)));
	}
}

static void check_heads(const struct head *head, const http_parser *parser,
			const struct other *other)
{
	if (head->method != METHOD_OTHER)
		check(strcmp(method_text(head->method),
			     http_method_str(parser->method)) == 0);
	check(parser->http_major == 1 && head->old == !parser->http_minor);
	check_target(head, other->url);
	check_headers(head, other);
}

static void check_bodies(const struct ours *ours, const struct other *other)
{
	check(other->ended == (ours->event == FRAME_END));
	check(same(buf_span(&ours->body), buf_span(&other->body)));
	check(!other->ended || ours->length == other->length);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct span bytes = span_make((const char *)input, size);
	struct other other = { 0 };
	struct ours ours = { 0 };
	http_parser parser;

	if (ours_read(bytes, &ours) && other_read(bytes, &parser, &other)) {
		check(other.head_ended);
		check_heads(&ours.head, &parser, &other);
		check_bodies(&ours, &other);
	}
	buf_free(&ours.body);
	buf_free(&other.body);
	return 0;
}
