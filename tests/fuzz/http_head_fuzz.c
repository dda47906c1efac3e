/*
 * The head of a request. Whatever is taken has the form that a second server
 * would read in the same way: written down again, it is the same request.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "http/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

enum { HEADERS = 16 };

static void check(bool promise)
{
	if (!promise)
		abort();
}

static bool has_control(struct span span)
{
	for (size_t i = 0; i < span.len; i++)
		if ((unsigned char)span.at[i] < ' ' && span.at[i] != '\t')
			return true;
	return false;
}

static bool same(struct span a, struct span b)
{
	return !a.at == !b.at && span_eq(a, b);
}

static void write_down(const struct head *head, struct buf *out)
{
	/* A method of others may have any name. */
	buf_addf(out, "%s %.*s",
		 head->method == METHOD_OTHER ? "X" : method_text(head->method),
		 SPAN_ARG(head->path));
	if (head->query.at)
		buf_addf(out, "?%.*s", SPAN_ARG(head->query));
	buf_addf(out, " HTTP/1.%d\r\n", !head->old);
	for (size_t i = 0; i < head->header_count; i++)
		buf_addf(out, "%.*s: %.*s\r\n", SPAN_ARG(head->headers[i].name),
			 SPAN_ARG(head->headers[i].value));
	buf_add(out, SPAN("\r\n"));
}

static void check_head(const struct head *head)
{
	check(span_starts(head->path, "/"));
	check(head->body_size >= -1);
	check(!head->old || head->body_size >= 0);
	for (size_t i = 0; i < head->header_count; i++) {
		check(head->headers[i].name.len > 0);
		check(!has_control(head->headers[i].name));
		check(!has_control(head->headers[i].value));
		check(same(head->headers[i].value,
			   span_trim(head->headers[i].value)));
	}
}

static void check_again(const struct head *head)
{
	auto_buf struct buf text = { 0 };
	struct header headers[HEADERS];
	struct head again = { .headers = headers, .header_room = HEADERS };
	size_t line = 0;

	write_down(head, &text);
	check(head_length(buf_span(&text), &line) == (ssize_t)text.len);
	check(!head_parse(buf_span(&text), &again));
	check(again.method == head->method && again.keep == head->keep);
	check(again.expects == head->expects);
	check(again.body_size == head->body_size);
	check(same(again.path, head->path) && same(again.query, head->query));
	check(again.header_count == head->header_count);
}

/* The same end, however the bytes come. */
static ssize_t length_of(struct span bytes)
{
	size_t at_once = 0, line = 0;
	ssize_t whole = head_length(bytes, &at_once);
	ssize_t stepwise = 0;

	for (size_t len = 0; len <= bytes.len && stepwise == 0; len++)
		stepwise = head_length(span_make(bytes.at, len), &line);
	check(whole == stepwise);
	return whole;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct span bytes = span_make((const char *)input, size);
	struct header headers[HEADERS];
	struct head head = { .headers = headers, .header_room = HEADERS };
	ssize_t length = length_of(bytes);

	if (length <= 0)
		return 0;
	check((size_t)length <= size);
	bytes.len = (size_t)length;
	const struct refusal *wrong = head_parse(bytes, &head);
	if (wrong) {
		check(wrong->status >= 400 && wrong->status <= 505);
		return 0;
	}
	check_head(&head);
	check_again(&head);
	return 0;
}
