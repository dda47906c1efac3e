/*
 * The verbs but the transfer of blobs, and what all of them stand on.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/version.h"
#include "oci/hash.h"
#include "oci/range.h"
#include "upstream/account.h"
#include "upstream/ask.h"

/* --------------------------------------------------------- open and close */

static int64_t or_else(int64_t value, int64_t otherwise)
{
	return value ? value : otherwise;
}

int upstream_open(const struct upstream_options *options, struct upstream **out,
		  struct err *e)
{
	if (options->url_count == 0)
		return err_set(e, ERR_USAGE, "upstream %s has no url",
			       options->name);

	auto_of(upstream) struct upstream *upstream =
		mem_alloc(sizeof(*upstream));
	upstream->references = 1;
	upstream->name = mem_text(options->name);
	upstream->pseudonym = mem_text(options->pseudonym);
	upstream->metrics = metric_owner(options->name);
	upstream->silence_ms = or_else(options->silence_ms, 10000);
	upstream->pace_ms = or_else(options->pace_ms, 30000);
	upstream->answer_ms = or_else(options->answer_ms, 9000);
	upstream->give_up_ms = or_else(options->give_up_ms, 15000);
	if (standing_open(options, &upstream->standing, e) < 0)
		return -1;
	struct client_options client = {
		.ca = options->ca,
		.certificate = options->certificate,
		.key = options->key,
		.proxy = options->proxy,
	};
	if (client_open(&client, &upstream->client, e) < 0)
		return err_wrap(e, "upstream %s", options->name);
	*out = steal_ptr(&upstream);
	return 0;
}

struct upstream *upstream_keep(struct upstream *upstream)
{
	upstream->references++;
	return upstream;
}

void upstream_close(struct upstream **at)
{
	struct upstream *upstream = steal_ptr(at);

	if (!upstream || --upstream->references > 0)
		return;
	client_close(&upstream->client);
	standing_close(&upstream->standing);
	free(upstream->pseudonym);
	free(upstream->name);
	free(upstream);
}

void upstream_succeed(struct upstream *upstream, const struct upstream *before)
{
	if (strcmp(upstream->name, before->name) != 0 ||
	    !standing_same(upstream->standing, before->standing))
		return;
	standing_close(&upstream->standing);
	upstream->standing = standing_keep(before->standing);
}

void upstream_abort(struct upstream *upstream)
{
	client_abort(upstream->client);
}

/* ------------------------------------------------- for all of this room */

void upstream_budget(const struct upstream *upstream,
		     struct upstream_budget *out)
{
	accounts_budget(upstream->standing->accounts, out);
}

int64_t upstream_lifetime(const struct upstream *upstream, int64_t ms)
{
	return accounts_stretch(upstream->standing->accounts, ms);
}

/* A gateway that says so got no further than we would. */
static enum err_kind kind_of(int status)
{
	static const struct {
		int status;
		enum err_kind kind;
	} rows[] = {
		{ 401, ERR_DENIED },	  { 403, ERR_DENIED },
		{ 429, ERR_BUSY },	  { 502, ERR_UNAVAILABLE },
		{ 503, ERR_UNAVAILABLE }, { 504, ERR_UNAVAILABLE },
		{ 508, ERR_LOOP },
	};

	for (size_t i = 0; i < array_size(rows); i++)
		if (rows[i].status == status)
			return rows[i].kind;
	return ERR_UPSTREAM;
}

int upstream_refused(int status, enum err_kind unknown, struct err *e)
{
	enum err_kind kind = status == 404 ? unknown : kind_of(status);

	return err_set(e, kind, "answered %d%s", status,
		       kind == ERR_LOOP ? ": it leads back to here" : "");
}

static void log_exchange(const struct upstream *upstream,
			 const struct client_request *request,
			 const char *reason, const struct client_result *result,
			 int64_t ms, const struct err *e)
{
	struct client_url url;
	struct log_line line;

	log_begin(&line, LOG_INFO, "upstream");
	log_text(&line, "upstream", upstream->name);
	log_text(&line, "reason", reason);
	log_text(&line, "method", request->method);
	if (client_url_parse(span_of(request->url), &url)) {
		log_text(&line, "host", url.host);
		log_span(&line, "path", url.path);
	}
	log_number(&line, "status", result->status);
	log_number(&line, "bytes", result->bytes);
	log_number(&line, "ms", ms);
	if (e)
		log_err(&line, e);
	log_send(&line);
}

int upstream_exchange(struct upstream *upstream,
		      const struct client_request *request, const char *reason,
		      struct client_result *out, struct err *e)
{
	struct client_header headers[5] = { { "User-Agent", program_agent } };
	struct client_request named = *request;
	int64_t start_ms = clock_ms();

	for (size_t i = 0; i < request->header_count; i++)
		headers[i + 1] = request->headers[i];
	named.headers = headers;
	named.header_count = request->header_count + 1;

	int failed = client_perform(upstream->client, &named, out, e);
	metric_add_for(upstream->metrics, EACH_REQUESTS, 1);
	if (failed || out->status >= 500)
		metric_add_for(upstream->metrics, EACH_FAILURES, 1);
	log_exchange(upstream, request, reason, out, clock_ms() - start_ms,
		     failed ? e : NULL);
	return failed;
}

/* -------------------------------------------------------------- manifests */

/* What a question about a manifest gathers. */
struct manifest_answer {
	struct arena *arena;
	bool has_digest;
	struct digest digest; /* as upstream says */
	struct span media_type;
	struct buf body;
};

static void manifest_answer_free(struct manifest_answer *answer)
{
	buf_free(&answer->body);
}

static int read_digest(const struct client_head *head, struct digest *out,
		       bool *has_out, struct err *e)
{
	struct span text = client_header(head, "Docker-Content-Digest");

	*has_out = text.at != NULL;
	if (text.at && digest_parse(text, out, e) < 0) {
		e->kind = ERR_UPSTREAM;
		return err_wrap(e, "Docker-Content-Digest");
	}
	return 0;
}

static int manifest_head(const struct client_head *head, void *arg,
			 struct err *e)
{
	struct manifest_answer *answer = arg;
	struct span type = client_header(head, "Content-Type");

	if (client_status(head) != 200)
		return upstream_refused(client_status(head), ERR_UPSTREAM, e);
	if (client_body_size(head) > MANIFEST_MAX)
		return err_set(e, ERR_UPSTREAM, "its manifest has %lld bytes",
			       (long long)client_body_size(head));
	buf_clear(&answer->body);
	answer->media_type =
		arena_copy(answer->arena, span_trim(span_cut(&type, ';')));
	if (span_is_nocase(answer->media_type, "text/html"))
		return err_set(e, ERR_UPSTREAM, "sent a page of HTML");
	return read_digest(head, &answer->digest, &answer->has_digest, e);
}

static int manifest_body(struct span piece, void *arg, struct err *e)
{
	struct manifest_answer *answer = arg;

	if (piece.len > MANIFEST_MAX - answer->body.len)
		return err_set(e, ERR_UPSTREAM,
			       "its manifest has more than %d bytes",
			       MANIFEST_MAX);
	buf_add(&answer->body, piece);
	return 0;
}

static int ask_manifest(struct upstream *upstream, const char *method,
			const struct upstream_question *question,
			const struct reference *ref,
			struct manifest_answer *answer, struct err *e)
{
	struct ask ask = {
		.upstream = upstream,
		.question = question,
		.method = method,
		.path = arena_printf(answer->arena, "/v2/%s/manifests/%s",
				     question->name->s, reference_text(ref).s),
		.header = { "Accept", manifest_accept() },
		.unknown = ERR_MANIFEST_UNKNOWN,
		.on_head = manifest_head,
		.on_body = manifest_body,
		.arg = answer,
	};

	return ask_each(&ask, e);
}

/* The bytes are what was asked for, or what upstream says they are. */
static int check_manifest(const struct manifest_answer *answer,
			  const struct reference *ref, struct err *e)
{
	bool by_digest = ref->kind == REFERENCE_DIGEST;
	const struct digest *wanted = by_digest ? &ref->digest :
						  &answer->digest;

	if (!by_digest && !answer->has_digest)
		return 0;
	struct digest got = hash_of(wanted->algorithm, buf_span(&answer->body));
	if (!digest_eq(&got, wanted))
		return err_set(e, ERR_CORRUPT, "a manifest said to be %s is %s",
			       digest_text(wanted).s, digest_text(&got).s);
	return 0;
}

int upstream_get_manifest(struct upstream *upstream,
			  const struct upstream_question *question,
			  const struct reference *ref, struct arena *arena,
			  struct upstream_manifest *out, struct err *e)
{
	auto_with(manifest_answer_free) struct manifest_answer answer = {
		.arena = arena,
	};

	if (ask_manifest(upstream, "GET", question, ref, &answer, e) < 0)
		return -1;
	if (check_manifest(&answer, ref, e) < 0)
		return err_wrap(e, "upstream %s", upstream->name);
	out->media_type = answer.media_type;
	out->bytes = arena_copy(arena, buf_span(&answer.body));
	return 0;
}

int upstream_head_manifest(struct upstream *upstream,
			   const struct upstream_question *question,
			   const struct reference *ref, struct digest *out,
			   struct err *e)
{
	auto_with(arena_close) struct arena *arena = arena_open();
	struct manifest_answer answer = { .arena = arena };
	struct upstream_manifest manifest;

	if (ask_manifest(upstream, "HEAD", question, ref, &answer, e) < 0)
		return -1;
	if (answer.has_digest) {
		*out = answer.digest;
		return 0;
	}
	if (upstream_get_manifest(upstream, question, ref, arena, &manifest,
				  e) < 0)
		return -1;
	*out = hash_of(DIGEST_SHA256, manifest.bytes);
	return 0;
}

/* ------------------------------------------------------------------ blobs */

static int blob_head(const struct client_head *head, void *arg, struct err *e)
{
	int64_t *size_out = arg;
	struct range range;

	if (client_status(head) == 206)
		return range_parse_part(client_header(head, "Content-Range"),
					&range, size_out, e);
	if (client_status(head) != 200)
		return upstream_refused(client_status(head), ERR_UPSTREAM, e);
	*size_out = client_body_size(head);
	return 0;
}

int upstream_head_blob(struct upstream *upstream,
		       const struct upstream_question *question,
		       const struct digest *digest, int64_t *size_out,
		       struct err *e)
{
	auto_with(arena_close) struct arena *arena = arena_open();
	struct ask ask = {
		.upstream = upstream,
		.question = question,
		.method = "HEAD",
		.is_blob = true,
		.path = arena_printf(arena, "/v2/%s/blobs/%s",
				     question->name->s, digest_text(digest).s),
		.unknown = ERR_BLOB_UNKNOWN,
		.on_head = blob_head,
		.arg = size_out,
	};

	return ask_each(&ask, e);
}
