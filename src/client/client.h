/*
 * client/client.h: asking other servers over HTTP(S). The only libcurl.
 *
 * One call is one exchange: redirects are reported, never followed, and no
 * credential is ever added by itself. Connections are kept and used again.
 * Safe from any thread that may wait.
 */
#pragma once
#include "base/arena.h"
#include "base/attr.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/span.h"

struct client;

/*
 * `ca`: a PEM file to trust instead of the system's, or null. ERR_USAGE if it
 * cannot be read.
 */
int client_open(const char *ca, struct client **out, struct err *)
	may_wait must_check;
void client_close(struct client **);
DEFINE_AUTO(client, client_close)

struct client_header {
	const char *name;
	const char *value;
};

/* What came back before the body. */
struct client_head;

int client_status(const struct client_head *);
/* SPAN_NONE if absent; repeated ones joined by ", ". Valid during the call. */
struct span client_header(const struct client_head *, const char *name);
/* Content-Length, or -1. */
int64_t client_body_size(const struct client_head *);

struct client_request {
	const char *method;		/* "GET", "HEAD", "POST" */
	const char *url;		/* http:// or https:// */
	const struct client_header *headers;
	size_t header_count;
	const char *username;		/* null: no Authorization: Basic */
	const char *password;
	int64_t connect_ms;		/* 0: 5 s */
	int64_t silence_ms;		/* no byte for so long: ERR_TIMEOUT;
					   0: 10 s */
	int64_t total_ms;		/* the whole exchange; 0: no limit */

	/*
	 * Both may be null; a -1 ends the exchange with that error. The head
	 * comes once, before the body, and not for 1xx.
	 */
	int (*on_head)(const struct client_head *, void *arg, struct err *);
	int (*on_body)(struct span, void *arg, struct err *);
	void *arg;
};

/*
 * 0 when the answer came whole, whatever its status. ERR_UNAVAILABLE (no
 * address, refused, bad certificate), ERR_TIMEOUT, ERR_UPSTREAM (not HTTP, cut
 * before its end), or what a callback said.
 */
int client_perform(struct client *, const struct client_request *,
		   struct err *) may_wait must_check;

/*
 * Of an absolute URL; `path` starts with '/'. False if it is no http(s) URL,
 * or has a user in it.
 */
struct client_url {
	char scheme[6];
	char host[256];		/* lower case */
	char port[6];		/* always there */
};
bool client_url_parse(struct span url, struct client_url *out);

/* `location` (absolute or not) as seen from `base`; in the arena, or null. */
const char *client_url_resolve(const char *base, struct span location,
			       struct arena *);
