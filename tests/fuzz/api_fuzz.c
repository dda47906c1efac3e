/*
 * Requests to the whole registry: head, routes, handlers, store, database, all
 * but the sockets. Whatever is asked, the answer is one in HTTP's form; what
 * fails says why in the specification's form, and it is never our mistake.
 *
 * In a path "@" stands for the upload that was begun last, so that an input
 * can go on with one.
 */
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/api.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/log.h"
#include "http/connection.h"
#include "http/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

/* A registry is thrown away after so many inputs: files gather in it. */
enum { INPUTS = 2000, REQUESTS = 8 };

static struct registry {
	char path[32];
	unsigned inputs;
	struct api api;
	struct http http;
	struct reactor reactor;
	struct door door;
	struct connection connection;
	int peer; /* the other end of the connection's socket */
	char upload[64];
} registry;

static void check(bool promise)
{
	if (!promise)
		abort();
}

/* ------------------------------------------------------------ the registry */

static int one_remove(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void registry_close(void)
{
	if (!registry.api.store)
		return;
	mirror_close(&registry.api.mirror);
	store_close(&registry.api.store);
	current_close(&registry.api.settings);
	nftw(registry.path, one_remove, 16, FTW_DEPTH | FTW_PHYS);
}

/* No upstream is ever asked; whoever speaks to it is a trusted proxy. */
static struct current *settings_open(void)
{
	static const char *const flags[] = { "--mirror.default=",
					     "--trusted_proxies=::/0" };
	static const struct config_source source = {
		.flags = flags,
		.flag_count = array_size(flags),
	};
	struct config *config;
	struct err e;

	check(config_load(&source, &config, &e) == 0);
	return current_open(api_settings_open(config), api_settings_close);
}

static void registry_open(void)
{
	struct mirror_options options = { 0 };
	struct err e;

	strcpy(registry.path, "/dev/shm/fuzz-XXXXXX");
	check(mkdtemp(registry.path));
	check(store_open(registry.path, &registry.api.store, &e) == 0);
	options.store = registry.api.store;
	registry.api.mirror = mirror_open(&options);
	registry.api.instance = "fuzz";
	registry.api.settings = settings_open();
	registry.http = (struct http){
		.options.refusal = api_refusal,
		.options.refusal_type = "application/json",
		.options.stall_ms = 1000,
		.options.app = &registry.api,
		.stop = -1,
	};
	registry.reactor.http = &registry.http;
	registry.connection.home = &registry.reactor;
	registry.connection.door = &registry.door;
	strcpy(registry.connection.peer, "[::1]:1");
}

static void registry_renew(void)
{
	if (registry.inputs == 0) {
		log_open(LOG_ERROR);
		atexit(registry_close);
	}
	if (registry.inputs++ % INPUTS)
		return;
	registry_close();
	registry_open();
}

/* ------------------------------------------------------------ the answer */

static struct span line_cut(struct span *rest)
{
	struct span line = span_cut(rest, '\n');

	check(line.len > 0 && line.at[line.len - 1] == '\r');
	line.len--;
	return line;
}

/* The value of a header that is there at most once; SPAN_NONE. */
static struct span header_of(struct span head, const char *name)
{
	struct span found = SPAN_NONE;

	line_cut(&head);
	for (struct span line; (line = line_cut(&head)).len > 0;) {
		struct span value = line;

		if (!span_is_nocase(span_cut(&value, ':'), name))
			continue;
		check(!found.at);
		found = span_trim(value);
	}
	return found;
}

/* Status, headers, an empty line; not a control character in them. */
static void check_head(struct span head)
{
	struct span line = line_cut(&head);

	check(span_starts(line, "HTTP/1.1 ") && line.len > 13);
	while ((line = line_cut(&head)).len > 0) {
		check(span_find(line, ':') > 0);
		for (size_t i = 0; i < line.len; i++)
			check((unsigned char)line.at[i] >= ' ');
	}
}

/* distribution-spec, "Error Codes". */
static void check_error(struct span body)
{
	static const struct json_limits limits = { 1 << 20, 1000, 8 };
	auto_of(json) struct json *json = NULL;
	struct err e;

	check(json_parse(body, &limits, &json, &e) == 0);
	const struct json_value *errors = json_get(json_root(json), "errors");
	check(json_count(errors) > 0);
	check(json_text(json_get(json_at(errors, 0), "code")).len > 0);
	check(json_text(json_get(json_at(errors, 0), "message")).len > 0);
}

static void note_upload(struct span head)
{
	struct span key = header_of(head, "Docker-Upload-UUID");

	if (key.at)
		check(span_copy(key, registry.upload, sizeof(registry.upload)));
}

static void check_answer(const struct exchange *x)
{
	const struct response *res = &x->response;
	struct span head = buf_span(&x->sending.text);
	struct span location = header_of(head, "Location");

	check(res->status >= 200 && res->status < 500 && !res->later);
	check_head(head);
	check(!location.at || span_starts(location, "/v2/") ||
	      span_starts(location, "/mirror/"));
	check(res->status != 405 || header_of(head, "Allow").len > 0);
	if (res->status >= 400)
		check_error(res->bytes);
	note_upload(head);
}

/* ------------------------------------------------------------ one request */

/* False: the connection ends here, or the head does. */
static bool answer(struct exchange *x)
{
	static const struct http_outcome outcome = { 0 };
	int found = x->filled > 0 ? exchange_parse(x) : 0;

	if (found == 0)
		return false;
	if (found > 0) {
		api_handle(&x->request, &x->response);
		if (x->response.later)
			x->response.later(&x->request, &x->response);
	}
	response_start(x);
	if (found > 0 || x->response.status != 505) /* which is the peer's */
		check_answer(x);
	api_done(&x->request, &outcome);
	return x->keep;
}

/* The input with each "@" replaced. */
static void fill(struct buf *out, struct span input)
{
	while (input.at) {
		buf_add(out, span_cut(&input, '@'));
		if (input.at)
			buf_add(out, span_of(registry.upload));
	}
}

/* What the exchange has no room for comes by the socket, then its end. */
static void send_rest(struct connection *c, struct span rest)
{
	int pair[2];

	check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
			 pair) == 0);
	wire_open(&c->wire, pair[0]);
	registry.peer = pair[1];
	if (rest.len > 0)
		check(write(registry.peer, rest.at, rest.len) > 0);
	shutdown(registry.peer, SHUT_WR);
	c->wire.readable = c->wire.ended = true;
}

static void converse(struct span bytes)
{
	struct connection *c = &registry.connection;
	struct exchange *x = exchange_open();
	size_t first = bytes.len < sizeof(x->bytes) ? bytes.len :
						      sizeof(x->bytes);

	x->connection = c;
	c->exchange = x;
	exchange_reset(x);
	memcpy(x->bytes, bytes.at, first);
	x->filled = first;
	send_rest(c, span_from(bytes, first));
	for (int i = 0; i < REQUESTS && answer(x); i++)
		exchange_reset(x);
	exchange_close(&x);
	wire_close(&c->wire);
	close(registry.peer);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	auto_buf struct buf bytes = { 0 };

	registry_renew();
	fill(&bytes, span_make((const char *)input, size));
	if (bytes.len > 0)
		converse(buf_span(&bytes));
	return 0;
}
