/*
 * A scanner over the grammar of RFC 9110, section 11:
 *
 *	header    = challenge *( "," challenge )	empty elements allowed
 *	challenge = scheme [ 1*SP ( token68 / param *( "," param ) ) ]
 *	param     = token "=" ( token / quoted-string )
 *
 * The comma stands between challenges and between parameters, so after one
 * only the "=" tells what comes: each scan_ function takes its piece off the
 * front of `in`, or leaves `in` as it was and says false.
 */
#include "upstream/challenge.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define TOKEN LETTERS DIGITS "!#$%&'*+-.^_`|~"
#define TOKEN68 LETTERS DIGITS "-._~+/"

struct param {
	struct span name;
	char value[1024];
};

static bool scan_any(struct span *in, const char *set, struct span *out)
{
	size_t len = 0;

	while (len < in->len && in->at[len] && strchr(set, in->at[len]))
		len++;
	*out = span_make(in->at, len);
	*in = span_from(*in, len);
	return len > 0;
}

static bool scan_char(struct span *in, char c)
{
	if (in->len == 0 || in->at[0] != c)
		return false;
	*in = span_from(*in, 1);
	return true;
}

static bool scan_blanks(struct span *in)
{
	struct span blanks;

	return scan_any(in, " \t", &blanks);
}

/* Blanks and commas; what stands between two elements of a list. */
static void scan_separators(struct span *in)
{
	struct span separators;

	scan_any(in, " \t,", &separators);
}

static bool at_end_of_element(struct span in)
{
	scan_blanks(&in);
	return in.len == 0 || in.at[0] == ',';
}

/* The rest of a quoted string, without its quotes and backslashes. */
static bool scan_quoted(struct span *in, char *out, size_t room)
{
	struct span rest = *in;
	size_t len = 0;

	while (!scan_char(&rest, '"')) {
		scan_char(&rest, '\\');
		if (rest.len == 0 || len + 1 == room ||
		    (unsigned char)rest.at[0] < ' ' || rest.at[0] == 0x7f)
			return false;
		out[len++] = rest.at[0];
		rest = span_from(rest, 1);
	}
	out[len] = '\0';
	*in = rest;
	return true;
}

static bool scan_value(struct span *in, char *out, size_t room)
{
	struct span token;

	if (scan_char(in, '"'))
		return scan_quoted(in, out, room);
	return scan_any(in, TOKEN, &token) && span_copy(token, out, room);
}

static bool scan_param(struct span *in, struct param *out)
{
	struct span rest = *in;

	if (!scan_any(&rest, TOKEN, &out->name))
		return false;
	scan_blanks(&rest);
	if (!scan_char(&rest, '='))
		return false;
	scan_blanks(&rest);
	if (!scan_value(&rest, out->value, sizeof(out->value)) ||
	    !at_end_of_element(rest))
		return false;
	*in = rest;
	return true;
}

static bool scan_token68(struct span *in)
{
	struct span rest = *in, text, padding;

	if (!scan_any(&rest, TOKEN68, &text))
		return false;
	scan_any(&rest, "=", &padding);
	if (!at_end_of_element(rest))
		return false;
	*in = rest;
	return true;
}

/* Each parameter at most once. */
static bool keep_param(const struct param *param, struct challenge *out)
{
	struct span value = span_of(param->value);

	if (span_is_nocase(param->name, "realm"))
		return !*out->realm &&
		       span_copy(value, out->realm, sizeof(out->realm));
	if (span_is_nocase(param->name, "service"))
		return !*out->service &&
		       span_copy(value, out->service, sizeof(out->service));
	return true;
}

static bool scan_params(struct span *in, struct challenge *out)
{
	struct param param;

	while (scan_param(in, &param)) {
		if (!keep_param(&param, out))
			return false;

		struct span next = *in;
		scan_separators(&next);
		struct span peek = next;
		if (!scan_param(&peek, &param))
			return true;
		*in = next;
	}
	return false;
}

static bool scan_challenge(struct span *in, struct span *scheme_out,
			   struct challenge *out)
{
	*out = (struct challenge){ 0 };
	if (!scan_any(in, TOKEN, scheme_out))
		return false;
	if (at_end_of_element(*in))
		return true;
	return scan_blanks(in) && (scan_params(in, out) || scan_token68(in)) &&
	       at_end_of_element(*in);
}

int challenge_parse(struct span header, struct challenge *out, struct err *e)
{
	struct span in = header, scheme;
	bool basic = false;
	struct challenge one;

	for (scan_separators(&in); in.len > 0; scan_separators(&in)) {
		if (!scan_challenge(&in, &scheme, &one))
			return err_set(e, ERR_UPSTREAM,
				       "malformed WWW-Authenticate");
		if (span_is_nocase(scheme, "Bearer") && *one.realm) {
			*out = one;
			out->kind = CHALLENGE_BEARER;
			return 0;
		}
		basic = basic || span_is_nocase(scheme, "Basic");
	}
	if (!basic)
		return err_set(e, ERR_UPSTREAM,
			       "it asks for neither a Bearer token nor Basic");
	*out = (struct challenge){ .kind = CHALLENGE_BASIC };
	return 0;
}
