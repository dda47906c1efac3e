/*
 * What operators and their tools ask for.
 */
#include "api/call.h"
#include "base/buf.h"
#include "base/metrics.h"

static void say(struct call *call, struct span text)
{
	respond_header(call->response, "Content-Type",
		       "text/plain; charset=utf-8");
	respond_bytes(call->response, 200, text);
}

/* The process answers. */
void health_get(struct call *call)
{
	say(call, SPAN("ok\n"));
}

/* It can take pushes: the data directory can be written. */
void ready_get(struct call *call)
{
	struct err e;

	if (store_check(call->api->store, &e) < 0) {
		e.kind = ERR_UNAVAILABLE;
		return fail(call, &e);
	}
	say(call, SPAN("ready\n"));
}

void metrics_get(struct call *call)
{
	auto_buf struct buf text = { 0 };

	mirror_count_saved(call->api->mirror);
	metrics_print(&text);
	say(call, arena_copy(call->request->arena, buf_span(&text)));
}
