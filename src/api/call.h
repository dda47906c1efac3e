/*
 * api/call.h: one call of the API: the request, and what its path means once
 * it was checked at the door. Nobody checks a name again behind this line.
 */
#pragma once
#include "api/api.h"
#include "api/origin.h"
#include "oci/name.h"
#include "oci/range.h"

struct call;
struct route;

typedef void (*call_handler)(struct call *);

struct call {
	struct request *request;
	struct response *response;
	const struct api *api;
	const struct api_settings *settings; /* of this request, to its end */
	struct version *held;		     /* what holds them */
	const struct route *route;
	struct origin origin;
	call_handler then; /* what runs later, on a worker */

	struct mirror_asker asker;	 /* of all its questions */
	struct mirror_question question; /* whom it is for */
	struct span path_name;		 /* <name> as the client wrote it */
	struct mirror_target target;	 /* what it means */
	struct reference reference;	 /* <reference> */
	struct digest digest;		 /* <digest> */
	struct span upload;		 /* <upload> */

	struct range passing;  /* of a blob that is passed through */
	int64_t passing_size;  /* of all of it */
	bool has_passage;      /* see pull_pass_begin */
	struct flight *detour; /* how it comes, if not for lack of room */

	struct err err; /* for the log, if it failed */
};

/* Runs `then` once, on a worker. */
void call_later(struct call *, enum http_lane, call_handler then);

/* Answers with the error in the specification's form. */
void fail(struct call *, const struct err *);

/*
 * The same, about several things at once: each has an entry of its own among
 * the errors.
 */
struct problem {
	const char *message;
	const char *detail; /* JSON */
};
void fail_several(struct call *, const struct err *, const struct problem *,
		  size_t count);

/* The same with an Allow header. */
void fail_method(struct call *, unsigned allowed_methods);

/* Each in a file of its own, or with its kin. */
void base_get(struct call *);
void blob_get(struct call *);
void blob_unlink(struct call *);
void upload_start(struct call *);
void upload_get(struct call *);
void upload_patch(struct call *);
void upload_put(struct call *);
void upload_delete(struct call *);
void manifest_get(struct call *);
void manifest_put(struct call *);
void manifest_delete(struct call *);
void referrers_get(struct call *);
void tags_get(struct call *);
void catalog_get(struct call *);
void health_get(struct call *);
void ready_get(struct call *);
void metrics_get(struct call *);
