/*
 * WWW-Authenticate, token realms and redirects: what another server says, to
 * be told whom we may tell what; and how much it will answer.
 */
#include <stdlib.h>

#include "upstream/budget.h"
#include "upstream/challenge.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static void check(bool promise)
{
	if (!promise)
		abort();
}

static void check_text(const char *text, size_t room)
{
	size_t len = strnlen(text, room);

	check(len < room);
	for (size_t i = 0; i < len; i++)
		check((unsigned char)text[i] >= ' ' && text[i] != 0x7f);
}

static void try_challenge(struct span text)
{
	struct challenge challenge;
	struct err e;

	if (challenge_parse(text, &challenge, &e) < 0) {
		check(e.kind == ERR_UPSTREAM);
		return;
	}
	check_text(challenge.realm, sizeof(challenge.realm));
	check_text(challenge.service, sizeof(challenge.service));
	check(!*challenge.realm == (challenge.kind == CHALLENGE_BASIC));
}

/* Whatever is taken has one host that is plain text, and a port. */
static void try_url(struct span text)
{
	struct client_url url;

	if (!client_url_parse(text, &url))
		return;
	check(*url.host && !strpbrk(url.host, "@/?#\\% "));
	check(span_decimal(span_of(url.port)) > 0);
	check(url.path.at >= text.at &&
	      url.path.at + url.path.len <= text.at + text.len);
	check(challenge_trusts(&url, &url));
}

static void try_redirect(struct span text)
{
	auto_with(arena_close) struct arena *arena = arena_open();
	const char *url = client_url_resolve("https://host/a/b?c", text, arena);

	if (url)
		try_url(span_of(url));
}

static void try_budget(struct span text)
{
	struct budget budget = { 0 };
	struct budget_part part;

	if (budget_parse(text, &part))
		check(part.count >= 0 && part.count <= 1000000 &&
		      part.window_s >= 0 && part.window_s <= 86400);
	budget_hear(&budget, text, SPAN("1"), 0);
	check(budget_left(&budget, 1000) >= -1);
	check(budget_stretch(&budget, 1000, 1000) >= 1000);

	int64_t ms = budget_retry_ms(text, 1800000000);
	check(ms >= -1 && ms <= 6 * 3600 * 1000);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct span text = span_make((const char *)input, size);

	try_challenge(text);
	try_budget(text);
	try_url(text);
	try_redirect(text);
	return 0;
}
