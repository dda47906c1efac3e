/*
 * api/api.h: the OCI distribution API over HTTP, and what operators ask for
 * on the same port (/healthz, /readyz, /metrics).
 */
#pragma once
#include "http/http.h"
#include "mirror/mirror.h"
#include "store/store.h"

/* Borrowed; both outlive the server that calls the functions below. */
struct api {
	struct store *store;
	struct mirror *mirror;
	int64_t blob_limit; /* bytes of a blob that is pushed; 0: none */
};

/* One door's http_door.arg: the upstream that it is bound to, or null. */

/* For http_options; its `app` is the struct api. */
void api_handle(struct request *, struct response *);
void api_done(const struct request *, const struct http_outcome *);
struct span api_refusal(int status, const char *sentence, struct arena *);
