/*
 * A question takes several hops: the address says 401, the realm gives a
 * token, the address says 307, another server has the bytes. It takes them
 * again for each account, until one of them is let in.
 */
#include "upstream/ask.h"

#include <stdio.h>

#include "base/clock.h"
#include "upstream/account.h"
#include "upstream/token.h"

#define REDIRECTS_MAX 5
#define WASTE_MAX ((int64_t)64 * 1024) /* of a body that nobody reads */
#define CONNECT_MS 5000

struct hop {
	const struct ask *ask;
	struct address *address;
	struct account *account;
	struct arena *arena;
	int64_t silence_ms;  /* of an answer */
	int64_t begin_by_ms; /* clock_ms: the answer, for all accounts */
	const char *url;
	bool home;    /* never left the address so far */
	bool renewed; /* what it asks for was got once */
	bool probing; /* by GET, for a HEAD that is refused */
	int redirects;

	/* what was sent, and came back */
	const char *password; /* null: none was */
	bool enough;	      /* no more of it is needed */
	int status;
	const char *location;  /* null: none */
	const char *challenge; /* likewise */
	int64_t waste;
};

static bool is_answer(int status)
{
	return status == 200 || status == 206 || status == 416;
}

static bool is_redirect(int status)
{
	return (status >= 301 && status <= 303) || status == 307 ||
	       status == 308;
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* ---------------------------------------------------------------- one hop */

static const char *keep_header(const struct hop *hop,
			       const struct client_head *head, const char *name)
{
	struct span value = client_header(head, name);

	return value.at ? arena_text(hop->arena, value) : NULL;
}

static int check_encoding(const struct client_head *head, struct err *e)
{
	struct span encoding = client_header(head, "Content-Encoding");

	if (encoding.at && !span_is_nocase(encoding, "identity"))
		return err_set(e, ERR_UPSTREAM,
			       "sent %.*s, which was not asked",
			       SPAN_ARG(encoding));
	return 0;
}

static int hop_head(const struct client_head *head, void *arg, struct err *e)
{
	struct hop *hop = arg;

	hop->status = client_status(head);
	hop->location = keep_header(hop, head, "Location");
	hop->challenge = keep_header(hop, head, "WWW-Authenticate");
	if (hop->home)
		accounts_hear(hop->ask->upstream->standing->accounts,
			      hop->account, head);
	if (!is_answer(hop->status))
		return 0;
	if (check_encoding(head, e) < 0 ||
	    hop->ask->on_head(head, hop->ask->arg, e) < 0)
		return -1;
	hop->enough = hop->probing && hop->status == 200;
	return hop->enough ? err_set(e, ERR_CLOSED, "no more is needed") : 0;
}

static int hop_body(struct span piece, void *arg, struct err *e)
{
	struct hop *hop = arg;
	const struct ask *ask = hop->ask;

	metric_add_for(ask->upstream->metrics, EACH_BYTES, (int64_t)piece.len);
	if (is_answer(hop->status) && ask->on_body)
		return ask->on_body(piece, ask->arg, e);
	hop->waste += (int64_t)piece.len;
	if (hop->waste > WASTE_MAX)
		return err_set(e, ERR_UPSTREAM, "sent more than was asked");
	return 0;
}

static void add_header(struct client_request *request,
		       struct client_header *room, const char *name,
		       const char *value)
{
	room[request->header_count++] = (struct client_header){ name, value };
}

static struct token_key key_of(const struct hop *hop)
{
	return (struct token_key){
		.address = hop->address,
		.account = hop->account,
		.name = hop->ask->question->name,
	};
}

/* Basic or a token, if the address is known to want one of them. */
static int authorise(struct hop *hop, struct client_request *request,
		     struct client_header *room, struct err *e)
{
	struct standing *standing = hop->ask->upstream->standing;
	struct token_key key = key_of(hop);

	if (hop->address->wants_basic && hop->account->username) {
		if (account_password(standing->accounts, hop->account,
				     hop->arena, &hop->password, e) < 0)
			return -1;
		request->username = hop->account->username;
		request->password = hop->password;
		return 0;
	}
	const char *token = tokens_find(standing->tokens, &key, hop->arena);
	if (token)
		add_header(request, room, "Authorization",
			   arena_printf(hop->arena, "Bearer %s", token));
	return 0;
}

/* RFC 9110, 7.6.3: so whoever leads back to us is noticed. */
static void add_via(const struct hop *hop, struct client_request *request,
		    struct client_header *room)
{
	const char *ours = hop->ask->upstream->pseudonym;
	const char *before = hop->ask->question->via;

	if (ours)
		add_header(request, room, "Via",
			   arena_printf(hop->arena, "%s%s1.1 %s",
					before ? before : "",
					before ? ", " : "", ours));
}

static bool is_settled(const struct hop *hop)
{
	return hop->enough || (hop->status && !is_answer(hop->status));
}

static int say_late(struct err *e)
{
	return err_set(e, ERR_TIMEOUT, "no answer in time");
}

/* 0 once the status is known, also if the body of a refusal broke. */
static int hop_perform(struct hop *hop, struct err *e)
{
	const struct ask *ask = hop->ask;
	int64_t head_ms = least(hop->begin_by_ms - clock_ms(), hop->silence_ms);
	struct client_header headers[4];
	struct client_result result;
	struct client_request request = {
		.method = hop->probing ? "GET" : ask->method,
		.url = hop->url,
		.headers = headers,
		.connect_ms = least(CONNECT_MS, head_ms),
		.head_ms = head_ms,
		.silence_ms = hop->silence_ms,
		.pace_ms = ask->upstream->pace_ms,
		.identify = hop->home,
		.on_head = hop_head,
		.on_body = hop_body,
		.arg = hop,
	};

	if (head_ms <= 0)
		return say_late(e);
	if (ask->deadline_ms) {
		request.total_ms = ask->deadline_ms - clock_ms();
		if (request.total_ms <= 0)
			return say_late(e);
	}
	if (ask->header.name)
		add_header(&request, headers, ask->header.name,
			   ask->header.value);
	if (hop->probing)
		add_header(&request, headers, "Range", "bytes=0-0");
	add_via(hop, &request, headers);
	hop->password = NULL;
	if (hop->home && authorise(hop, &request, headers, e) < 0)
		return -1;

	hop->status = 0;
	hop->waste = 0;
	int failed = upstream_exchange(ask->upstream, &request,
				       ask->question->reason, &result, e);
	return is_settled(hop) ? 0 : failed;
}

/* --------------------------------------------------------- the next hop */

/* Where to? What began with TLS stays with TLS. */
static int hop_follow(struct hop *hop, struct err *e)
{
	struct client_url here, there;

	if (hop->redirects++ == REDIRECTS_MAX)
		return err_set(e, ERR_UPSTREAM, "redirects more than %d times",
			       REDIRECTS_MAX);
	const char *url = hop->location ?
				  client_url_resolve(hop->url,
						     span_of(hop->location),
						     hop->arena) :
				  NULL;

	if (!url || !client_url_parse(span_of(hop->url), &here) ||
	    !client_url_parse(span_of(url), &there))
		return err_set(e, ERR_UPSTREAM, "redirects to no http(s) URL");
	if (strcmp(here.scheme, "https") == 0 &&
	    strcmp(there.scheme, "https") != 0)
		return err_set(e, ERR_UPSTREAM,
			       "redirects from https to %s://%s", there.scheme,
			       there.host);
	hop->home = hop->home && client_url_same_origin(&here, &there);
	hop->url = url;
	return 0;
}

/* What servers say to a path that they do not know. */
static bool is_unsupported(int status)
{
	return status == 400 || status == 405 || status == 406 || status == 501;
}

/*
 * Away from home a 401 or 403 means an outworn link, and is no denial. At home
 * a 401 to a password means that this is not the one.
 */
static int hop_refused(const struct hop *hop, struct err *e)
{
	struct upstream *upstream = hop->ask->upstream;
	struct client_url url;

	if (hop->status == 401 && hop->password)
		account_refuse(upstream->standing->accounts, hop->account,
			       hop->password);
	upstream_refused(hop->status, hop->ask->unknown, e);
	if (hop->ask->unsupported && is_unsupported(hop->status))
		e->kind = hop->ask->unsupported;
	if (hop->home || !client_url_parse(span_of(hop->url), &url))
		return -1;
	if (e->kind == ERR_DENIED)
		e->kind = ERR_UPSTREAM;
	return err_wrap(e, "%s", url.host);
}

/* A 401: gets what it asks for, to be tried once. */
static int hop_renew(struct hop *hop, struct err *e)
{
	struct token_key key = key_of(hop);
	struct challenge challenge;

	hop->renewed = true;
	if (!hop->challenge)
		return err_set(e, ERR_DENIED, "answered 401 and asks nothing");
	if (challenge_parse(span_of(hop->challenge), &challenge, e) < 0)
		return -1;
	if (challenge.kind == CHALLENGE_BEARER) {
		hop->address->wants_basic = false;
		return tokens_fetch(hop->ask->upstream, &key, &challenge,
				    hop->begin_by_ms, e);
	}
	if (hop->password)
		return hop_refused(hop, e);
	if (!hop->account->username)
		return err_set(e, ERR_DENIED, "wants a username and password");
	hop->address->wants_basic = true;
	return 0;
}

/* A link to storage may have been signed for GET alone. */
static bool may_probe(const struct hop *hop)
{
	return hop->ask->is_blob && !hop->home && !hop->probing &&
	       strcmp(hop->ask->method, "HEAD") == 0;
}

/* After what was no answer: gets ready for another exchange, or gives up. */
static int hop_prepare(struct hop *hop, struct err *e)
{
	if (is_redirect(hop->status))
		return hop_follow(hop, e);
	if (hop->status == 401 && hop->home && !hop->renewed)
		return hop_renew(hop, e);
	if (!may_probe(hop))
		return hop_refused(hop, e);
	hop->probing = true;
	return 0;
}

static int ask_as(const struct hop *first, struct account *account,
		  struct err *e)
{
	auto_with(arena_close) struct arena *arena = arena_open();
	struct hop hop = *first;

	hop.account = account;
	hop.arena = arena;
	hop.url = arena_printf(arena, "%s%s", hop.address->url, hop.ask->path);
	for (;;) {
		if (hop_perform(&hop, e) < 0)
			return -1;
		if (is_answer(hop.status))
			return 0;
		if (hop_prepare(&hop, e) < 0)
			return -1;
	}
}

/* It was told to wait, or whom it was told no by may know less than others. */
static int say_busy(const struct ask *ask, const struct account_turn *turn,
		    struct err *e)
{
	int64_t ms = accounts_paused_ms(ask->upstream->standing->accounts);
	int seconds = (int)((ms + 999) / 1000);

	if (!turn->tried)
		err_set(e, ERR_BUSY, "answered 429, and is asked again in %d s",
			seconds);
	if (turn->paused && e->kind == ERR_DENIED)
		e->kind = ERR_BUSY;
	if (e->kind == ERR_BUSY)
		e->retry_s = seconds;
	return -1;
}

static int answered(const struct hop *first, const struct account_turn *turn)
{
	if (turn->counted)
		accounts_answered(first->ask->upstream->standing->accounts,
				  turn->account);
	return 0;
}

static int ask_accounts(const struct hop *first, struct err *e)
{
	const struct ask *ask = first->ask;
	struct account_turn turn = { .counted = !ask->is_blob };

	while (accounts_next(ask->upstream->standing->accounts, &turn)) {
		if (ask_as(first, turn.account, e) == 0)
			return answered(first, &turn);
		if (e->kind != ERR_DENIED && e->kind != ERR_BUSY)
			return -1;
		turn.paused = turn.paused || e->kind == ERR_BUSY;
	}
	return say_busy(ask, &turn, e);
}

int ask_at(const struct ask *ask, size_t index, int64_t patience_ms,
	   struct err *e)
{
	struct standing *standing = ask->upstream->standing;
	struct hop first = {
		.ask = ask,
		.address = &standing->addresses[index],
		.silence_ms = least(ask->upstream->silence_ms, patience_ms),
		.begin_by_ms = clock_ms() + patience_ms,
		.home = true,
	};
	int failed = ask_accounts(&first, e);

	health_note(&standing->health, failed ? e : NULL);
	return failed;
}

int ask_each(struct ask *ask, struct err *e)
{
	const struct upstream *upstream = ask->upstream;
	size_t left = upstream->standing->address_count;
	int failed = -1;

	ask->deadline_ms = clock_ms() + upstream->answer_ms;
	if (ask->question->until_ms)
		ask->deadline_ms =
			least(ask->deadline_ms, ask->question->until_ms);
	for (size_t i = 0; left > 0; i++, left--) {
		int64_t share = (ask->deadline_ms - clock_ms()) / (int64_t)left;

		failed = ask_at(ask, i, share > 0 ? share : 1, e);
		if (failed == 0 || e->kind == ERR_CLOSED)
			break;
	}
	return failed ? err_wrap(e, "upstream %s", upstream->name) : 0;
}
