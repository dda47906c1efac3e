/*
 * GET /v2/: "is this a registry?" distribution-spec, "Determining Support".
 */
#include "api/call.h"

void base_get(struct call *call)
{
	respond_header(call->response, "Private-Registry-Instance", "%s",
		       call->api->instance);
	respond_header(call->response, "Content-Type", "application/json");
	respond_bytes(call->response, 200, SPAN("{}"));
}
