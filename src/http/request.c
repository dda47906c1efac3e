/*
 * What a handler asks of a request. Spans point into the head.
 */
#include "base/hex.h"
#include "http/connection.h"
#include "http/parse.h"
#include "http/tls.h"

const char *method_text(enum method method)
{
	switch (method) {
	case METHOD_GET:
		return "GET";
	case METHOD_HEAD:
		return "HEAD";
	case METHOD_POST:
		return "POST";
	case METHOD_PUT:
		return "PUT";
	case METHOD_PATCH:
		return "PATCH";
	case METHOD_DELETE:
		return "DELETE";
	case METHOD_OTHER:
		break;
	}
	return "-";
}

bool request_client_is(struct request *req, const char *name)
{
	return req->client &&
	       tls_client_is(exchange_of(req)->connection->wire.tls, name);
}

struct span request_header(const struct request *req, const char *name)
{
	for (size_t i = 0; i < req->header_count; i++)
		if (span_is_nocase(req->headers[i].name, name))
			return req->headers[i].value;
	return SPAN_NONE;
}

/* One copy, however many there are: a head may have a hundred. */
struct span request_header_list(const struct request *req, const char *name)
{
	size_t count = 0, size = 0, len = 0;

	for (size_t i = 0; i < req->header_count; i++)
		if (span_is_nocase(req->headers[i].name, name)) {
			count++;
			size += req->headers[i].value.len + strlen(", ");
		}
	if (count < 2)
		return request_header(req, name);
	char *text = arena_alloc(req->arena, size);
	for (size_t i = 0; i < req->header_count; i++) {
		struct span value = req->headers[i].value;

		if (!span_is_nocase(req->headers[i].name, name))
			continue;
		memcpy(text + len, value.at, value.len);
		memcpy(text + len + value.len, ", ", strlen(", "));
		len += value.len + strlen(", ");
	}
	return span_make(text, len - strlen(", "));
}

static struct span decoded(struct arena *arena, struct span raw)
{
	char *text = arena_alloc(arena, raw.len + 1);
	size_t len = 0;

	for (size_t i = 0; i < raw.len; i++) {
		char c = raw.at[i];

		if (c == '+') {
			c = ' ';
		} else if (c == '%') { /* two digits follow: see parse.c */
			c = (char)(hex_digit(raw.at[i + 1]) << 4 |
				   hex_digit(raw.at[i + 2]));
			i += 2;
		}
		text[len++] = c;
	}
	return span_make(text, len);
}

struct span request_query(const struct request *req, const char *name,
			  unsigned nth)
{
	struct span rest = req->query;

	while (rest.at) {
		struct span value = span_cut(&rest, '&');
		struct span key = span_cut(&value, '=');

		if (span_is(key, name) && nth-- == 0)
			return decoded(req->arena, value.at ? value : SPAN(""));
	}
	return SPAN_NONE;
}
