/*
 * The one place where an error becomes an answer. distribution-spec, "Error
 * Codes".
 */
#include <stdio.h>

#include "api/call.h"
#include "base/buf.h"
#include "base/json.h"

static const struct {
	int status;
	const char *code;
	int retry_s; /* Retry-After where nothing is known; 0: waiting does
			not help */
} answers[ERR_KINDS] = {
	/* clang-format off */
	[ERR_USAGE]                 = { 500, "UNKNOWN", 0 },
	[ERR_REQUEST]               = { 400, "UNSUPPORTED", 0 },
	[ERR_NAME_INVALID]          = { 400, "NAME_INVALID", 0 },
	[ERR_TAG_INVALID]           = { 400, "MANIFEST_INVALID", 0 },
	[ERR_DIGEST_INVALID]        = { 400, "DIGEST_INVALID", 0 },
	[ERR_SIZE_INVALID]          = { 400, "SIZE_INVALID", 0 },
	[ERR_MANIFEST_INVALID]      = { 400, "MANIFEST_INVALID", 0 },
	[ERR_RANGE]                 = { 416, "SIZE_INVALID", 0 },
	[ERR_CHUNK_INVALID]         = { 400, "BLOB_UPLOAD_INVALID", 0 },
	[ERR_CHUNK_ORDER]           = { 416, "BLOB_UPLOAD_INVALID", 0 },
	[ERR_TOO_LARGE]             = { 413, "SIZE_INVALID", 0 },
	[ERR_TOO_MANY]              = { 414, "UNSUPPORTED", 0 },
	[ERR_UNSUPPORTED]           = { 400, "UNSUPPORTED", 0 },
	[ERR_METHOD]                = { 405, "UNSUPPORTED", 0 },
	[ERR_DENIED]                = { 403, "DENIED", 0 },
	[ERR_SLOW]                  = { 408, "BLOB_UPLOAD_INVALID", 0 },
	[ERR_NOT_FOUND]             = { 404, "UNSUPPORTED", 0 },
	[ERR_NAME_UNKNOWN]          = { 404, "NAME_UNKNOWN", 0 },
	[ERR_BLOB_UNKNOWN]          = { 404, "BLOB_UNKNOWN", 0 },
	[ERR_MANIFEST_UNKNOWN]      = { 404, "MANIFEST_UNKNOWN", 0 },
	[ERR_MANIFEST_BLOB_UNKNOWN] = { 400, "MANIFEST_BLOB_UNKNOWN", 0 },
	[ERR_UPLOAD_UNKNOWN]        = { 404, "BLOB_UPLOAD_UNKNOWN", 0 },
	[ERR_IN_USE]                = { 405, "UNSUPPORTED", 0 },
	[ERR_CONFLICT]              = { 409, "BLOB_UPLOAD_INVALID", 0 },
	[ERR_PRECONDITION]          = { 412, "DENIED", 0 },
	[ERR_NOT_HERE]              = { 500, "UNKNOWN", 0 },
	[ERR_LOCKED]                = { 500, "UNKNOWN", 0 },
	[ERR_BUSY]                  = { 503, "UNAVAILABLE", 5 },
	[ERR_TIMEOUT]               = { 504, "UNAVAILABLE", 0 },
	[ERR_CLOSED]                = { 400, "BLOB_UPLOAD_INVALID", 0 },
	[ERR_UPSTREAM]              = { 502, "UNAVAILABLE", 0 },
	[ERR_UNAVAILABLE]           = { 503, "UNAVAILABLE", 10 },
	[ERR_LOOP]                  = { 508, "UNAVAILABLE", 0 },
	[ERR_NO_SPACE]              = { 507, "UNAVAILABLE", 0 },
	[ERR_CORRUPT]               = { 500, "UNKNOWN", 0 },
	[ERR_IO]                    = { 500, "UNKNOWN", 0 },
	[ERR_INTERNAL]              = { 500, "UNKNOWN", 0 },
	/* clang-format on */
};

static void error_add(struct buf *body, const char *code, const char *message,
		      const char *detail)
{
	buf_addf(body, "{\"code\":\"%s\",\"message\":", code);
	json_quote(body, span_of(message));
	buf_addf(body, ",\"detail\":%s}", detail);
}

static struct span errors_body(const char *code, const struct problem *problems,
			       size_t count, struct arena *arena)
{
	auto_buf struct buf body = { 0 };

	buf_add(&body, SPAN("{\"errors\":["));
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			buf_add(&body, SPAN(","));
		error_add(&body, code, problems[i].message, problems[i].detail);
	}
	buf_add(&body, SPAN("]}\n"));
	return arena_copy(arena, buf_span(&body));
}

static int retry_s(const struct err *e)
{
	int usual = answers[e->kind].retry_s;

	return usual && e->retry_s ? e->retry_s : usual;
}

void fail_several(struct call *call, const struct err *e,
		  const struct problem *problems, size_t count)
{
	struct response *res = call->response;

	call->err = *e;
	if (retry_s(e))
		respond_header(res, "Retry-After", "%d", retry_s(e));
	respond_header(res, "Content-Type", "application/json");
	respond_bytes(res, answers[e->kind].status,
		      errors_body(answers[e->kind].code, problems, count,
				  call->request->arena));
}

void fail(struct call *call, const struct err *e)
{
	struct problem problem = { e->message, "null" };

	fail_several(call, e, &problem, 1);
}

void fail_method(struct call *call, unsigned allowed)
{
	char list[64] = "";
	struct err e;

	for (unsigned method = METHOD_GET; method < METHOD_OTHER; method <<= 1)
		if (allowed & method)
			snprintf(list + strlen(list),
				 sizeof(list) - strlen(list), "%s%s",
				 *list ? ", " : "", method_text(method));
	respond_header(call->response, "Allow", "%s", list);
	err_set(&e, ERR_METHOD, "this path takes %s", list);
	fail(call, &e);
}

struct span api_refusal(int status, const char *sentence, struct arena *arena)
{
	struct problem problem = { sentence, "null" };

	return errors_body(status >= 500 ? "UNAVAILABLE" : "UNSUPPORTED",
			   &problem, 1, arena);
}
