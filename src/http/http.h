/*
 * http/http.h: an HTTP/1.1 server (RFC 9110, RFC 9112) made for sending files.
 *
 * One reactor thread a core runs handlers and moves bytes; it never waits. A
 * handler describes its response, or says "later": then the engine runs a
 * second function, once, on a worker, which may wait. A connection belongs to
 * exactly one thread at a time, and so do its request and its response.
 *
 * The engine knows nothing of registries.
 */
#pragma once
#include <sys/socket.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/growing.h"
#include "base/span.h"

enum method {
	METHOD_GET = 1,
	METHOD_HEAD = 2,
	METHOD_POST = 4,
	METHOD_PUT = 8,
	METHOD_PATCH = 16,
	METHOD_DELETE = 32,
	METHOD_OTHER = 64 /* well-formed, but none of ours */
};

/* "GET"; "-" for METHOD_OTHER. Static. */
const char *method_text(enum method);

/*
 * Later work is done in lanes, each with a limit of threads of its own, so
 * that slow uploads cannot starve pulls. Over the limit a connection queues,
 * its body unread, until a thread is free or `queue_ms` passed (503).
 */
enum http_lane {
	LANE_READ,   /* pulls that have to wait: a miss */
	LANE_RENEW,  /* pulls that have an answer, and soon give it */
	LANES_APART, /* the lanes so far are there for each of the others */
	LANE_WRITE = LANES_APART, /* short changes, with no body to wait for */
	LANE_UPLOAD,		  /* whatever has a body */
	LANE_COUNT
};

/* ------------------------------------------------------------ requests */

struct header {
	struct span name;  /* as sent; compare without case */
	struct span value; /* trimmed */
};

/* A certificate with its chain, and its private key: names of PEM files. */
struct http_certificate {
	const char *certificate;
	const char *key;
};

/*
 * One listening socket, as the application gave it. Of several certificates
 * each is for the names in it (RFC 6125, with wildcards), and the first also
 * for clients that name no server, or another one.
 */
struct http_door {
	const char *address; /* "0.0.0.0:5000", "[::1]:5000", ":5000" */
	const struct http_certificate *certificates;
	size_t certificate_count; /* 0: plain HTTP */
	const char *client_ca;	  /* PEM; null: clients are not asked */
	bool client_required;	  /* none gets in without a certificate */
	void *arg;		  /* the application's */
};

struct request {
	enum method method;
	struct span path;  /* raw, starts with '/', without the query */
	struct span query; /* raw, behind '?'; SPAN_NONE without one */
	const struct header *headers;
	size_t header_count;
	int64_t body_size; /* bytes; -1: chunked, unknown; 0: none */
	char id[17];	   /* 16 hexadecimal digits, for X-Request-Id */
	const char *peer;  /* "10.0.0.1:4711", "[::1]:4711" */
	/* Subject of the client's verified certificate, or null (RFC 4514). */
	const char *client;
	const struct http_door *door;
	void *app;	     /* http_options.app */
	void *local;	     /* the application's own, for this request */
	struct arena *arena; /* ends when the response was sent */
};

/*
 * Does the client's verified certificate carry that name, as a DNS name or as
 * the CN of its subject? Without case; a wildcard in it stands for itself.
 */
bool request_client_is(struct request *, const char *name);

/* The first header of that name; SPAN_NONE if there is none. */
struct span request_header(const struct request *, const char *name);

/*
 * All headers of that name joined by ", ", in the arena (RFC 9110, 5.3);
 * SPAN_NONE if there is none.
 */
struct span request_header_list(const struct request *, const char *name);

/*
 * The value of a query parameter, percent-decoded, in the arena; SPAN_NONE if
 * it is absent. `nth` counts from 0.
 */
struct span request_query(const struct request *, const char *name,
			  unsigned nth);

/*
 * Reads the body, on a worker only. Returns the bytes read, 0 at its end, -1
 * on ERR_CLOSED, ERR_SLOW (30 s of silence, or under 1 KB/s on average),
 * ERR_REQUEST (malformed chunks). The first call sends 100 Continue if the
 * client waits for it.
 */
ssize_t request_read(struct request *, void *out, size_t room, struct err *)
	may_wait must_check;

/* ------------------------------------------------------------ responses */

struct response;

/*
 * A header of the response; may be called before or after the body is chosen.
 * Control characters in the value become '?', so nothing that came from a
 * client splits a response.
 */
void respond_header(struct response *, const char *name, const char *format,
		    ...) printf_like(3, 4);

/*
 * The body; the last call wins. Content-Length is the engine's, and HEAD gets
 * the same headers and no body.
 */
void respond_empty(struct response *, int status);
/*
 * The answer to a HEAD whose body is not at hand: GET would send `size` bytes
 * (-1: it cannot be known, and there is no Content-Length).
 */
void respond_size(struct response *, int status, int64_t size);
/* `bytes` must live as long as the request's arena. */
void respond_bytes(struct response *, int status, struct span bytes);
/* Takes `fd`. Sends `length` bytes from `offset`. */
void respond_file(struct response *, int status, int fd, int64_t offset,
		  int64_t length);
/* A piece of a file, in bytes. */
struct http_part {
	int64_t offset;
	int64_t length;
};
/*
 * Takes `fd`, a file of `size` bytes of this media type. 206 with the parts
 * in their order, as multipart/byteranges (RFC 9110, 14.6); Content-Type is
 * the engine's, too. How many parts a client may ask for is the caller's.
 */
void respond_parts(struct response *, int fd, int64_t size,
		   const struct http_part *parts, size_t count,
		   const char *media_type);
/*
 * Takes one reference. Sends from `offset` as the bytes come: `length` bytes,
 * or with -1 to the end (chunked while the size is unknown). If it breaks, the
 * connection is cut by FIN before the last byte; by a reset when only the end
 * of the connection would say that it was the last (HTTP/1.0, size unknown).
 */
void respond_growing(struct response *, int status, struct growing *,
		     int64_t offset, int64_t length);
/*
 * Runs `write` on the worker that handles this request, which must be one: it
 * writes the body by response_write, `length` bytes, or with -1 any number
 * (chunked). A -1, or another number, cuts the connection.
 */
void respond_stream(struct response *, int status, int64_t length,
		    int (*write)(struct request *, struct response *,
				 struct err *));
int response_write(struct response *, struct span, struct err *)
	may_wait must_check;

/*
 * Runs `then` once, on a worker of `lane`. It, too, describes the response,
 * and may not say "later" again. Only from a handler on a reactor.
 *
 * `whom` it may wait for there: one of the application's others, from 1 on, or
 * 0, nobody in particular. Who waits for one of them in a lane that is apart
 * is in the way of nobody who waits for another.
 */
void respond_later(struct response *, enum http_lane, unsigned whom,
		   void (*then)(struct request *, struct response *));

/* ------------------------------------------------------------ the server */

struct http;

/* What became of a request; passed to `done` on the thread that sent it. */
struct http_outcome {
	int status;	  /* 0: none was sent */
	int64_t sent;	  /* body bytes */
	int64_t received; /* body bytes */
	int64_t micros;	  /* from the head's last byte to the end */
	bool cut;	  /* ended before the last byte */
	bool bad_file;	  /* since its file was short, or could not be read */
};

struct http_options {
	const struct http_door *doors;
	size_t door_count;
	/*
	 * Sockets that listen already; each is for the door of its address.
	 * Taken. They listen on behind http_drain: whoever comes then waits for
	 * the next process that has them.
	 */
	const int *sockets;
	size_t socket_count;
	unsigned reactors;	    /* 0: one a core; at most 64 */
	unsigned lanes[LANE_COUNT]; /* thread limits; 0: the default */
	unsigned others;	    /* how many may be waited for */
	int64_t head_ms;	    /* a head is complete within; 0: 10 s */
	int64_t idle_ms;	    /* keep-alive; 0: 75 s */
	int64_t stall_ms;	    /* a body's silence; 0: 30 s */
	int64_t queue_ms;	    /* wait for a lane; 0: 30 s */
	int64_t renew_ms; /* looks for new certificates; 0: every 2 s */
	/*
	 * Bytes of memory that all clients together may hold by not reading
	 * answers of more than 64 KiB; above, they are cut. 0: 256 MiB
	 */
	int64_t held_most;

	/* On a reactor, never waits. */
	void (*handle)(struct request *, struct response *);
	/* Once a request, after its last byte; the arena is still there. */
	void (*done)(const struct request *, const struct http_outcome *);
	/*
	 * The body of an answer that the engine gives by itself (400, 408,
	 * 431, 503, 505); null: a line of text.
	 */
	struct span (*refusal)(int status, const char *sentence,
			       struct arena *);
	const char *refusal_type; /* its media type; null: text/plain */
	void *app;
};

/*
 * Binds every door and starts. ERR_USAGE with the address or file that is
 * wrong and the remedy.
 */
int http_open(const struct http_options *, struct http **out, struct err *)
	may_wait must_check;

/* The port that door `index` is bound to (for port 0). */
unsigned http_port(const struct http *, size_t index);

/*
 * Takes over the certificates and the authorities of `doors`, which are those
 * of http_open in all else; each stays plain or does not. They must live until
 * others are taken over. All files are read anew, and if one is wrong (it is
 * the error) nothing changes. Files that changed are read again without this,
 * each by itself, a few seconds later.
 */
int http_reload(struct http *, const struct http_door *doors, struct err *)
	may_wait must_check;

/*
 * Every reactor has gone round within `wait_ms`; none that is well needs more
 * than a moment for that.
 */
bool http_answers(struct http *, int64_t wait_ms) may_wait;

/*
 * Another limit of threads, of each lane of that kind; what is at work beyond
 * it ends its work.
 */
void http_limit(struct http *, enum http_lane, unsigned limit);

/*
 * Stops accepting, closes idle connections, lets the others end their
 * request; after `wait_ms` cuts what is left by FIN before the last byte.
 */
void http_drain(struct http *, int64_t wait_ms) may_wait;

/* Ends all threads and releases everything. After http_drain. */
void http_close(struct http **);
