/*
 * client/client.h: asking other servers over HTTP(S). The only libcurl.
 *
 * One call is one exchange: redirects are reported, never followed, and no
 * credential is ever added by itself. Connections are kept and used again.
 * Safe from any thread that may wait. The process must ignore SIGPIPE.
 */
#pragma once
#include "base/arena.h"
#include "base/attr.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/span.h"

struct client;

/* All may be null. Files are PEM, and read again for each connection. */
struct client_options {
	const char *ca;		 /* to trust, instead of the system's */
	const char *certificate; /* of ours, with its chain; see `identify` */
	const char *key;	 /* the certificate's */
	/* "socks5://user:password@host:1080", also http, https, socks5h; null:
	   those of the environment (http_proxy, https_proxy, no_proxy);
	   "": none */
	const char *proxy;
};

/* ERR_USAGE if a file cannot be read or has not in it what it should. */
int client_open(const struct client_options *, struct client **out,
		struct err *) may_wait must_check;
/* No call may be under way. */
void client_close(struct client **);
DEFINE_AUTO(client, client_close)

/*
 * Makes every call that is under way, and every later one, fail at once with
 * ERR_CLOSED. For a process that is about to end.
 */
void client_abort(struct client *);

/* Lets `ms` pass, for the time between two attempts. ERR_CLOSED. */
int client_pause(struct client *, int64_t ms, struct err *) may_wait must_check;

struct client_header {
	const char *name;
	const char *value; /* without control characters */
};

/* What came back before the body; lives as long as the call. */
struct client_head;

int client_status(const struct client_head *);
/* SPAN_NONE if absent; repeated ones joined by ", ". */
struct span client_header(const struct client_head *, const char *name);
/* Content-Length, or -1 if the body ends in another way. */
int64_t client_body_size(const struct client_head *);

struct client_request {
	const char *method; /* "GET", "HEAD", "POST" */
	const char *url;    /* http:// or https:// */
	const char *body;   /* of a POST, which it makes; null: none */
	const char *socket; /* path of one to ask in place of the URL's host;
			       null: none */
	const struct client_header *headers;
	size_t header_count;
	const char *username; /* null: no Authorization: Basic */
	const char *password;
	bool identify;	    /* shows our certificate to whoever asks for it */
	int64_t connect_ms; /* 0: 5 s; too long: ERR_TIMEOUT */
	int64_t head_ms;    /* no whole head in so long: ERR_TIMEOUT; 0: as
			       silence_ms */
	int64_t silence_ms; /* no byte of the body for so long: ERR_TIMEOUT;
			       0: 10 s */
	int64_t pace_ms;    /* under 1 KB/s of the body in so long: ERR_TIMEOUT;
			       0: 30 s */
	int64_t total_ms;   /* the whole exchange; 0: no limit */

	/*
	 * Both may be null; a -1 ends the exchange with that error. The head
	 * comes once, before the body, and not for 1xx; it is at most 64 KiB
	 * and its Content-Length, if any, is a number. Time spent in here is
	 * not the other side's silence.
	 */
	int (*on_head)(const struct client_head *, void *arg, struct err *);
	int (*on_body)(struct span, void *arg, struct err *);
	void *arg;
};

/* Set also when the exchange failed. */
struct client_result {
	int status;    /* 0: no head came */
	int64_t bytes; /* of the body */
};

/*
 * 0 when the answer came whole, whatever its status. ERR_UNAVAILABLE (no
 * address, refused, bad certificate), ERR_TIMEOUT, ERR_UPSTREAM (not HTTP, cut
 * before its end), ERR_CLOSED (client_abort), or what a callback said.
 */
int client_perform(struct client *, const struct client_request *,
		   struct client_result *out, struct err *) may_wait must_check;

/*
 * An absolute URL. Only what has one meaning is taken: http or https; no user;
 * printable ASCII; a host of letters, digits, '-', '.' and '_', or an IPv6
 * address in brackets. So equal hosts here are one host to whoever dials.
 */
struct client_url {
	char scheme[6];	  /* lower case */
	char host[256];	  /* lower case, with the brackets */
	char port[6];	  /* always there */
	struct span path; /* borrowed from the URL; not its query */
};

bool client_url_parse(struct span url, struct client_url *out);
/* The same scheme, host and port. */
bool client_url_same_origin(const struct client_url *,
			    const struct client_url *);

/*
 * `location` (absolute or not) as seen from `base`, in the arena. Null if that
 * is nothing that client_url_parse takes.
 */
const char *client_url_resolve(const char *base, struct span location,
			       struct arena *);
