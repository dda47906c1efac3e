/*
 * private-registry prefetch: asks a registry that runs for images, as any
 * client would, and throws their bytes away; what it mirrors is cached then.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/io.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/image.h"
#include "cli/inside.h"
#include "cli/say.h"
#include "client/client.h"

enum { SILENCE_MS = 60000, COMPLAINT_MAX = 64 * 1024 };

#define LIST_MAX ((size_t)4 * 1024 * 1024) /* bytes of a file of images */

/* As it was typed. */
struct prefetch {
	struct buf server; /* "http://127.0.0.1:5000" */
	const char *ca;	   /* null: the system's */
	const char *file;  /* null: none */
	struct image *images;
	size_t image_count;
	struct platform *platforms;
	size_t platform_count;

	struct client *client;
};

static void prefetch_free(struct prefetch *prefetch)
{
	buf_free(&prefetch->server);
	free(prefetch->images);
	free(prefetch->platforms);
	client_close(&prefetch->client);
}

/* ------------------------------------------------------------ one question */

struct get {
	const struct prefetch *prefetch;
	int status;
	char type[MEDIA_TYPE_MAX + 1];
	struct buf body; /* a manifest, or what an error says */
	size_t body_max;
	_Atomic int64_t *done; /* of a blob, which nobody reads */
};

static void get_free(struct get *get)
{
	buf_free(&get->body);
}

static int get_head(const struct client_head *head, void *arg, struct err *e)
{
	struct get *get = arg;
	struct span type = client_header(head, "Content-Type");

	(void)e;
	get->status = client_status(head);
	if (!span_copy(span_trim(span_cut(&type, ';')), get->type,
		       sizeof(get->type)))
		get->type[0] = '\0';
	return 0;
}

static int get_body(struct span piece, void *arg, struct err *e)
{
	struct get *get = arg;

	if (get->status == 200 && get->done) {
		*get->done += (int64_t)piece.len;
		return 0;
	}
	if (piece.len > get->body_max - get->body.len)
		return err_set(e, ERR_UPSTREAM, "the answer is too long");
	buf_add(&get->body, piece);
	return 0;
}

/* "what it is about: what the registry says of it" */
static int refused(const struct get *get, struct err *e)
{
	static const struct json_limits limits = { COMPLAINT_MAX, 10000, 8 };
	auto_of(json) struct json *json = NULL;
	struct span message = SPAN_NONE;

	if (json_parse(buf_span(&get->body), &limits, &json, e) == 0)
		message = json_text(json_get(
			json_at(json_get(json_root(json), "errors"), 0),
			"message"));
	if (message.at)
		return err_set(e, ERR_UPSTREAM, "%.*s", SPAN_ARG(message));
	return err_set(e, ERR_UPSTREAM, "the registry answers %d", get->status);
}

static int get_perform(struct get *get, const char *path, struct err *e)
{
	const struct prefetch *prefetch = get->prefetch;
	auto_buf struct buf url = { 0 };
	struct client_header accept = { "Accept", manifest_accept() };
	struct client_result result;

	buf_addf(&url, "%s%s", prefetch->server.at, path);
	struct client_request request = {
		.method = "GET",
		.url = url.at,
		.headers = &accept,
		.header_count = 1,
		.silence_ms = SILENCE_MS,
		.on_head = get_head,
		.on_body = get_body,
		.arg = get,
	};
	int failed = client_perform(prefetch->client, &request, &result, e);

	if (get->status && get->status != 200)
		return refused(get, e);
	return failed ? err_wrap(e, "%s", prefetch->server.at) : 0;
}

/* -------------------------------------------------------------- the source */

static int source_manifest(void *arg, const char *name,
			   const struct reference *reference,
			   struct arena *arena, struct manifest *out,
			   struct err *e)
{
	auto_with(get_free) struct get get = {
		.prefetch = arg,
		.body_max = MANIFEST_MAX,
	};
	bool by_digest = reference->kind == REFERENCE_DIGEST;
	struct reference_text text = reference_text(reference);

	if (get_perform(&get,
			arena_printf(arena, "/v2/%s/manifests/%s", name,
				     text.s),
			e) < 0)
		return -1;
	if (manifest_parse(
		    arena_copy(arena, buf_span(&get.body)), span_of(get.type),
		    by_digest ? reference->digest.algorithm : DIGEST_SHA256,
		    arena, out, e) < 0)
		return err_wrap(e, "manifest %s", text.s);
	return 0;
}

static int source_blob(void *arg, const char *name,
		       const struct descriptor *blob, _Atomic int64_t *done,
		       struct err *e)
{
	auto_with(get_free) struct get get = {
		.prefetch = arg,
		.body_max = COMPLAINT_MAX,
		.done = done,
	};
	auto_buf struct buf path = { 0 };
	struct digest_text text = digest_text(&blob->digest);

	buf_addf(&path, "/v2/%s/blobs/%s", name, text.s);
	if (get_perform(&get, path.at, e) < 0)
		return err_wrap(e, "blob %s", text.s);
	return 0;
}

/* --------------------------------------------------------------- the work */

static void show(int64_t done, int64_t all, void *arg)
{
	progress_say(arg, done < all ? done : all, all);
}

static int prefetch_one(struct prefetch *prefetch, const struct image *image,
			const struct saying *saying, struct err *e)
{
	struct image_source source = { source_manifest, source_blob, prefetch };
	struct progress progress = { .saying = saying };
	struct image_fetch fetch = {
		.source = &source,
		.platforms = prefetch->platforms,
		.platform_count = prefetch->platform_count,
		.progress = show,
		.arg = &progress,
	};
	auto_buf struct buf line = { 0 };
	struct image_sum sum;

	if (image_fetch(&fetch, image, &sum, e) < 0)
		return err_wrap(e, "%s", image_text(image).s);
	buf_addf(&line, "%s: %zu manifest%s, %zu blob%s, %s",
		 image_text(image).s, sum.manifests,
		 sum.manifests == 1 ? "" : "s", sum.blobs,
		 sum.blobs == 1 ? "" : "s", size_text(sum.bytes).s);
	saying->line(saying->arg, line.at);
	return 0;
}

/* What fails is told, and the others are fetched all the same. */
static int prefetch_all(struct prefetch *prefetch, struct err *e)
{
	auto_with(screen_close) struct screen screen;
	const struct saying *saying = &screen.saying;
	size_t failures = 0;

	screen_open(&screen);
	for (size_t i = 0; i < prefetch->image_count; i++) {
		if (prefetch_one(prefetch, &prefetch->images[i], saying, e) ==
		    0)
			continue;
		failures++;
		if (prefetch->image_count > 1)
			saying->line(saying->arg, e->message);
	}
	if (failures == 0 || prefetch->image_count == 1)
		return failures ? -1 : 0;
	return err_set(e, ERR_UPSTREAM, "%zu of %zu images did not come",
		       failures, prefetch->image_count);
}

/* ---------------------------------------------------------------- the verb */

static int image_add(struct prefetch *prefetch, struct span text, struct err *e)
{
	prefetch->images =
		mem_grow(prefetch->images, (prefetch->image_count + 1) *
						   sizeof(*prefetch->images));
	return image_parse(text, &prefetch->images[prefetch->image_count++], e);
}

/* An image a line; # begins a comment. */
static int images_read(struct prefetch *prefetch, struct err *e)
{
	const char *path = strcmp(prefetch->file, "-") == 0 ? "/dev/stdin" :
							      prefetch->file;
	auto_buf struct buf text = { 0 };

	if (io_read_file(path, LIST_MAX, &text, e) < 0)
		return -1;
	struct span rest = buf_span(&text);
	for (int number = 1; rest.at; number++) {
		struct span line = span_cut(&rest, '\n');
		struct span image = span_trim(span_cut(&line, '#'));

		if (span_ends(image, "\r"))
			image = span_trim(span_make(image.at, image.len - 1));
		if (image.len > 0 && image_add(prefetch, image, e) < 0)
			return err_wrap(e, "%s:%d", prefetch->file, number);
	}
	return 0;
}

/* The first words are images. */
static int words_take(char *const **args, struct prefetch *prefetch,
		      struct err *e)
{
	for (; **args && strncmp(**args, "--", 2) != 0; ++*args)
		if (image_add(prefetch, span_of(**args), e) < 0)
			return -1;
	return 0;
}

/* A door of this host, as its own clients may write it. */
static void door_print(struct span address, struct buf *out)
{
	static const struct {
		const char *any;
		const char *here;
	} rows[] = {
		{ "", "127.0.0.1" },
		{ "0.0.0.0", "127.0.0.1" },
		{ "[::]", "[::1]" },
	};
	size_t colon = (size_t)span_find_last(address, ':');
	struct span host = span_make(address.at, colon);

	for (size_t i = 0; i < array_size(rows); i++)
		if (span_is(host, rows[i].any))
			host = span_of(rows[i].here);
	buf_addf(out, "http://%.*s%.*s", SPAN_ARG(host),
		 SPAN_ARG(span_from(address, colon)));
}

/* Where the registry of this configuration answers. */
static int server_find(const struct config *config, struct buf *out,
		       struct err *e)
{
	for (size_t i = 0; i < config->listen_count; i++) {
		const struct config_listen *door = &config->listen[i];

		if (door->tls.certificate || door->upstream)
			continue;
		door_print(span_of(door->address), out);
		/* A proxy of the environment does not lead to this host. */
		setenv("no_proxy", "*", 1);
		return 0;
	}
	if (config->public_url) {
		buf_addf(out, "%s", config->public_url);
		return 0;
	}
	return err_set(e, ERR_USAGE,
		       "this configuration has no plain port; write --server "
		       "https://NAME[:PORT], and --ca FILE if need be");
}

static int server_check(struct buf *server, struct err *e)
{
	struct span url = buf_span(server);
	struct client_url parsed;

	if (span_ends(url, "/"))
		url.len--;
	if (!client_url_parse(url, &parsed) || parsed.path.len > 0 ||
	    parsed.path.at != url.at + url.len)
		return err_set(e, ERR_USAGE,
			       "--server is \"%s\", which is not of the form "
			       "https://host[:port]",
			       server->at);
	server->len = url.len;
	server->at[url.len] = '\0';
	return 0;
}

/* "linux/amd64,linux/arm64"; null: none. */
static int platforms_read(struct prefetch *prefetch, const char *typed,
			  struct err *e)
{
	struct span rest = span_of(typed);

	while (rest.at) {
		struct span text = span_trim(span_cut(&rest, ','));
		struct platform platform;

		if (!platform_parse(text, &platform))
			return err_set(e, ERR_USAGE,
				       "\"%.*s\" is no platform; write "
				       "linux/amd64, or linux/arm/v7",
				       SPAN_ARG(text));
		prefetch->platforms = mem_grow(prefetch->platforms,
					       (prefetch->platform_count + 1) *
						       sizeof(struct platform));
		prefetch->platforms[prefetch->platform_count++] = platform;
	}
	return 0;
}

static int prefetch_prepare(struct prefetch *prefetch, char *const *args,
			    struct err *e)
{
	auto_of(config) struct config *config = NULL;
	auto_free char **rest = NULL;
	const char *server = NULL, *platforms = NULL;
	const struct own_option own[] = {
		{ "--server", .text = &server },
		{ "--platform", .text = &platforms },
		{ "--ca", .text = &prefetch->ca },
		{ "--from-file", .text = &prefetch->file },
		{ 0 },
	};

	if (words_take(&args, prefetch, e) < 0 ||
	    own_options_take(args, own, &rest, e) < 0 ||
	    options_load(rest, &config, e) < 0)
		return -1;
	if (platforms_read(prefetch, platforms, e) < 0 ||
	    (prefetch->file && images_read(prefetch, e) < 0))
		return -1;
	if (prefetch->image_count == 0)
		return err_set(e, ERR_USAGE,
			       "which images? write private-registry prefetch "
			       "IMAGE..., or --from-file FILE");
	if (server)
		buf_addf(&prefetch->server, "%s", server);
	else if (server_find(config, &prefetch->server, e) < 0)
		return -1;
	if (server_check(&prefetch->server, e) < 0)
		return -1;
	return client_open(&(struct client_options){ .ca = prefetch->ca },
			   &prefetch->client, e);
}

int cli_prefetch(const struct call *call, struct err *e)
{
	auto_with(prefetch_free) struct prefetch prefetch = { 0 };

	signal(SIGPIPE, SIG_IGN);
	if (prefetch_prepare(&prefetch, call->args, e) < 0)
		return -1;
	return prefetch_all(&prefetch, e);
}

void cli_prefetch_help(const struct call *call, struct buf *out)
{
	(void)call;
	buf_addf(
		out,
		"usage: private-registry prefetch IMAGE... [--platform P] "
		"[--from-file FILE]\n"
		"                                 [--server URL] "
		"[--config FILE]\n"
		"                                 [--KEY VALUE]...\n"
		"\n"
		"Asks a registry that runs for these images, so that they are "
		"cached there\n"
		"before somebody needs them.\n"
		"\n"
		"Examples\n"
		"  private-registry prefetch nginx:1.27 --platform "
		"linux/amd64,linux/arm64\n"
		"  private-registry prefetch --from-file images.txt --server "
		"http://registry:5000\n"
		"\n"
		"Options\n"
		"  --platform P            linux/amd64, say; several with "
		"commas. Without it: all\n"
		"                          that an image is for\n"
		"  --from-file FILE        more images, one a line; # begins a "
		"comment; - is\n"
		"                          the standard input\n"
		"  --server URL            the registry; without it: the one "
		"of this\n"
		"                          configuration, on this host\n"
		"  --ca FILE               authorities to trust there, and no "
		"others; PEM\n" COMMON_OPTIONS "\n"
		"Exit status\n"
		"  0 all of them are there, 1 one did not come, 2 the command "
		"line or the\n"
		"  configuration is wrong\n");
}
