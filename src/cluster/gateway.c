/*
 * A call is one POST. What is asked for more than once may be done more than
 * once, so it is made to bear that: a lease has a number that we chose.
 *
 * A token is fetched when there is a username and none yet, and again when a
 * call is refused for want of a right one: tokens end with etcd, with time and
 * with each change of rights. Until authentication is enabled there is none,
 * and old versions refuse whoever sends one. A login costs etcd a hash that is
 * meant to be slow, so whoever is refused, or has nothing of it, does not try
 * again at once, nor do all hosts at the same time.
 */
#include "cluster/gateway.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/io.h"
#include "base/json.h"
#include "base/mem.h"
#include "client/client.h"

#define CALL_MS 3000
#define CONNECT_MS 2000
#define SILENCE_MS 60000
#define LOGIN_MS 15000 /* and up to twice that, after one in vain */
#define REPLY_BYTES ((size_t)16 * 1024 * 1024)
#define LINE_BYTES ((size_t)1024 * 1024)
#define PASSWORD_MAX ((size_t)4096)
#define TOKEN_MAX ((size_t)4096)

struct etcd {
	const struct cluster_options *options;
	struct client *client;
	struct client *hurried; /* the same, after etcd_hurry */
	size_t at;		/* the endpoint that is asked first */
	size_t shares;		/* endpoints that this call may still ask */
	char *token;		/* null: none */
	int64_t token_ms;	/* when it came */
	int64_t login_ms;	/* when another one may be asked for */
	struct err refusal;	/* why not earlier */
	char cluster[24];	/* of the newest data that was seen */
	int64_t revision;	/* of these data; 0: none was */
	_Atomic int64_t end_ms; /* of every call; INT64_MAX: no hurry */
};

/* Of gRPC, as far as there is more to do than to give up. */
enum code {
	CODE_NONE = 0,
	CODE_INVALID = 3,
	CODE_PRECONDITION = 9,
	CODE_UNAUTHENTICATED = 16
};

static const struct json_limits limits = { REPLY_BYTES, 20000, 8 };

int etcd_open(const struct cluster_options *options, struct etcd **out,
	      struct err *e)
{
	struct client_options how = {
		.ca = options->ca,
		.certificate = options->certificate,
		.key = options->key,
	};
	auto_of(client) struct client *client = NULL;
	struct client *hurried;

	if (client_open(&how, &client, e) < 0 ||
	    client_open(&how, &hurried, e) < 0)
		return err_wrap(e, "etcd");
	struct etcd *etcd = mem_alloc(sizeof(*etcd));
	etcd->options = options;
	etcd->client = steal_ptr(&client);
	etcd->hurried = hurried;
	etcd->shares = 1;
	etcd->end_ms = INT64_MAX;
	*out = etcd;
	return 0;
}

static void forget_token(struct etcd *etcd)
{
	free(etcd->token);
	etcd->token = NULL;
}

void etcd_close(struct etcd **at)
{
	struct etcd *etcd = steal_ptr(at);

	if (!etcd)
		return;
	forget_token(etcd);
	client_close(&etcd->client);
	client_close(&etcd->hurried);
	free(etcd);
}

void etcd_abort(struct etcd *etcd)
{
	client_abort(etcd->client);
	client_abort(etcd->hurried);
}

void etcd_hurry(struct etcd *etcd, int64_t ms)
{
	etcd->end_ms = clock_ms() + ms;
	client_abort(etcd->client);
}

int etcd_pause(struct etcd *etcd, int64_t ms, struct err *e)
{
	return client_pause(etcd->client, ms, e);
}

/* ---------------------------------------------------------------- replies */

void etcd_clean(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

/* What is wrong, in gRPC's words; newer gateways have no "error" in it. */
static int refuse(const struct json_value *why, enum code *code_out,
		  struct err *e)
{
	static const struct {
		int64_t code;
		enum err_kind kind;
	} kinds[] = {
		{ CODE_INVALID, ERR_REQUEST },
		{ 4, ERR_TIMEOUT },
		{ 5, ERR_NOT_FOUND },
		{ 7, ERR_DENIED },
		{ 8, ERR_NO_SPACE },
		{ CODE_PRECONDITION, ERR_PRECONDITION },
		{ 14, ERR_UNAVAILABLE },
		{ CODE_UNAUTHENTICATED, ERR_DENIED },
	};
	struct span message = json_text(json_get(why, "message"));
	enum err_kind kind = ERR_UPSTREAM;
	int64_t code = 0;

	if (!json_size(json_get(why, "code"), &code))
		json_size(json_get(why, "grpc_code"), &code);
	for (size_t i = 0; i < array_size(kinds); i++)
		if (kinds[i].code == code)
			kind = kinds[i].kind;
	*code_out = (enum code)code;
	err_set(e, kind, "says \"%.*s\" (code %lld)",
		SPAN_ARG(message.at ? message : SPAN("")), (long long)code);
	etcd_clean(e->message);
	return -1;
}

/* One exchange with one endpoint. */
struct exchange {
	struct etcd *etcd;
	const char *path;
	const char *body;
	struct client_result result;
	struct buf reply;
	enum code code; /* why it was refused */
};

static void exchange_end(struct exchange *x)
{
	buf_free(&x->reply);
}

static int gather(struct span piece, void *arg, struct err *e)
{
	struct exchange *x = arg;

	if (x->reply.len + piece.len > REPLY_BYTES)
		return err_set(e, ERR_TOO_LARGE, "answers with over 16 MiB");
	buf_add(&x->reply, piece);
	return 0;
}

const struct json_value *gateway_inner(const struct json *json)
{
	const struct json_value *result = json_get(json_root(json), "result");

	return result ? result : json_root(json);
}

/* Null if nothing is. */
static const struct json_value *wrong_of(const struct exchange *x,
					 const struct json *json)
{
	const struct json_value *root = json_root(json);
	const struct json_value *error = json_get(root, "error");

	if (json_is_object(error))
		return error;
	return error || x->result.status != 200 ? root : NULL;
}

static struct span cluster_of(const struct json_value *reply)
{
	return json_text(json_get(json_get(reply, "header"), "cluster_id"));
}

static int read_reply(struct exchange *x, struct json **out, struct err *e)
{
	auto_of(json) struct json *json = NULL;

	if (json_parse(buf_span(&x->reply), &limits, &json, e) < 0)
		return err_set(e, ERR_UPSTREAM,
			       "answers %d to %s, with no JSON: is it etcd 3.4 "
			       "or later, with its gateway?",
			       x->result.status, x->path);
	const struct json_value *wrong = wrong_of(x, json);
	if (wrong)
		return refuse(wrong, &x->code, e);
	if (!cluster_of(gateway_inner(json)).at)
		return err_set(e, ERR_UPSTREAM,
			       "answers %s, but not as etcd does: it names no "
			       "cluster",
			       x->path);
	*out = steal_ptr(&json);
	return 0;
}

static int64_t time_left(const struct etcd *etcd)
{
	int64_t left = (etcd->end_ms - clock_ms()) / (int64_t)etcd->shares;

	return left < CALL_MS ? left : CALL_MS;
}

static int perform(struct exchange *x, struct client_request *request,
		   struct err *e)
{
	const struct etcd *etcd = x->etcd;
	struct client *client = etcd->end_ms == INT64_MAX ? etcd->client :
							    etcd->hurried;
	auto_of(arena) struct arena *arena = arena_open();
	struct client_header headers[] = {
		{ "Content-Type", "application/json" },
		{ "Authorization", etcd->token },
	};

	request->method = "POST";
	request->url = arena_printf(arena, "%s%s",
				    etcd->options->urls[etcd->at], x->path);
	request->headers = headers;
	request->header_count = etcd->token ? 2 : 1;
	request->body = x->body;
	request->identify = true;
	request->connect_ms = CONNECT_MS;
	return client_perform(client, request, &x->result, e);
}

static int exchange(struct exchange *x, struct json **out, struct err *e)
{
	struct client_request request = {
		.total_ms = time_left(x->etcd),
		.on_body = gather,
		.arg = x,
	};

	buf_clear(&x->reply);
	x->code = CODE_NONE;
	if (request.total_ms <= 0)
		return err_set(e, ERR_TIMEOUT, "there is no time left");
	if (perform(x, &request, e) < 0)
		return -1;
	return read_reply(x, out, e);
}

/* ------------------------------------------------------------------ tokens */

static int add_login(const struct cluster_options *options, struct buf *out,
		     struct err *e)
{
	auto_buf struct buf line = { 0 };

	if (io_read_line(options->password_file, PASSWORD_MAX, &line, e) < 0) {
		e->kind = ERR_DENIED;
		return -1;
	}
	buf_add(out, SPAN("{\"name\":"));
	json_quote(out, span_of(options->username));
	buf_add(out, SPAN(",\"password\":"));
	json_quote(out, buf_span(&line));
	buf_add(out, SPAN("}"));
	return 0;
}

static bool is_token(struct span text)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz"
				      "0123456789._~+/=-";

	return text.len <= TOKEN_MAX && span_made_of(text, letters);
}

static void login_in_vain(struct etcd *etcd, const struct err *why)
{
	uint32_t random;

	random_bytes(&random, sizeof(random));
	etcd->login_ms = clock_ms() + LOGIN_MS + random % LOGIN_MS;
	etcd->refusal = *why;
}

/* Fine, but without a token, if etcd wants none from anybody. */
static int login(struct etcd *etcd, struct err *e)
{
	auto_buf struct buf body = { 0 };
	auto_of(json) struct json *json = NULL;

	if (clock_ms() < etcd->login_ms) {
		*e = etcd->refusal;
		return -1;
	}
	forget_token(etcd);
	if (add_login(etcd->options, &body, e) < 0)
		return -1;
	auto_with(exchange_end) struct exchange x = {
		.etcd = etcd,
		.path = "/v3/auth/authenticate",
		.body = body.at,
	};
	int failed = exchange(&x, &json, e);
	if (failed && x.code == CODE_PRECONDITION)
		return 0;
	if (failed && x.code == CODE_INVALID)
		e->kind = ERR_DENIED;
	if (failed && e->kind == ERR_DENIED)
		login_in_vain(etcd, e);
	if (failed)
		return -1;
	struct span token = json_text(json_get(gateway_inner(json), "token"));
	if (!is_token(token))
		return err_set(e, ERR_UPSTREAM, "logs in without a token");
	etcd->token = mem_array(token.len + 1, 1);
	memcpy(etcd->token, token.at, token.len);
	etcd->token_ms = clock_ms();
	return 0;
}

/* Also for want of a token at all, which is no error of its own. */
static bool wants_token(const struct exchange *x)
{
	return x->etcd->options->username &&
	       (x->code == CODE_UNAUTHENTICATED || x->code == CODE_INVALID);
}

static int exchange_with_token(struct exchange *x, struct json **out,
			       struct err *e)
{
	struct etcd *etcd = x->etcd;

	if (etcd->options->username && !etcd->token && login(etcd, e) < 0)
		return -1;
	if (exchange(x, out, e) == 0)
		return 0;
	if (!wants_token(x) || login(etcd, e) < 0)
		return -1;
	if (exchange(x, out, e) == 0)
		return 0;
	if (wants_token(x))
		login_in_vain(etcd, e);
	return -1;
}

/* ------------------------------------------------------------------- calls */

/* May another endpoint know better? */
static bool is_out_of_reach(const struct err *e)
{
	return e->kind == ERR_UNAVAILABLE || e->kind == ERR_TIMEOUT ||
	       e->kind == ERR_UPSTREAM;
}

static void next_endpoint(struct etcd *etcd)
{
	etcd->at = (etcd->at + 1) % etcd->options->url_count;
}

int gateway_call(struct etcd *etcd, const char *path, const struct buf *body,
		 struct json **out, struct err *e)
{
	auto_with(exchange_end) struct exchange x = {
		.etcd = etcd,
		.path = path,
		.body = body->at,
	};

	for (size_t i = 0; i < etcd->options->url_count; i++) {
		etcd->shares = etcd->options->url_count - i;
		if (exchange_with_token(&x, out, e) == 0)
			return 0;
		err_wrap(e, "etcd at %s", etcd->options->urls[etcd->at]);
		if (!is_out_of_reach(e))
			return -1;
		next_endpoint(etcd);
	}
	return -1;
}

bool gateway_goes_back(struct etcd *etcd, const struct json_value *reply,
		       int64_t revision)
{
	struct span cluster = cluster_of(reply);
	bool same = span_is(cluster, etcd->cluster);
	bool back = same && revision < etcd->revision;

	if (!same)
		span_copy(cluster, etcd->cluster, sizeof(etcd->cluster));
	etcd->revision = revision;
	return back;
}

/* ----------------------------------------------------------------- streams */

struct stream {
	struct exchange x;
	void (*news)(void *arg);
	void *arg;
};

static int say_canceled(const struct json_value *result, struct err *e)
{
	struct span why = json_text(json_get(result, "cancel_reason"));

	err_set(e, ERR_DENIED, "ends the watch: %.*s",
		SPAN_ARG(why.at ? why : SPAN("")));
	etcd_clean(e->message);
	return -1;
}

/* One line is one message; what it says in detail is not looked at. */
static int hear(struct stream *stream, struct err *e)
{
	struct span line = buf_span(&stream->x.reply);
	auto_of(json) struct json *json = NULL;

	if (json_parse(line, &limits, &json, e) < 0)
		return err_set(e, ERR_UPSTREAM, "streams what is no JSON");
	const struct json_value *wrong = wrong_of(&stream->x, json);
	if (wrong)
		return refuse(wrong, &stream->x.code, e);
	if (json_get(gateway_inner(json), "canceled"))
		return say_canceled(gateway_inner(json), e);
	stream->news(stream->arg);
	return 0;
}

static int on_piece(struct span piece, void *arg, struct err *e)
{
	struct stream *stream = arg;
	struct buf *line = &stream->x.reply;

	while (piece.at) {
		buf_add(line, span_cut(&piece, '\n'));
		if (line->len > LINE_BYTES)
			return err_set(e, ERR_TOO_LARGE,
				       "streams a line of over 1 MiB");
		if (piece.at && line->len > 0) {
			if (hear(stream, e) < 0)
				return -1;
			buf_clear(line);
		}
	}
	return 0;
}

static int listen_on(struct stream *stream, struct err *e)
{
	struct client_request request = {
		.silence_ms = SILENCE_MS,
		.pace_ms = INT64_MAX,
		.on_body = on_piece,
		.arg = stream,
	};

	if (perform(&stream->x, &request, e) < 0)
		return -1;
	return err_set(e, ERR_UPSTREAM, "ends the watch with %d",
		       stream->x.result.status);
}

int gateway_listen(struct etcd *etcd, const struct gateway_stream *how,
		   struct err *e)
{
	struct stream stream = {
		.x = { .etcd = etcd, .path = how->path, .body = how->body->at },
		.news = how->news,
		.arg = how->arg,
	};
	int failed = 0;

	if (etcd->options->username && !etcd->token)
		failed = login(etcd, e);
	if (!failed)
		failed = listen_on(&stream, e);
	exchange_end(&stream.x);
	if (e->kind == ERR_DENIED && etcd->token &&
	    clock_ms() < etcd->token_ms + LOGIN_MS)
		login_in_vain(etcd, e);
	err_wrap(e, "etcd at %s", etcd->options->urls[etcd->at]);
	if (e->kind == ERR_DENIED)
		forget_token(etcd);
	else
		next_endpoint(etcd);
	return failed;
}
