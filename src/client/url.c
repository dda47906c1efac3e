/*
 * URLs by hand, and strictly: what other parsers might read in another way is
 * no URL here. RFC 3986 describes many more.
 */
#include <stdio.h>

#include "client/client.h"

#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

static bool is_printable(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] <= ' ' || text.at[i] > '~' || text.at[i] == '\\')
			return false;
	return true;
}

/* Cuts off what stands before the first of `ends`. */
static struct span cut_before(struct span *rest, const char *ends)
{
	struct span whole = *rest;
	size_t len = 0;

	while (len < whole.len && !strchr(ends, whole.at[len]))
		len++;
	*rest = span_from(whole, len);
	return span_make(whole.at, len);
}

static bool copy_lower(struct span text, char *out, size_t room)
{
	if (!span_copy(text, out, room))
		return false;
	for (; *out; out++)
		if (*out >= 'A' && *out <= 'Z')
			*out = (char)(*out - 'A' + 'a');
	return true;
}

/* Cuts the host off `authority`; what is left is "" or ":<port>". */
static bool cut_host(struct span *authority, struct span *out)
{
	if (!span_starts(*authority, "[")) {
		*out = cut_before(authority, ":");
		return span_made_of(*out, LETTERS DIGITS "-._");
	}
	struct span inner = cut_before(authority, "]");
	if (authority->len == 0)
		return false;
	*authority = span_from(*authority, 1);
	*out = span_make(inner.at, inner.len + 1);
	return span_made_of(span_from(inner, 1), DIGITS "abcdefABCDEF:.");
}

static bool parse_port(struct span text, struct client_url *out)
{
	bool tls = strcmp(out->scheme, "https") == 0;
	int64_t port = tls ? 443 : 80;

	if (text.len > 0)
		port = text.at[0] == ':' ? span_decimal(span_from(text, 1)) :
					   -1;
	if (port < 1 || port > UINT16_MAX)
		return false;
	snprintf(out->port, sizeof(out->port), "%u", (unsigned)(uint16_t)port);
	return true;
}

bool client_url_parse(struct span url, struct client_url *out)
{
	struct span rest = url, host;
	struct span scheme = span_cut(&rest, ':');

	if (!is_printable(url) || !span_starts(rest, "//") ||
	    !copy_lower(scheme, out->scheme, sizeof(out->scheme)) ||
	    (strcmp(out->scheme, "http") && strcmp(out->scheme, "https")))
		return false;
	rest = span_from(rest, 2);

	struct span authority = cut_before(&rest, "/?#");
	out->path = cut_before(&rest, "?#");
	return cut_host(&authority, &host) &&
	       copy_lower(host, out->host, sizeof(out->host)) &&
	       parse_port(authority, out);
}

bool client_url_same_origin(const struct client_url *a,
			    const struct client_url *b)
{
	return strcmp(a->scheme, b->scheme) == 0 &&
	       strcmp(a->host, b->host) == 0 && strcmp(a->port, b->port) == 0;
}

/* How much of `base` stays in front of the relative `reference`. */
static struct span kept_of(const char *base, const struct client_url *url,
			   struct span reference)
{
	size_t origin = (size_t)(url->path.at - base);

	if (span_starts(reference, "//"))
		return span_make(base, strlen(url->scheme) + 1);
	if (span_starts(reference, "/"))
		return span_make(base, origin);
	if (span_starts(reference, "?"))
		return span_make(base, origin + url->path.len);
	return span_make(base,
			 origin + (size_t)(span_find_last(url->path, '/') + 1));
}

const char *client_url_resolve(const char *base, struct span location,
			       struct arena *arena)
{
	struct span rest = location;
	struct span reference = span_cut(&rest, '#');
	struct client_url url;
	const char *text;

	if (!client_url_parse(span_of(base), &url) || !is_printable(reference))
		return NULL;
	rest = reference;
	cut_before(&rest, ":/?");
	if (span_starts(rest, ":"))
		text = arena_text(arena, reference);
	else
		text = arena_printf(
			arena, "%.*s%s%.*s",
			SPAN_ARG(kept_of(base, &url, reference)),
			url.path.len || span_starts(reference, "/") ? "" : "/",
			SPAN_ARG(reference));
	return client_url_parse(span_of(text), &url) ? text : NULL;
}
