/*
 * We ask for what we need, "repository:<name>:pull", whatever scope the
 * challenge names. Two threads that miss the same token both ask; the later
 * answer stays.
 */
#include "upstream/token.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/thread.h"
#include "upstream/account.h"

#define SLOTS 256			/* tokens of one upstream */
#define ANSWER_MAX ((size_t)256 * 1024) /* bytes */
#define TOKEN_MAX ((size_t)16 * 1024)	/* no server takes a longer header */
#define LIFETIME_S 60			/* where the realm does not say */
#define LIFETIME_MAX_S 3600
#define LIFETIME_USED_MS 800 /* of each second; the rest is margin */

struct token {
	char *text;
	int64_t until_ms;
};

struct slot {
	const struct address *address; /* null: free */
	const struct account *account;
	struct name name;
	struct token token;
};

struct tokens {
	pthread_mutex_t mutex;
	struct slot slots[SLOTS];
};

/* ------------------------------------------------------------------ cache */

struct tokens *tokens_open(void)
{
	struct tokens *tokens = mem_alloc(sizeof(*tokens));

	pthread_mutex_init(&tokens->mutex, NULL);
	return tokens;
}

void tokens_close(struct tokens **at)
{
	struct tokens *tokens = steal_ptr(at);

	if (!tokens)
		return;
	for (size_t i = 0; i < SLOTS; i++)
		free(tokens->slots[i].token.text);
	pthread_mutex_destroy(&tokens->mutex);
	free(tokens);
}

static bool is_for(const struct slot *slot, const struct token_key *key)
{
	return slot->address == key->address && slot->account == key->account &&
	       strcmp(slot->name.s, key->name->s) == 0;
}

const char *tokens_find(struct tokens *tokens, const struct token_key *key,
			struct arena *arena)
{
	int64_t now = clock_ms();

	hold_mutex(&tokens->mutex);
	for (size_t i = 0; i < SLOTS; i++) {
		const struct slot *slot = &tokens->slots[i];

		if (is_for(slot, key) && slot->token.until_ms > now)
			return arena_text(arena, span_of(slot->token.text));
	}
	return NULL;
}

/* The slot it has, else the one that ends first; free ones ended at 0. */
static struct slot *slot_for(struct tokens *tokens, const struct token_key *key)
{
	struct slot *first = &tokens->slots[0];

	for (size_t i = 0; i < SLOTS; i++) {
		struct slot *slot = &tokens->slots[i];

		if (is_for(slot, key))
			return slot;
		if (slot->token.until_ms < first->token.until_ms)
			first = slot;
	}
	return first;
}

/* Takes the text of `token`. */
static void tokens_keep(struct tokens *tokens, const struct token_key *key,
			const struct token *token)
{
	hold_mutex(&tokens->mutex);
	struct slot *slot = slot_for(tokens, key);

	free(slot->token.text);
	*slot = (struct slot){ key->address, key->account, *key->name, *token };
}

/* ----------------------------------------------------------------- asking */

/* What the realm is asked, and what it says. */
struct realm {
	struct upstream *upstream;
	struct account *account;
	const char *url;
	int64_t until_ms;     /* clock_ms */
	bool trusted;	      /* to be told who we are */
	const char *password; /* null: it is asked anonymously */
	int status;
	struct buf body;
};

static void realm_free(struct realm *realm)
{
	buf_free(&realm->body);
}

static int answer_head(const struct client_head *head, void *arg, struct err *e)
{
	struct realm *realm = arg;

	realm->status = client_status(head);
	if (realm->status == 429)
		accounts_hear(realm->upstream->standing->accounts,
			      realm->account, head);
	return realm->status == 200 ?
		       0 :
		       upstream_refused(realm->status, ERR_UPSTREAM, e);
}

static int answer_body(struct span piece, void *arg, struct err *e)
{
	struct realm *realm = arg;

	metric_add_for(realm->upstream->metrics, EACH_BYTES,
		       (int64_t)piece.len);
	if (piece.len > ANSWER_MAX - realm->body.len)
		return err_set(e, ERR_UPSTREAM, "sent an endless token");
	buf_add(&realm->body, piece);
	return 0;
}

static void add_escaped(struct buf *url, const char *key, const char *value)
{
	bool first = span_find(buf_span(url), '?') < 0;

	buf_addf(url, "%c%s=", first ? '?' : '&', key);
	for (; *value; value++) {
		unsigned char c = (unsigned char)*value;
		bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
			     (c >= 'A' && c <= 'Z') || strchr("-._~", c);

		buf_addf(url, plain ? "%c" : "%%%02X", c);
	}
}

static void build_url(const struct challenge *challenge,
		      const struct name *name, struct buf *url)
{
	auto_buf struct buf scope = { 0 };
	struct span rest = span_of(challenge->realm);

	buf_addf(&scope, "repository:%s:pull", name->s);
	buf_add(url, span_cut(&rest, '#'));
	if (*challenge->service)
		add_escaped(url, "service", challenge->service);
	add_escaped(url, "scope", scope.at);
}

/* It becomes the value of a header: printable, and no blank in it. */
static bool is_token(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] <= ' ' || text.at[i] > '~')
			return false;
	return text.len > 0 && text.len <= TOKEN_MAX;
}

/* {"token": …, "expires_in": 300}, or "access_token". */
static int read_token(struct span body, struct token *out, struct err *e)
{
	static const struct json_limits limits = {
		.bytes = ANSWER_MAX,
		.tokens = 1000,
		.depth = 8,
	};
	auto_of(json) struct json *json = NULL;
	int64_t lifetime_s;

	if (json_parse(body, &limits, &json, e) < 0)
		return err_set(e, ERR_UPSTREAM, "sent no JSON");
	const struct json_value *root = json_root(json);
	struct span text = json_text(json_get(root, "token"));
	if (!text.at)
		text = json_text(json_get(root, "access_token"));
	if (!is_token(text))
		return err_set(e, ERR_UPSTREAM, "sent no token");

	if (!json_size(json_get(root, "expires_in"), &lifetime_s) ||
	    lifetime_s == 0)
		lifetime_s = LIFETIME_S;
	if (lifetime_s > LIFETIME_MAX_S)
		lifetime_s = LIFETIME_MAX_S;
	out->text = strndup(text.at, text.len);
	out->until_ms = clock_ms() + lifetime_s * LIFETIME_USED_MS;
	return 0;
}

static int ask_realm(struct realm *realm, struct err *e)
{
	struct upstream *upstream = realm->upstream;
	int64_t left_ms = realm->until_ms - clock_ms();
	struct account *account = realm->account;
	struct client_result result;
	struct client_request request = {
		.method = "GET",
		.url = realm->url,
		.username = realm->password ? account->username : NULL,
		.password = realm->password,
		.identify = realm->trusted,
		.silence_ms = upstream->silence_ms,
		.total_ms = left_ms > 0 ? left_ms : 1,
		.on_head = answer_head,
		.on_body = answer_body,
		.arg = realm,
	};

	int failed = upstream_exchange(upstream, &request, "token", &result, e);
	if (failed && realm->status == 401 && realm->password)
		account_refuse(upstream->standing->accounts, account,
			       realm->password);
	return failed;
}

int tokens_fetch(struct upstream *upstream, const struct token_key *key,
		 const struct challenge *challenge, int64_t until_ms,
		 struct err *e)
{
	auto_with(arena_close) struct arena *arena = arena_open();
	auto_buf struct buf url = { 0 };
	struct token token = { 0 };
	struct client_url parsed;

	build_url(challenge, key->name, &url);
	if (!client_url_parse(buf_span(&url), &parsed))
		return err_set(e, ERR_UPSTREAM, "its realm is no http(s) URL");

	auto_with(realm_free) struct realm realm = {
		.upstream = upstream,
		.account = key->account,
		.url = url.at,
		.until_ms = until_ms,
		.trusted = challenge_trusts(&key->address->parsed, &parsed),
	};
	if (key->account->username && realm.trusted &&
	    account_password(upstream->standing->accounts, key->account, arena,
			     &realm.password, e) < 0)
		return -1;
	if (ask_realm(&realm, e) < 0 ||
	    read_token(buf_span(&realm.body), &token, e) < 0)
		return err_wrap(e, "token from %s", parsed.host);
	tokens_keep(upstream->standing->tokens, key, &token);
	return 0;
}
