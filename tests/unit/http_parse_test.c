/*
 * Promises of http/parse.h: which heads are taken, and which are refused
 * because two servers could read them in two ways.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "http/parse.h"

enum { INCOMPLETE = 0, TAKEN = 200 };

struct shape {
	const char *what;
	struct span bytes;
	int status;
};

/* What the engine would say to these bytes. */
static int status_of(struct span bytes, struct head *head)
{
	static struct header headers[8];
	size_t line = 0;
	ssize_t length = head_length(bytes, &line);

	*head = (struct head){ .headers = headers,
			       .header_room = array_size(headers) };
	if (length <= 0)
		return length < 0 ? 400 : INCOMPLETE;
	const struct refusal *wrong =
		head_parse(span_make(bytes.at, (size_t)length), head);
	return wrong ? wrong->status : TAKEN;
}

static void judge(const struct shape *shapes, size_t count)
{
	size_t wrong = 0;

	for (size_t i = 0; i < count; i++) {
		struct head head;
		int status = status_of(shapes[i].bytes, &head);

		if (status == shapes[i].status)
			continue;
		print_error("%s: %d, not %d\n", shapes[i].what, status,
			    shapes[i].status);
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

#define JUDGE(shapes) judge(shapes, array_size(shapes))

#define GET "GET / HTTP/1.1\r\n"
#define PUT "PUT / HTTP/1.1\r\nHost: a\r\n"
#define HOST "Host: a\r\n"
#define END "\r\n"

/* clang-format off */
static void the_first_line_has_one_form(void **state)
{
	static const struct shape shapes[] = {
		{ "plain", SPAN(GET HOST END), TAKEN },
		{ "1.0 without Host", SPAN("GET / HTTP/1.0\r\n\r\n"), TAKEN },
		{ "one empty line before", SPAN("\r\n" GET HOST END), TAKEN },
		{ "two empty lines before", SPAN("\r\n\r\n" GET HOST END), 400 },
		{ "an unknown method", SPAN("BREW / HTTP/1.1\r\n" HOST END), TAKEN },
		{ "a method with odd bytes", SPAN("G(T / HTTP/1.1\r\n" HOST END), 400 },
		{ "no method", SPAN(" / HTTP/1.1\r\n" HOST END), 400 },
		{ "HTTP/0.9", SPAN("GET /\r\n\r\n"), 400 },
		{ "HTTP/2.0", SPAN("PRI * HTTP/2.0\r\n\r\n"), 505 },
		{ "HTTP/1.1 with more digits", SPAN("GET / HTTP/1.10\r\n" HOST END), 400 },
		{ "a version in lower case", SPAN("GET / http/1.1\r\n" HOST END), 400 },
		{ "two blanks", SPAN("GET  / HTTP/1.1\r\n" HOST END), 400 },
		{ "two blanks before the version", SPAN("GET /  HTTP/1.1\r\n" HOST END), 400 },
		{ "a blank behind", SPAN("GET / HTTP/1.1 \r\n" HOST END), 400 },
		{ "a tab", SPAN("GET\t/ HTTP/1.1\r\n" HOST END), 400 },
		{ "a blank in the target", SPAN("GET /a b HTTP/1.1\r\n" HOST END), 400 },
		{ "TLS", SPAN("\x16\x03\x01\x02"), 400 },
		{ "binary", SPAN("\x80\x00"), 400 },
	};

	(void)state;
	JUDGE(shapes);
}

static void a_target_is_a_path_with_a_query(void **state)
{
	static const struct shape shapes[] = {
		{ "reserved characters", SPAN("GET /a:b@c/d;e=f,g!$&'()*+?h?/ HTTP/1.1\r\n" HOST END), TAKEN },
		{ "a percent sign", SPAN("GET /%2e%2E HTTP/1.1\r\n" HOST END), TAKEN },
		{ "half a percent sign", SPAN("GET /%2 HTTP/1.1\r\n" HOST END), 400 },
		{ "a percent sign with letters", SPAN("GET /%zz HTTP/1.1\r\n" HOST END), 400 },
		{ "a fragment", SPAN("GET /#a HTTP/1.1\r\n" HOST END), 400 },
		{ "not ASCII", SPAN("GET /\xc3\xa4 HTTP/1.1\r\n" HOST END), 400 },
		{ "NUL", SPAN("GET /\0 HTTP/1.1\r\n" HOST END), 400 },
		{ "a backslash", SPAN("GET /\\ HTTP/1.1\r\n" HOST END), 400 },
		{ "no slash", SPAN("GET a HTTP/1.1\r\n" HOST END), 400 },
		{ "an asterisk", SPAN("OPTIONS * HTTP/1.1\r\n" HOST END), 400 },
		{ "an authority", SPAN("CONNECT a:1 HTTP/1.1\r\n" HOST END), 400 },
		{ "another scheme", SPAN("GET ftp://a/ HTTP/1.1\r\n" HOST END), 400 },
		{ "a scheme without host", SPAN("GET http:///a HTTP/1.1\r\n" HOST END), 400 },
		{ "a user", SPAN("GET http://u@a/ HTTP/1.1\r\n" HOST END), 400 },
	};

	(void)state;
	JUDGE(shapes);
}

static void a_header_has_one_form(void **state)
{
	static const struct shape shapes[] = {
		{ "no blank", SPAN(GET HOST "A:b\r\n" END), TAKEN },
		{ "no value", SPAN(GET HOST "A:\r\n" END), TAKEN },
		{ "blanks and tabs around", SPAN(GET HOST "A: \t b\t \r\n" END), TAKEN },
		{ "not ASCII in a value", SPAN(GET HOST "A: \xc3\xa4\r\n" END), TAKEN },
		{ "a blank before the colon", SPAN(GET HOST "A : b\r\n" END), 400 },
		{ "a tab before the colon", SPAN(GET HOST "A\t: b\r\n" END), 400 },
		{ "a folded line", SPAN(GET HOST "A: b\r\n c\r\n" END), 400 },
		{ "a line folded with a tab", SPAN(GET HOST "A: b\r\n\tc\r\n" END), 400 },
		{ "a folded first line", SPAN(GET " A: b\r\n" HOST END), 400 },
		{ "no colon", SPAN(GET HOST "A\r\n" END), 400 },
		{ "no name", SPAN(GET HOST ": b\r\n" END), 400 },
		{ "not ASCII in a name", SPAN(GET HOST "\xc3\xa4: b\r\n" END), 400 },
		{ "a bare CR in a value", SPAN(GET HOST "A: b\rc\r\n" END), 400 },
		{ "a bare CR at the end", SPAN(GET HOST "A: b\r\r\n" END), 400 },
		{ "a bare CR for an empty line", SPAN(GET HOST "\r\r\n\r\n"), 400 },
		{ "a bare LF", SPAN(GET HOST "A: b\n" END), 400 },
		{ "a bare LF for an empty line", SPAN(GET HOST "\n"), 400 },
		{ "a bare LF in the first line", SPAN("GET / HTTP/1.1\n"), 400 },
		{ "NUL in a value", SPAN(GET HOST "A: b\0c\r\n" END), 400 },
		{ "NUL in a name", SPAN(GET HOST "A\0: b\r\n" END), 400 },
		{ "DEL in a value", SPAN(GET HOST "A: \x7f\r\n" END), 400 },
		{ "as many as there is room for", SPAN(GET HOST "A:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\n" END), TAKEN },
		{ "one too many", SPAN(GET HOST "A:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\n" END), 431 },
		{ "no end", SPAN(GET HOST), INCOMPLETE },
		{ "half an end", SPAN(GET HOST "\r"), INCOMPLETE },
		{ "nothing", SPAN(""), INCOMPLETE },
	};

	(void)state;
	JUDGE(shapes);
}

static void there_is_one_host(void **state)
{
	static const struct shape shapes[] = {
		{ "none", SPAN(GET END), 400 },
		{ "two", SPAN(GET HOST HOST END), 400 },
		{ "two in 1.0", SPAN("GET / HTTP/1.0\r\n" HOST HOST END), 400 },
		{ "empty", SPAN(GET "Host:\r\n" END), TAKEN },
		{ "a port", SPAN(GET "Host: a.b-c:5000\r\n" END), TAKEN },
		{ "IPv6", SPAN(GET "Host: [::1]:5000\r\n" END), TAKEN },
		{ "a path", SPAN(GET "Host: a/b\r\n" END), 400 },
		{ "a user", SPAN(GET "Host: u@a\r\n" END), 400 },
		{ "a blank", SPAN(GET "Host: a b\r\n" END), 400 },
	};

	(void)state;
	JUDGE(shapes);
}

static void the_end_of_the_body_is_said_once(void **state)
{
	static const struct shape shapes[] = {
		{ "a length", SPAN(PUT "Content-Length: 5\r\n" END), TAKEN },
		{ "the largest", SPAN(PUT "Content-Length: 9223372036854775807\r\n" END), TAKEN },
		{ "too large", SPAN(PUT "Content-Length: 9223372036854775808\r\n" END), 400 },
		{ "negative", SPAN(PUT "Content-Length: -1\r\n" END), 400 },
		{ "signed", SPAN(PUT "Content-Length: +1\r\n" END), 400 },
		{ "hexadecimal", SPAN(PUT "Content-Length: 0x1\r\n" END), 400 },
		{ "empty", SPAN(PUT "Content-Length:\r\n" END), 400 },
		{ "a list", SPAN(PUT "Content-Length: 5, 5\r\n" END), 400 },
		{ "two that are equal", SPAN(PUT "Content-Length: 5\r\nContent-Length: 5\r\n" END), 400 },
		{ "two that differ", SPAN(PUT "Content-Length: 5\r\ncontent-length: 6\r\n" END), 400 },
		{ "chunked", SPAN(PUT "Transfer-Encoding: Chunked\r\n" END), TAKEN },
		{ "chunked, and a length", SPAN(PUT "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n" END), 400 },
		{ "a length, and chunked", SPAN(PUT "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n" END), 400 },
		{ "chunked twice", SPAN(PUT "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n" END), 400 },
		{ "chunked and gzip", SPAN(PUT "Transfer-Encoding: gzip, chunked\r\n" END), 400 },
		{ "identity", SPAN(PUT "Transfer-Encoding: identity\r\n" END), 400 },
		{ "almost chunked", SPAN(PUT "Transfer-Encoding: xchunked\r\n" END), 400 },
		{ "chunked with a vertical tab", SPAN(PUT "Transfer-Encoding: \x0b""chunked\r\n" END), 400 },
		{ "no coding", SPAN(PUT "Transfer-Encoding:\r\n" END), 400 },
		{ "chunked in 1.0", SPAN("PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" END), 400 },
	};

	(void)state;
	JUDGE(shapes);
}
/* clang-format on */

static void a_head_is_taken_apart(void **state)
{
	struct head head;

	(void)state;
	assert_int_equal(
		status_of(SPAN("PATCH /v2/a?b=c?d HTTP/1.1\r\n" HOST
			       "X-Y:  z \r\nContent-Length: 12\r\n" END),
			  &head),
		TAKEN);
	assert_int_equal(head.method, METHOD_PATCH);
	assert_true(span_is(head.path, "/v2/a"));
	assert_true(span_is(head.query, "b=c?d"));
	assert_int_equal(head.header_count, 3);
	assert_true(span_is(head.headers[1].name, "X-Y"));
	assert_true(span_is(head.headers[1].value, "z"));
	assert_int_equal(head.body_size, 12);
}

static void an_absolute_target_is_its_path(void **state)
{
	struct head head;

	(void)state;
	assert_int_equal(
		status_of(SPAN("GET http://A/v2/?c HTTP/1.1\r\n" HOST END),
			  &head),
		TAKEN);
	assert_true(span_is(head.path, "/v2/"));
	assert_true(span_is(head.query, "c"));
	assert_int_equal(status_of(SPAN("GET HTTPS://a HTTP/1.1\r\n" HOST END),
				   &head),
			 TAKEN);
	assert_true(span_is(head.path, "/"));
	assert_null(head.query.at);
	assert_int_equal(status_of(SPAN("GET http://b/ HTTP/1.1\r\n" HOST END),
				   &head),
			 400);
}

static void only_1_1_is_kept_without_asking(void **state)
{
	static const struct {
		struct span bytes;
		bool keep;
	} cases[] = {
		{ SPAN(GET HOST END), true },
		{ SPAN(GET HOST "Connection: close\r\n" END), false },
		{ SPAN(GET HOST "Connection: x, CLOSE\r\n" END), false },
		{ SPAN("GET / HTTP/1.0\r\n\r\n"), false },
		{ SPAN("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"),
		  true },
	};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		struct head head;

		assert_int_equal(status_of(cases[i].bytes, &head), TAKEN);
		assert_int_equal(head.keep, cases[i].keep);
	}
}

static void a_client_may_wait_for_100_continue(void **state)
{
	struct head head;

	(void)state;
	assert_int_equal(status_of(SPAN(PUT "Expect: 100-Continue\r\n" END),
				   &head),
			 TAKEN);
	assert_true(head.expects);
	assert_int_equal(status_of(SPAN("PUT / HTTP/1.0\r\n"
					"Expect: 100-continue\r\n\r\n"),
				   &head),
			 TAKEN);
	assert_false(head.expects);
}

/* However the bytes come, the end is found at the same place. */
static void a_head_may_come_byte_by_byte(void **state)
{
	static const char text[] = GET HOST "A: b\r\n" END "rest";
	size_t whole = sizeof(text) - 1 - strlen("rest");
	size_t line = 0;

	(void)state;
	for (size_t len = 0; len < whole; len++)
		assert_int_equal(head_length(span_make(text, len), &line), 0);
	assert_int_equal(head_length(span_make(text, whole), &line), whole);
	line = 0;
	assert_int_equal(head_length(span_of(text), &line), whole);
}

/* RFC 9110, 5.6.2: the table of 256 bytes against the list in the text. */
static void a_name_is_made_of_token_bytes(void **state)
{
	static const char allowed[] =
		"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	(void)state;
	for (int c = 1; c < 256; c++) {
		char text[64];
		struct head head;
		int len = snprintf(text, sizeof(text),
				   GET HOST "A%c: b\r\n\r\n", c);
		bool fine = c == ':' || strchr(allowed, c);
		int status = status_of(span_make(text, (size_t)len), &head);

		assert_int_equal(status, fine ? TAKEN : 400);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_line_has_one_form),
		cmocka_unit_test(a_target_is_a_path_with_a_query),
		cmocka_unit_test(a_header_has_one_form),
		cmocka_unit_test(there_is_one_host),
		cmocka_unit_test(the_end_of_the_body_is_said_once),
		cmocka_unit_test(a_head_is_taken_apart),
		cmocka_unit_test(an_absolute_target_is_its_path),
		cmocka_unit_test(only_1_1_is_kept_without_asking),
		cmocka_unit_test(a_client_may_wait_for_100_continue),
		cmocka_unit_test(a_head_may_come_byte_by_byte),
		cmocka_unit_test(a_name_is_made_of_token_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
