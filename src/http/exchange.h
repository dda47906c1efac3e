/*
 * http/exchange.h: one request and its response, with the memory they need.
 *
 * A connection has one only while a request is there; an idle connection has
 * none. Exchanges come from a pool of the reactor.
 */
#pragma once
#include "base/buf.h"
#include "http/frame.h"
#include "http/http.h"
#include "http/list.h"
#include "http/pace.h"
#include "http/parse.h"

struct connection;

enum {
	HEAD_LIMIT = 16 * 1024,
	BODY_ROOM = 1024, /* at least, behind a head */
	HEADER_LIMIT = 100
};

enum body_kind { /* up to BODY_FILE all is known from the start */
		 BODY_NONE,
		 BODY_BYTES,
		 BODY_FILE,
		 BODY_PARTS, /* of a file */
		 BODY_GROWING,
		 BODY_STREAM
};

typedef void respond_fn(struct request *, struct response *);
typedef int stream_fn(struct request *, struct response *, struct err *);

struct response {
	int status;
	enum body_kind kind;
	struct span bytes;
	int fd;		     /* owned, or -1 */
	struct parts *parts; /* in the arena */
	struct growing *growing;
	stream_fn *write;
	int64_t offset;
	int64_t length; /* of the body, -1: not known beforehand */
	respond_fn *later;
	enum http_lane lane;
	unsigned whom;
	struct buf headers;
};

/* How far the response has gone; see http/send.c. */
struct sending {
	struct buf text; /* the head, and frames of chunks */
	size_t text_sent;
	struct span bytes;  /* of a body in memory */
	int64_t offset;	    /* in the file */
	int64_t until;	    /* so far it may be sent now */
	int64_t end;	    /* -1: not known yet */
	int64_t warm;	    /* so far it is in the page cache */
	int64_t body;	    /* bytes of body sent */
	int64_t blocked_ms; /* since when the socket is full; 0: it is not */
	bool chunked;
	bool ended;    /* everything is in `text` and `bytes` */
	bool bad_file; /* it is shorter than it was, or cannot be read */
	struct pace pace;
};

struct exchange {
	struct exchange *next; /* in the pool */
	struct connection *connection;
	struct request request;
	struct response response;
	struct sending sending;

	bool old;      /* HTTP/1.0 */
	bool keep;     /* the connection may be used again */
	bool expects;  /* 100 Continue, not sent yet */
	bool cut;      /* ends before its last byte */
	bool unframed; /* the body ends with the connection */
	int64_t held;  /* bytes, counted in http.held */
	int64_t started_us;
	int64_t received;   /* bytes of body */
	struct frame frame; /* of the request's body */
	struct pace pace;

	size_t line;  /* where the last line of the head starts */
	size_t head;  /* length of the head; 0: not there yet */
	size_t taken; /* of `bytes`, as head and body */
	size_t filled;
	char bytes[HEAD_LIMIT + BODY_ROOM]; /* last: most is never touched */
};

struct exchange *exchange_open(void);
void exchange_close(struct exchange **);

/*
 * Ready for the next request of the connection; bytes that were read and not
 * taken are its beginning.
 */
void exchange_reset(struct exchange *);

/*
 * Looks for a head in what was read. 1: it is there and `request` is ready;
 * 0: more has to come; -1: refused, and `response` says why.
 */
int exchange_parse(struct exchange *);

/* The engine's own answer. The connection is closed after it. */
void exchange_refuse(struct exchange *, int status, const char *sentence);

/*
 * Its client does not read: counts the memory that it takes. False if all
 * such clients take too much; to be given back in any case.
 */
bool exchange_hold(struct exchange *) must_check;
void exchange_let_go(struct exchange *);

/* Takes the rest of the body from what was read already; true if that is all.
 */
bool exchange_skip_body(struct exchange *);

static inline struct exchange *exchange_of(struct request *request)
{
	return container_of(request, struct exchange, request);
}

static inline struct exchange *exchange_answering(struct response *res)
{
	return container_of(res, struct exchange, response);
}

/* response.c: gives back what the body holds. */
void response_release(struct response *);
/* response.c: writes status line and headers to `sending`. */
void response_start(struct exchange *);
