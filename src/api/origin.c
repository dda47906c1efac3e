/*
 * Each proxy adds the one who asked it at the end of a list. So the lists are
 * read from their ends, one hop at a time, and no further than they are to be
 * believed: rubbish that a client put in front is never reached.
 */
#include "api/origin.h"

#include <ctype.h>

#include "base/ip.h"

/* Who asked a proxy, and what for. SPAN_NONE where it does not say. */
struct hop {
	struct span node; /* "10.0.0.1", "[::1]:80", "unknown" */
	struct span host;
	struct span scheme;
};

/* What is left to read. */
struct tale {
	/* Takes the last hop off; false at the start or at a malformed one. */
	bool (*next)(struct tale *, struct hop *out);
	struct span nodes; /* or the Forwarded elements */
	struct span hosts;
	struct span schemes;
};

/* ----------------------------------------------------------------- syntax */

static bool is_made_of(struct span text, bool (*is_fine)(char))
{
	for (size_t i = 0; i < text.len; i++)
		if (!is_fine(text.at[i]))
			return false;
	return text.len > 0;
}

/* tchar; RFC 9110, 5.6.2. */
static bool is_token_char(char c)
{
	return isalnum((unsigned char)c) ||
	       (c && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* What no backslash is needed for, which is all that a hop says. */
static bool is_quotable(char c)
{
	return c >= ' ' && c <= '~' && c != '"' && c != '\\';
}

static bool is_host_char(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("-._:[]", c) != NULL);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The part behind the last comma that is not quoted; SPAN_NONE at the end. */
static struct span cut_last(struct span *rest)
{
	size_t at = rest->len;
	bool quoted = false;

	if (!rest->at)
		return SPAN_NONE;
	while (at > 0 && (quoted || rest->at[at - 1] != ',')) {
		at--;
		quoted ^= rest->at[at] == '"';
	}
	struct span last = span_from(*rest, at);
	*rest = at > 0 ? span_make(rest->at, at - 1) : SPAN_NONE;
	return span_trim(last);
}

/* Takes the quotes off; false if it is neither a token nor a quoted string. */
static bool value_parse(struct span *value)
{
	if (value->len < 2 || value->at[0] != '"')
		return is_made_of(*value, is_token_char);
	struct span inside = span_make(value->at + 1, value->len - 2);
	if (!span_ends(*value, "\"") || !is_made_of(inside, is_quotable))
		return false;
	*value = inside;
	return true;
}

static bool is_port(struct span port)
{
	return port.len <= 5 && is_made_of(port, is_digit);
}

/*
 * The address of a node: of "10.0.0.1", "10.0.0.1:80", "[::1]", "[::1]:80",
 * and, as X-Forwarded-For has it, "::1".
 */
static bool node_parse(struct span node, struct ip *out)
{
	ptrdiff_t colon = span_find_last(node, ':');
	bool bracketed = span_starts(node, "[");

	if (colon < 0 || span_ends(node, "]") ||
	    (!bracketed && span_find(node, ':') != colon))
		colon = (ptrdiff_t)node.len;
	else if (!is_port(span_from(node, (size_t)colon + 1)))
		return false;
	node.len = (size_t)colon;
	if (bracketed) {
		if (!span_ends(node, "]") || span_find(node, ':') < 0)
			return false;
		node = span_make(node.at + 1, node.len - 2);
	}
	return ip_parse(node, out);
}

/* ------------------------------------------------------------------- hops */

/* "for=10.0.0.1"; what else a proxy may say is passed over. */
static bool pair_take(struct span pair, struct hop *hop)
{
	const struct {
		const char *name;
		struct span *value;
	} known[] = {
		{ "for", &hop->node },
		{ "host", &hop->host },
		{ "proto", &hop->scheme },
	};
	struct span value = pair;
	struct span name = span_cut(&value, '=');

	if (pair.len == 0)
		return true;
	if (!is_made_of(name, is_token_char) || !value_parse(&value))
		return false;
	for (size_t i = 0; i < array_size(known); i++) {
		if (!span_is_nocase(name, known[i].name))
			continue;
		if (known[i].value->at)
			return false;
		*known[i].value = value;
	}
	return true;
}

/* RFC 7239, 4: for=10.0.0.1;host="registry.example:5000";proto=https */
static bool forwarded_next(struct tale *tale, struct hop *out)
{
	struct span rest = cut_last(&tale->nodes);

	*out = (struct hop){ 0 };
	if (!rest.at)
		return false;
	while (rest.at)
		if (!pair_take(span_trim(span_cut(&rest, ';')), out))
			return false;
	return true;
}

static bool x_forwarded_next(struct tale *tale, struct hop *out)
{
	*out = (struct hop){
		.node = cut_last(&tale->nodes),
		.host = cut_last(&tale->hosts),
		.scheme = cut_last(&tale->schemes),
	};
	return out->node.at || out->host.at || out->scheme.at;
}

/* ---------------------------------------------------------------- the way */

static bool is_trusted(const struct api_settings *settings, const struct ip *ip)
{
	for (size_t i = 0; i < settings->proxy_count; i++)
		if (ip_network_holds(&settings->proxies[i], ip))
			return true;
	return false;
}

static struct span scheme_or(struct span said, struct span otherwise)
{
	if (span_is_nocase(said, "https"))
		return SPAN("https");
	return span_is_nocase(said, "http") ? SPAN("http") : otherwise;
}

static void follow(const struct api_settings *settings,
		   const struct request *req, struct tale tale,
		   struct origin *out)
{
	struct hop hop;
	struct ip ip;

	if (!node_parse(out->client, &ip))
		return;
	while (is_trusted(settings, &ip)) {
		out->is_vague = tale.nodes.at != NULL;
		if (!tale.next(&tale, &hop))
			return;
		out->scheme = scheme_or(hop.scheme, out->scheme);
		if (is_made_of(hop.host, is_host_char))
			out->host = hop.host;
		if (!node_parse(hop.node, &ip))
			return;
		out->is_vague = false;
		out->proxy = span_of(req->peer);
		out->client = arena_copy(req->arena, span_of(ip_text(&ip).s));
	}
}

/* What proxies told, or the connection alone. */
static void believe(const struct api_settings *settings,
		    const struct request *req, struct origin *out)
{
	struct tale forwarded = {
		.next = forwarded_next,
		.nodes = request_header_list(req, "Forwarded"),
	};
	struct tale x_forwarded = {
		.next = x_forwarded_next,
		.nodes = request_header_list(req, "X-Forwarded-For"),
		.hosts = request_header_list(req, "X-Forwarded-Host"),
		.schemes = request_header_list(req, "X-Forwarded-Proto"),
	};
	struct origin first = *out, second = *out;

	follow(settings, req, forwarded, &first);
	follow(settings, req, x_forwarded, &second);
	if (!forwarded.nodes.at)
		*out = second;
	else if (!x_forwarded.nodes.at || span_eq(first.client, second.client))
		*out = first;
	else
		out->is_vague = true;
}

void origin_find(const struct api_settings *settings, const struct request *req,
		 struct origin *out)
{
	*out = (struct origin){
		.client = span_of(req->peer),
		.scheme = req->door->certificate_count ? SPAN("https") :
							 SPAN("http"),
		.host = request_header(req, "Host"),
	};
	if (settings->proxy_count > 0)
		believe(settings, req, out);
	if (settings->host.at)
		out->host = settings->host;
}

bool origin_address(const struct origin *origin, struct ip *out)
{
	return node_parse(origin->client, out);
}
