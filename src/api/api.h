/*
 * api/api.h: the OCI distribution API over HTTP, and what operators ask for
 * on the same port (/healthz, /readyz, /metrics).
 */
#pragma once
#include "base/current.h"
#include "base/ip.h"
#include "config/config.h"
#include "http/http.h"
#include "mirror/mirror.h"
#include "store/store.h"

/* What holds for one request, whatever is reloaded meanwhile. */
struct api_settings {
	struct config *config;
	struct mirror_rules mirror;
	struct mirror_upstream_rules *upstreams; /* the mirror's */
	struct mirror_reader *readers;		 /* of all of these */
	struct platform *platforms;		 /* of all of these */
	struct ip_network *proxies;		 /* to be trusted */
	size_t proxy_count;
	struct span host; /* of the public URL; SPAN_NONE */
};

/* Takes the configuration; closed by whoever holds it in a struct current. */
struct api_settings *api_settings_open(struct config *);
void api_settings_close(void *settings);

/* Borrowed; they outlive the server that calls the functions below. */
struct api {
	struct store *store;
	struct mirror *mirror;
	const char *instance;	  /* who this is, as etcd has it */
	struct current *settings; /* of struct api_settings */
};

/* One door's http_door.arg: the upstream that it is bound to, or null. */

/* For http_options; its `app` is the struct api. */
void api_handle(struct request *, struct response *);
void api_done(const struct request *, const struct http_outcome *);
struct span api_refusal(int status, const char *sentence, struct arena *);
