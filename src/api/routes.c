/*
 * From a path to a handler. The table reads like the specification; a name
 * may hold slashes, so a path is matched from its end.
 */
#include "api/call.h"
#include "api/path.h"
#include "api/reader.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"

/* Where a handler runs: on the reactor, or on a worker of that lane. */
enum { HERE = LANE_COUNT };

/* Is the repository looked at, or changed? Upstream's are never changed. */
enum intent { LOOKS, CHANGES };

struct route {
	unsigned methods;
	const char *pattern;
	unsigned place;
	call_handler handler;
	enum intent intent;
};

#define READ (METHOD_GET | METHOD_HEAD)

static const struct route routes[] = {
	/* clang-format off */
	{ READ,          "/v2/",                              HERE,        base_get,        LOOKS },
	{ READ,          "/v2/<name>/manifests/<reference>",  HERE,        manifest_get,    LOOKS },
	{ METHOD_PUT,    "/v2/<name>/manifests/<reference>",  LANE_UPLOAD, manifest_put,    CHANGES },
	{ METHOD_DELETE, "/v2/<name>/manifests/<reference>",  LANE_WRITE,  manifest_delete, CHANGES },
	{ METHOD_POST,   "/v2/<name>/blobs/uploads/",         HERE,        upload_start,    CHANGES },
	{ READ,          "/v2/<name>/blobs/uploads/<upload>", LANE_WRITE,  upload_get,      CHANGES },
	{ METHOD_PATCH,  "/v2/<name>/blobs/uploads/<upload>", LANE_UPLOAD, upload_patch,    CHANGES },
	{ METHOD_PUT,    "/v2/<name>/blobs/uploads/<upload>", LANE_UPLOAD, upload_put,      CHANGES },
	{ METHOD_DELETE, "/v2/<name>/blobs/uploads/<upload>", LANE_WRITE,  upload_delete,   CHANGES },
	{ READ,          "/v2/<name>/blobs/<digest>",         HERE,        blob_get,        LOOKS },
	{ METHOD_DELETE, "/v2/<name>/blobs/<digest>",         LANE_WRITE,  blob_unlink,     CHANGES },
	{ READ,          "/v2/<name>/referrers/<digest>",     HERE,        referrers_get,   LOOKS },
	{ READ,          "/v2/<name>/tags/list",              HERE,        tags_get,        LOOKS },
	{ READ,          "/v2/_catalog",                      HERE,        catalog_get,     LOOKS },
	{ READ,          "/healthz",                          HERE,        health_get,      LOOKS },
	{ READ,          "/readyz",                           LANE_WRITE,  ready_get,       LOOKS },
	{ READ,          "/metrics",                          HERE,        metrics_get,     LOOKS },
	/* clang-format on */
};

static void run_later(struct request *request, struct response *response)
{
	struct call *call = request->local;

	call->response = response;
	call->then(call);
}

void call_later(struct call *call, enum http_lane lane, call_handler then)
{
	call->then = then;
	respond_later(call->response, lane,
		      mirror_whom(call->api->mirror, &call->target.repository),
		      run_later);
}

/* The parts that <…> stood for become values, or an error. */
static int parse_parts(struct call *call, const struct path_parts *parts,
		       struct err *e)
{
	if (parts->reference.at &&
	    reference_parse(parts->reference, &call->reference, e) < 0) {
		/* What no tag can be called is no manifest either. */
		if (e->kind == ERR_TAG_INVALID && call->route->intent == LOOKS)
			e->kind = ERR_MANIFEST_UNKNOWN;
		return -1;
	}
	if (parts->digest.at &&
	    digest_parse(parts->digest, &call->digest, e) < 0)
		return -1;
	call->path_name = parts->name;
	call->upload = parts->upload;
	return 0;
}

static const char *via(const struct request *req)
{
	struct span list = request_header_list(req, "Via");

	return list.at ? arena_text(req->arena, list) : NULL;
}

/* Whom the request is for, as far as it says so. */
static void ask_whom(struct call *call, const struct path_parts *parts)
{
	const struct request *req = call->request;

	call->asker = (struct mirror_asker){ reader_is, call };
	call->question = (struct mirror_question){
		.rules = &call->settings->mirror,
		.name = parts->name,
		.ns = request_query(req, "ns", 0),
		.host = call->origin.host,
		.via = via(req),
		.bound = parts->bound.at ? parts->bound :
					   span_of(req->door->arg),
		.blob = parts->digest.at ? &call->digest : NULL,
		.push = call->route->intent == CHANGES,
		.looks = req->method == METHOD_HEAD,
		.asker = &call->asker,
	};
	if (call->question.ns.at)
		respond_header(call->response, "OCI-Namespace", "%.*s",
			       SPAN_ARG(call->question.ns));
}

static int resolve(struct call *call, struct err *e)
{
	if (mirror_resolve(call->api->mirror, &call->question, &call->target,
			   e) < 0)
		return -1;
	call->target.asked_ms = clock_ms();
	return 0;
}

static int check_access(const struct call *call, struct err *e)
{
	if (call->settings->config->access == ACCESS_FULL ||
	    (call->request->method & READ) || call->route->intent == LOOKS)
		return 0;
	return err_set(e, ERR_DENIED,
		       "this registry is read-only: nothing is pushed or "
		       "deleted here for now");
}

static void take(struct call *call, const struct path_parts *parts)
{
	const struct route *route = call->route;
	struct err e;

	if (parse_parts(call, parts, &e) < 0 || check_access(call, &e) < 0)
		return fail(call, &e);
	ask_whom(call, parts);
	if (parts->name.at && resolve(call, &e) < 0)
		return fail(call, &e);
	if (route->place == HERE)
		return route->handler(call);
	call_later(call, route->place, route->handler);
}

/* What else may be done with this path; 0: nothing. */
static unsigned allowed_methods(struct span path)
{
	struct path_parts parts;
	unsigned allowed = 0;

	for (size_t i = 0; i < array_size(routes); i++)
		if (path_match(path, routes[i].pattern, &parts))
			allowed |= routes[i].methods;
	return allowed;
}

static void route(struct call *call)
{
	const struct request *req = call->request;
	struct span path = path_decode(req->path, req->arena);
	struct path_parts parts;
	struct err e;

	for (size_t i = 0; i < array_size(routes); i++) {
		if (!(routes[i].methods & req->method) ||
		    !path_match(path, routes[i].pattern, &parts))
			continue;
		call->route = &routes[i];
		return take(call, &parts);
	}
	unsigned allowed = allowed_methods(path);
	if (allowed)
		return fail_method(call, allowed);
	err_set(&e, ERR_NOT_FOUND, "there is nothing at this path");
	fail(call, &e);
}

void api_handle(struct request *request, struct response *response)
{
	struct call *call = arena_alloc(request->arena, sizeof(*call));

	call->request = request;
	call->response = response;
	call->api = request->app;
	call->held = current_hold(call->api->settings);
	call->settings = version_value(call->held);
	origin_find(call->settings, request, &call->origin);
	request->local = call;
	respond_header(response, "Docker-Distribution-Api-Version",
		       "registry/2.0");
	route(call);
}

/* What the engine refused by itself was never a call. */
static void log_origin(struct log_line *line, const struct request *req)
{
	const struct call *call = req->local;

	if (!call)
		return log_text(line, "client", req->peer);
	log_span(line, "client", call->origin.client);
	if (call->origin.proxy.at)
		log_span(line, "proxy", call->origin.proxy);
	log_span(line, "scheme", call->origin.scheme);
}

/* Queries may hold secrets and are never logged. */
static void log_request(const struct request *req,
			const struct http_outcome *outcome)
{
	const struct call *call = req->local;
	struct log_line line;

	log_begin(&line, LOG_INFO, "request");
	log_text(&line, "id", req->id);
	log_origin(&line, req);
	if (req->client)
		log_text(&line, "subject", req->client);
	log_text(&line, "method", method_text(req->method));
	log_span(&line, "path", req->path);
	log_number(&line, "status", outcome->status);
	log_number(&line, "sent", outcome->sent);
	log_number(&line, "received", outcome->received);
	log_number(&line, "us", outcome->micros);
	log_span(&line, "agent", request_header(req, "User-Agent"));
	if (outcome->cut)
		log_text(&line, "cut", "true");
	if (call && call->err.kind)
		log_err(&line, &call->err);
	log_send(&line);
}

/* Of the registry, not of how it is. */
static bool is_served(const struct call *call,
		      const struct http_outcome *outcome)
{
	return call->route && outcome->status >= 200 && outcome->status < 400 &&
	       span_starts(span_of(call->route->pattern), "/v2/");
}

static void call_end(struct call *call)
{
	if (call->has_passage)
		pull_pass_end(call->api->mirror, &call->target);
	pull_detour_end(&call->detour);
	version_release(&call->held);
}

void api_done(const struct request *req, const struct http_outcome *outcome)
{
	struct call *call = req->local;

	log_request(req, outcome);
	if (outcome->bad_file)
		store_suspect(call->api->store, &call->digest);
	if (!call)
		return;
	mirror_count(call->api->mirror, &call->target.repository, EACH_SENT,
		     outcome->sent);
	metric_add(METRIC_SERVED, is_served(call, outcome));
	call_end(call);
}
