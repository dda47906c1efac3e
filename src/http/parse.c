/*
 * A head is cut into lines at CRLF, the first line into method, target and
 * version, each other line at its colon. Every byte belongs to a class that
 * is allowed where it stands, so that bare CR, NUL, folded lines and blanks
 * in odd places need no rule of their own: they are in no class.
 *
 * Then the few headers that say where the message ends are judged together.
 */
#include "http/parse.h"

#include <strings.h>

#include "base/hex.h"

static const struct refusal bad_line = {
	400, "the first line is not METHOD, one blank, target, one blank, "
	     "HTTP/1.1"
};
static const struct refusal bad_version = { 505, "only HTTP/1.1 and HTTP/1.0" };
static const struct refusal bad_target = { 400, "the target is malformed" };
static const struct refusal bad_header = { 400, "a header is malformed" };
static const struct refusal bad_host = {
	400, "there must be one Host header, with a host"
};
static const struct refusal other_host = {
	400, "the target and the Host header name two hosts"
};
static const struct refusal bad_length = {
	400, "Content-Length must be one number"
};
static const struct refusal bad_coding = {
	400, "Transfer-Encoding must be chunked, in HTTP/1.1"
};
static const struct refusal both_lengths = {
	400, "Transfer-Encoding and Content-Length exclude each other"
};
static const struct refusal too_many = { 431, "too many headers" };

/* ------------------------------------------------------- classes of bytes */

struct class
{
	bool has[256];
};

#define LETTERS_AND_DIGITS \
	['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true

/* clang-format off */

/* RFC 9110, 5.6.2. */
static const struct class token = { {
	LETTERS_AND_DIGITS,
	['!'] = true, ['#' ... '\''] = true, ['*'] = true, ['+'] = true,
	['-'] = true, ['.'] = true, ['^' ... '`'] = true, ['|'] = true,
	['~'] = true,
} };

/* RFC 9110, 5.5: visible, blank, tab, or not ASCII at all. */
static const struct class content = { {
	['\t'] = true, [' ' ... '~'] = true, [0x80 ... 0xff] = true,
} };

/* RFC 3986, 2.2 and 2.3. */
#define UNRESERVED_AND_DELIMITERS \
	LETTERS_AND_DIGITS, \
	['-'] = true, ['.'] = true, ['_'] = true, ['~'] = true, \
	['!'] = true, ['$'] = true, ['&' ... ','] = true, [';'] = true, \
	['='] = true

/* RFC 3986, 3.2.2 and 3.2.3, with IPv6 in brackets and no percent signs. */
static const struct class host = { {
	UNRESERVED_AND_DELIMITERS, [':'] = true, ['['] = true, [']'] = true,
} };

/* RFC 3986, 3.3 and 3.4; a percent sign is judged by what follows it. */
static const struct class target = { {
	UNRESERVED_AND_DELIMITERS,
	[':'] = true, ['/'] = true, ['?'] = true, ['%'] = true, ['@'] = true,
} };

/* clang-format on */

static bool is_in(const struct class *class, char byte)
{
	return class->has[(unsigned char)byte];
}

static bool all_in(const struct class *class, struct span span)
{
	for (size_t i = 0; i < span.len; i++)
		if (!is_in(class, span.at[i]))
			return false;
	return true;
}

/* ------------------------------------------------------------ the first line
 */

static enum method method_of(struct span name)
{
	static const enum method known[] = { METHOD_GET,   METHOD_HEAD,
					     METHOD_POST,  METHOD_PUT,
					     METHOD_PATCH, METHOD_DELETE };

	for (size_t i = 0; i < array_size(known); i++)
		if (span_is(name, method_text(known[i])))
			return known[i];
	return METHOD_OTHER;
}

static bool percents_are_whole(struct span span)
{
	for (size_t i = 0; i < span.len; i++)
		if (span.at[i] == '%' &&
		    (span.len - i < 3 || hex_digit(span.at[i + 1]) < 0 ||
		     hex_digit(span.at[i + 2]) < 0))
			return false;
	return true;
}

/* RFC 9112, 3.2.2: "http://host/path" to a server means "/path". */
static struct span without_authority(struct span uri, struct span *authority)
{
	static const char *const schemes[] = { "http://", "https://" };

	for (size_t i = 0; i < array_size(schemes); i++) {
		size_t len = strlen(schemes[i]);

		if (uri.len <= len || strncasecmp(uri.at, schemes[i], len))
			continue;
		struct span rest = span_from(uri, len);
		size_t end = 0;
		while (end < rest.len && is_in(&host, rest.at[end]))
			end++;
		if (end == 0)
			return SPAN_NONE;
		*authority = span_make(rest.at, end);
		return end == rest.len ? SPAN("/") : span_from(rest, end);
	}
	return uri;
}

static const struct refusal *parse_target(struct span uri, struct head *head)
{
	if (!all_in(&target, uri) || !percents_are_whole(uri))
		return &bad_target;
	head->query = without_authority(uri, &head->authority);
	head->path = span_cut(&head->query, '?');
	return span_starts(head->path, "/") ? NULL : &bad_target;
}

static const struct refusal *parse_version(struct span version,
					   struct head *head)
{
	if (version.len != 8 || !span_starts(version, "HTTP/") ||
	    version.at[6] != '.' || version.at[5] < '0' ||
	    version.at[5] > '9' || version.at[7] < '0' || version.at[7] > '9')
		return &bad_line;
	if (version.at[5] != '1')
		return &bad_version;
	head->old = version.at[7] == '0';
	head->keep = !head->old;
	return NULL;
}

static const struct refusal *parse_first_line(struct span line,
					      struct head *head)
{
	struct span method = span_cut(&line, ' ');
	struct span uri = span_cut(&line, ' ');

	if (method.len == 0 || !all_in(&token, method) || !line.at)
		return &bad_line;
	head->method = method_of(method);
	const struct refusal *wrong = parse_version(line, head);
	return wrong ? wrong : parse_target(uri, head);
}

/* ------------------------------------------------------------ headers */

/* The headers that the engine itself must understand, as they come by. */
struct framing {
	unsigned hosts;
	unsigned lengths;
	unsigned codings;
	struct span host;
	struct span length;
	struct span coding;
};

static bool has_word(struct span list, const char *word)
{
	while (list.at)
		if (span_is_nocase(span_trim(span_cut(&list, ',')), word))
			return true;
	return false;
}

static void note_connection(struct span value, struct head *head)
{
	if (has_word(value, "close"))
		head->keep = false;
	else if (head->old && has_word(value, "keep-alive"))
		head->keep = true;
}

static void note(const struct header *header, struct framing *framing,
		 struct head *head)
{
	if (span_is_nocase(header->name, "Host")) {
		framing->hosts++;
		framing->host = header->value;
	} else if (span_is_nocase(header->name, "Content-Length")) {
		framing->lengths++;
		framing->length = header->value;
	} else if (span_is_nocase(header->name, "Transfer-Encoding")) {
		framing->codings++;
		framing->coding = header->value;
	} else if (span_is_nocase(header->name, "Connection")) {
		note_connection(header->value, head);
	} else if (span_is_nocase(header->name, "Expect")) {
		head->expects = !head->old &&
				span_is_nocase(header->value, "100-continue");
	}
}

static const struct refusal *parse_header(struct span line, struct header *out)
{
	ptrdiff_t colon = span_find(line, ':');

	if (colon <= 0)
		return &bad_header;
	out->name = span_make(line.at, (size_t)colon);
	out->value = span_from(line, (size_t)colon + 1);
	if (!all_in(&token, out->name) || !all_in(&content, out->value))
		return &bad_header;
	out->value = span_trim(out->value);
	return NULL;
}

/* RFC 9112, 3.2 and 6.3. */
static const struct refusal *judge(const struct framing *framing,
				   struct head *head)
{
	if (framing->hosts > 1 || (framing->hosts == 0 && !head->old) ||
	    !all_in(&host, framing->host))
		return &bad_host;
	if (head->authority.at && framing->hosts &&
	    !span_eq_nocase(head->authority, framing->host))
		return &other_host;
	if (framing->codings && framing->lengths)
		return &both_lengths;
	if (framing->codings) {
		head->body_size = -1;
		if (framing->codings > 1 || head->old ||
		    !span_is_nocase(framing->coding, "chunked"))
			return &bad_coding;
	}
	if (framing->lengths) {
		head->body_size = span_decimal(framing->length);
		if (framing->lengths > 1 || head->body_size < 0)
			return &bad_length;
	}
	return NULL;
}

static struct span next_line(struct span *rest)
{
	struct span line = span_cut(rest, '\n');

	line.len -= line.len > 0; /* its CR: see head_length */
	return line;
}

const struct refusal *head_parse(struct span bytes, struct head *head)
{
	struct framing framing = { 0 };
	struct span line = next_line(&bytes);
	const struct refusal *wrong;

	head->header_count = 0;
	head->body_size = 0;
	head->expects = false;
	head->authority = SPAN_NONE;
	if (line.len == 0)
		line = next_line(&bytes);
	wrong = parse_first_line(line, head);
	while (!wrong && (line = next_line(&bytes)).len > 0) {
		if (head->header_count == head->header_room)
			return &too_many;
		struct header *header = &head->headers[head->header_count++];
		wrong = parse_header(line, header);
		if (!wrong)
			note(header, &framing, head);
	}
	return wrong ? wrong : judge(&framing, head);
}

ssize_t head_length(struct span bytes, size_t *line)
{
	if (bytes.len > 0 && bytes.at[0] != '\r' && !is_in(&token, bytes.at[0]))
		return -1;
	for (;;) {
		const char *start = bytes.at + *line;
		const char *end = memchr(start, '\n', bytes.len - *line);

		if (!end)
			return 0;
		if (end == start || end[-1] != '\r')
			return -1;
		*line = (size_t)(end + 1 - bytes.at);
		if (end == start + 1 && start != bytes.at)
			return (ssize_t)*line;
	}
}
