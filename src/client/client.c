/*
 * A `line` is what one exchange needs of libcurl: an easy handle, and a multi
 * handle that drives it and keeps its connections. Lines that are done wait
 * in a list for the next exchange. We drive the multi ourselves, instead of
 * calling curl_easy_perform, so that deadlines are exact and client_abort can
 * wake whoever waits.
 */
#include "client/client.h"

#include <curl/curl.h>
#include <limits.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "client/pem.h"

#define IDLE_MAX 32		      /* lines kept for later */
#define HEAD_MAX ((size_t)64 * 1024)  /* bytes */
#define RECEIVE_BUFFER (64L * 1024)   /* bytes; libcurl's */
#define GATHERED ((size_t)256 * 1024) /* bytes, for one call of on_body */

struct line {
	struct line *next;
	CURLM *multi;
	CURL *easy;
	bool busy;
};

struct client {
	char *ca; /* these four as of struct client_options */
	char *certificate;
	char *key;
	char *proxy;
	pthread_mutex_t mutex; /* for all below */
	pthread_cond_t aborting;
	struct line *lines;
	size_t idle; /* how many lines are not busy */
	bool aborted;
};

struct client_head {
	CURL *easy;
	struct arena *arena;
};

/* One call of client_perform. */
struct exchange {
	const struct client_request *request;
	struct client_head head;
	struct client_result *result;
	size_t head_bytes;
	char *gathered; /* GATHERED bytes, or null; owned */
	size_t gathered_len;
	bool begun;	  /* the head of the answer is complete */
	bool stopped;	  /* by ourselves; `e` says why */
	int64_t heard_ms; /* when the last byte came; of the head, the last */
	struct pace {
		int64_t waited_ms; /* for the other side */
		int64_t bytes;	   /* of the body, before that */
	} pace;
	int64_t end_ms;
	struct err *e;
};

/* ------------------------------------------------------------------ lines */

static struct line *line_open(void)
{
	struct line *line = mem_alloc(sizeof(*line));

	line->multi = curl_multi_init();
	line->easy = curl_easy_init();
	if (!line->multi || !line->easy)
		abort(); /* out of memory */
	return line;
}

static void line_close(struct line *line)
{
	curl_easy_cleanup(line->easy);
	curl_multi_cleanup(line->multi);
	free(line);
}

/*
 * The first idle line of the list, so that a few are used again and again
 * while their connections are warm.
 */
static struct line *line_take(struct client *client)
{
	hold_mutex(&client->mutex);
	struct line **at = &client->lines;

	while (*at && (*at)->busy)
		at = &(*at)->next;
	if (*at)
		client->idle--;
	else
		*at = line_open();
	(*at)->busy = true;
	return *at;
}

/* True if the line stays in the list for the next exchange. */
static bool line_keep(struct client *client, struct line *line)
{
	hold_mutex(&client->mutex);
	struct line **at = &client->lines;

	line->busy = false;
	if (client->idle < IDLE_MAX) {
		client->idle++;
		return true;
	}
	while (*at != line)
		at = &(*at)->next;
	*at = line->next;
	return false;
}

static void line_give_back(struct client *client, struct line *line)
{
	curl_easy_reset(line->easy);
	if (!line_keep(client, line))
		line_close(line);
}

/* ----------------------------------------------------------------- client */

static void start_curl(void)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		abort(); /* out of memory */
}

int client_open(const struct client_options *options, struct client **out,
		struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	if (pem_check(options->ca, PEM_CERTIFICATE, e) < 0 ||
	    pem_check(options->certificate, PEM_CERTIFICATE, e) < 0 ||
	    pem_check(options->key, PEM_KEY, e) < 0)
		return -1;
	pthread_once(&once, start_curl);

	struct client *client = mem_alloc(sizeof(*client));
	client->ca = mem_text(options->ca);
	client->certificate = mem_text(options->certificate);
	client->key = mem_text(options->key);
	client->proxy = mem_text(options->proxy);
	pthread_mutex_init(&client->mutex, NULL);
	cond_open(&client->aborting);
	*out = client;
	return 0;
}

void client_close(struct client **at)
{
	struct client *client = steal_ptr(at);

	if (!client)
		return;
	while (client->lines) {
		struct line *line = client->lines;

		client->lines = line->next;
		line_close(line);
	}
	pthread_cond_destroy(&client->aborting);
	pthread_mutex_destroy(&client->mutex);
	free(client->ca);
	free(client->certificate);
	free(client->key);
	free(client->proxy);
	free(client);
}

void client_abort(struct client *client)
{
	hold_mutex(&client->mutex);

	client->aborted = true;
	pthread_cond_broadcast(&client->aborting);
	for (struct line *line = client->lines; line; line = line->next)
		curl_multi_wakeup(line->multi);
}

static bool is_aborted(struct client *client)
{
	hold_mutex(&client->mutex);
	return client->aborted;
}

static int say_aborted(struct err *e)
{
	return err_set(e, ERR_CLOSED, "this registry is stopping");
}

int client_pause(struct client *client, int64_t ms, struct err *e)
{
	int64_t deadline = clock_ms() + ms;

	thread_may_wait("client_pause");
	hold_mutex(&client->mutex);
	while (!client->aborted && clock_ms() < deadline)
		cond_wait_until(&client->aborting, &client->mutex, deadline);
	return client->aborted ? say_aborted(e) : 0;
}

/* --------------------------------------------------------------- the head */

int client_status(const struct client_head *head)
{
	long status = 0;

	curl_easy_getinfo(head->easy, CURLINFO_RESPONSE_CODE, &status);
	return (int)status;
}

/* The `index`th header of that name; null if there are not so many. */
static struct curl_header *find_header(const struct client_head *head,
				       const char *name, size_t index)
{
	struct curl_header *found;

	if (curl_easy_header(head->easy, name, index, CURLH_HEADER, -1,
			     &found) != CURLHE_OK)
		return NULL;
	return found;
}

struct span client_header(const struct client_head *head, const char *name)
{
	struct curl_header *header = find_header(head, name, 0);
	const char *joined = NULL;

	for (size_t i = 0; header; header = find_header(head, name, ++i))
		joined = joined ? arena_printf(head->arena, "%s, %s", joined,
					       header->value) :
				  arena_text(head->arena,
					     span_of(header->value));
	return span_of(joined);
}

int64_t client_body_size(const struct client_head *head)
{
	if (find_header(head, "Transfer-Encoding", 0))
		return -1;
	return span_decimal(client_header(head, "Content-Length"));
}

static int check_head(const struct client_head *head, struct err *e)
{
	struct span length = client_header(head, "Content-Length");

	if (length.at && span_decimal(length) < 0)
		return err_set(e, ERR_UPSTREAM,
			       "answered with the Content-Length \"%.*s\"",
			       SPAN_ARG(length));
	return 0;
}

/* -------------------------------------------------------------- callbacks */

/* What a callback of libcurl returns; `result` is that of one of ours. */
static size_t go_on(struct exchange *x, int result, size_t taken)
{
	if (x->begun)
		x->heard_ms = clock_ms();
	x->stopped = result < 0;
	return result < 0 ? CURL_WRITEFUNC_ERROR : taken;
}

static int begin(struct exchange *x)
{
	const struct client_request *request = x->request;

	x->begun = true;
	x->result->status = client_status(&x->head);
	if (check_head(&x->head, x->e) < 0)
		return -1;
	return request->on_head ?
		       request->on_head(&x->head, request->arg, x->e) :
		       0;
}

/* Called for each line: also of 1xx answers, and of trailers at the end. */
static size_t on_header(char *at, size_t size, size_t count, void *arg)
{
	struct exchange *x = arg;
	struct span line = span_make(at, size * count);
	bool last = span_is(line, "\r\n") || span_is(line, "\n");
	int result = 0;

	x->head_bytes += line.len;
	if (x->head_bytes > HEAD_MAX)
		result = err_set(x->e, ERR_UPSTREAM,
				 "answered with a head over 64 KiB");
	else if (last && !x->begun && client_status(&x->head) >= 200)
		result = begin(x);
	return go_on(x, result, line.len);
}

/*
 * Of what comes fast, large pieces go on: who writes them to a file has it in
 * large pages then, which it costs less to send.
 */
static int hand_on(struct exchange *x)
{
	struct span piece = span_make(x->gathered, x->gathered_len);

	if (piece.len == 0)
		return 0;
	x->gathered_len = 0;
	int result = x->request->on_body(piece, x->request->arg, x->e);
	x->heard_ms = clock_ms();
	x->stopped = result < 0;
	return result;
}

static int gather(struct exchange *x, struct span piece)
{
	if (!x->gathered)
		x->gathered = mem_array(GATHERED, 1);
	while (piece.len > 0) {
		size_t room = GATHERED - x->gathered_len;
		size_t count = piece.len < room ? piece.len : room;

		memcpy(x->gathered + x->gathered_len, piece.at, count);
		x->gathered_len += count;
		piece = span_from(piece, count);
		if (count == room && hand_on(x) < 0)
			return -1;
	}
	return 0;
}

static size_t on_body(char *at, size_t size, size_t count, void *arg)
{
	struct exchange *x = arg;
	struct span piece = span_make(at, size * count);
	int result = 0;

	if (!x->begun)
		result =
			err_set(x->e, ERR_UPSTREAM, "sent a body with no head");
	else if (x->request->on_body)
		result = gather(x, piece);
	x->result->bytes += (int64_t)piece.len;
	return go_on(x, result, piece.len);
}

/* --------------------------------------------------------------- exchange */

static void free_list(struct curl_slist **list)
{
	curl_slist_free_all(*list);
}

static struct curl_slist *header_list(const struct client_request *request,
				      struct arena *arena)
{
	struct curl_slist *list = NULL;

	for (size_t i = 0; i < request->header_count; i++) {
		const struct client_header *header = &request->headers[i];

		list = curl_slist_append(list, arena_printf(arena, "%s: %s",
							    header->name,
							    header->value));
		if (!list)
			abort(); /* out of memory */
	}
	return list;
}

static void set_request(CURL *easy, const struct client_request *request)
{
	if (strcmp(request->method, "HEAD") == 0)
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	if (request->body)
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body);
	curl_easy_setopt(easy, CURLOPT_URL, request->url);
	curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, request->socket);
	if (request->username) {
		curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		curl_easy_setopt(easy, CURLOPT_USERNAME, request->username);
		curl_easy_setopt(easy, CURLOPT_PASSWORD, request->password);
	}
	if (request->connect_ms)
		curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
				 (long)request->connect_ms);
}

/* The same for every exchange; QUICK_EXIT: a dead resolver is not waited for.
 */
static void set_manners(CURL *easy, const struct client *client)
{
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
			 (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, 5000L);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, RECEIVE_BUFFER);
	if (client->ca) {
		curl_easy_setopt(easy, CURLOPT_CAINFO, client->ca);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	}
	if (client->proxy) {
		curl_easy_setopt(easy, CURLOPT_PROXY, client->proxy);
		curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
	}
}

static void set_identity(CURL *easy, const struct client *client)
{
	if (!client->certificate)
		return;
	curl_easy_setopt(easy, CURLOPT_SSLCERT, client->certificate);
	curl_easy_setopt(easy, CURLOPT_SSLKEY, client->key);
}

static void set_callbacks(CURL *easy, struct exchange *x)
{
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, x);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, x);
}

/* Did a proxy say that it does not get there? */
static bool is_refused_by_proxy(CURL *easy)
{
	long status = 0;

	curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &status);
	return status >= 300;
}

static enum err_kind kind_of(CURL *easy, CURLcode code)
{
	if (is_refused_by_proxy(easy))
		return ERR_UNAVAILABLE;
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_CONNECT:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_PROXY:
	case CURLE_PEER_FAILED_VERIFICATION:
		return ERR_UNAVAILABLE;
	case CURLE_OPERATION_TIMEDOUT:
		return ERR_TIMEOUT;
	default:
		return ERR_UPSTREAM;
	}
}

/* libcurl says that it is done: how did it end? */
static int conclude(struct line *line, struct exchange *x, const char *detail)
{
	int left;
	CURLMsg *message = curl_multi_info_read(line->multi, &left);
	CURLcode code = message ? message->data.result : CURLE_FAILED_INIT;

	if (x->stopped || hand_on(x) < 0)
		return -1;
	if (code != CURLE_OK)
		return err_set(x->e, kind_of(line->easy, code), "%s",
			       *detail ? detail : curl_easy_strerror(code));
	if (!x->begun)
		return err_set(x->e, ERR_UPSTREAM, "sent no answer");
	return 0;
}

/* A head that comes drop by drop is no head: it has to be whole in time. */
static int64_t silence_ms(const struct exchange *x)
{
	const struct client_request *request = x->request;

	if (!x->begun && request->head_ms)
		return request->head_ms;
	return request->silence_ms ? request->silence_ms : 10000;
}

/* Milliseconds until it has been silent, or has lasted, too long. */
static int64_t patience(const struct exchange *x)
{
	int64_t until = x->heard_ms + silence_ms(x);

	return (until < x->end_ms ? until : x->end_ms) - clock_ms();
}

static int64_t pace_ms(const struct exchange *x)
{
	return x->request->pace_ms ? x->request->pace_ms : 30000;
}

static bool has_more(struct line *line)
{
	int ready = 0;

	curl_multi_poll(line->multi, NULL, 0, 0, &ready);
	return ready > 0;
}

/* Waits for the other side, and only that counts against it. */
static void wait_for_it(struct line *line, struct exchange *x, int64_t ms)
{
	int64_t before = clock_ms();
	int64_t paced = pace_ms(x) - x->pace.waited_ms;

	if (x->begun && paced < ms)
		ms = paced;
	curl_multi_poll(line->multi, NULL, 0, ms < INT_MAX ? (int)ms : INT_MAX,
			NULL);
	if (x->begun)
		x->pace.waited_ms += clock_ms() - before;
}

/* Each so many milliseconds of waiting have to bring as many bytes. */
static bool is_too_slow(struct exchange *x)
{
	int64_t came = x->result->bytes - x->pace.bytes;

	if (x->pace.waited_ms < pace_ms(x))
		return false;
	if (came < x->pace.waited_ms)
		return true;
	x->pace = (struct pace){ .bytes = x->result->bytes };
	return false;
}

static int drive(struct client *client, struct line *line, struct exchange *x,
		 const char *detail)
{
	for (;;) {
		int running = 0;

		if (is_aborted(client))
			return say_aborted(x->e);
		curl_multi_perform(line->multi, &running);
		if (!running)
			return conclude(line, x, detail);
		if (x->gathered_len > 0 && !has_more(line) && hand_on(x) < 0)
			return -1;

		int64_t left = patience(x);
		if (left <= 0)
			return err_set(x->e, ERR_TIMEOUT, "no answer in time");
		if (is_too_slow(x))
			return err_set(x->e, ERR_TIMEOUT,
				       "sends less than 1 KB/s");
		wait_for_it(line, x, left);
	}
}

int client_perform(struct client *client, const struct client_request *request,
		   struct client_result *out, struct err *e)
{
	thread_may_wait("client_perform");

	auto_with(arena_close) struct arena *arena = arena_open();
	auto_with(free_list) struct curl_slist *headers =
		header_list(request, arena);
	struct line *line = line_take(client);
	char detail[CURL_ERROR_SIZE] = "";
	struct exchange x = {
		.request = request,
		.head = { line->easy, arena },
		.result = out,
		.heard_ms = clock_ms(),
		.end_ms = request->total_ms ? clock_ms() + request->total_ms :
					      INT64_MAX,
		.e = e,
	};

	*out = (struct client_result){ 0 };
	set_manners(line->easy, client);
	if (request->identify)
		set_identity(line->easy, client);
	set_request(line->easy, request);
	set_callbacks(line->easy, &x);
	curl_easy_setopt(line->easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(line->easy, CURLOPT_ERRORBUFFER, detail);
	curl_multi_add_handle(line->multi, line->easy);
	int result = drive(client, line, &x, detail);
	curl_multi_remove_handle(line->multi, line->easy);
	line_give_back(client, line);
	free(x.gathered);
	return result;
}
