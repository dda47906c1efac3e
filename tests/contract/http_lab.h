/*
 * http_lab.h: a server of the engine with a few paths that do one thing each,
 * and clients that see every byte.
 *
 *	/small		five bytes
 *	/large		LARGE bytes from memory; byte i is pattern(i)
 *	/file		the same from a file, with sendfile
 *	/cold		the same from a file on disk that is in no cache
 *	/parts		its first and its last byte, as two parts
 *	/short		promises twice as much as the file has
 *	/growing	lab->growing, whole
 *	/unsized	lab->growing, to wherever it ends
 *	/later		five bytes, from a worker
 *	/echo		the body, from a worker
 *	/count		how long the body is, or why it could not be read
 *	/hold		five bytes, once lab_release was called
 *	/stuck		the same, but its reactor waits for it
 *	/hold/one	the same, as who waits for the first of the others
 *	/later/other	as /later, for the second
 *	/stream		"abc", written in three pieces
 *	/broken		"a", and then the writer fails
 *	/refuse		403 at once, the body unread
 *	/peer		who asks
 *	/client		the subject of its certificate
 *	/reactor	the number of the thread that handles it
 *	/split		a header with CR and LF in its value
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/growing.h"
#include "base/thread.h"
#include "http/http.h"

#define LARGE (3 * 1024 * 1024)
#define PATIENCE_MS 20000 /* and then something is broken */

enum { PLAIN, SECURE, LAB_DOORS };

struct lab {
	struct http *http;
	struct http_door doors[LAB_DOORS];
	struct http_certificate certificates[2];
	char folder[64];
	char files[16][96]; /* in it */
	unsigned file_count;
	const char *certificate, *key, *on_disk;
	char *large;
	int file; /* LARGE bytes */
	int growing_file;
	struct growing *growing;

	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t changed;
	bool released;
	unsigned holding; /* requests that wait in /hold */
	unsigned done;
	struct http_outcome last; /* of the last that was done */
	char last_id[17];
};

/* A server with two reactors, small lanes and the defaults, or as given. */
#define promise(name) cmocka_unit_test_setup_teardown(name, lab_open, lab_close)
int lab_open(void **state);
int lab_close(void **state);
/* Again, with other options; functions and doors, changed or not, the lab's. */
void lab_reopen(struct lab *, const struct http_options *);

/* The path of a file in the lab's folder, which goes with the lab. */
const char *lab_file(struct lab *, const char *name);
/* Writes another certificate, for `name`, where the first was. */
void lab_certify(struct lab *, const char *name);

char pattern(size_t index);
/* The growing file has its first `length` bytes, of the pattern. */
void lab_grow(struct lab *, int64_t length);
void lab_release(struct lab *);
/* Until so many wait in /hold, so many requests are done. */
void lab_await_holding(struct lab *, unsigned count);
struct http_outcome lab_await_done(struct lab *, unsigned count);

/* ------------------------------------------------------------ clients */

struct client {
	int fd;
	void *ssl;
	struct buf in; /* received, not yet looked at */
};

struct answer {
	int status;
	struct buf head;
	struct buf body;
	bool whole; /* the body is as long as the head said */
};

struct client client_open(struct lab *, unsigned door);
/* Through TLS to SECURE, as who the files say (null: as nobody). */
struct client_as {
	const char *host; /* the server that it means; null: it names none */
	int version;	  /* of TLS; 0: the best */
	const char *certificate, *key;
};
struct client client_open_as(struct lab *, const struct client_as *);
/* The same without TLS, whatever the door. */
struct client client_open_raw(struct lab *, unsigned door);
/* In two steps: its descriptor, and then the connection. */
struct client client_make(void);
void client_connect(const struct client *, struct lab *, unsigned door);
void client_close(struct client *);
#define auto_client auto_with(client_close)

void client_say(struct client *, const char *format, ...) printf_like(2, 3);
/* As far as the server takes it; the count. */
size_t client_send(struct client *, const char *bytes, size_t size);

/* The next answer; `head` when it has no body, as to HEAD. */
struct answer client_answer(struct client *, bool head);
void answer_free(struct answer *);
#define auto_answer auto_with(answer_free)

/* "GET path HTTP/1.1", and its answer. */
struct answer client_get(struct client *, const char *path);

/* Waits for the end: true for FIN, false for a reset. Drops what comes. */
bool client_sees_fin(struct client *);
/* At least `count` bytes have come, unless it ended before. */
bool client_receives(struct client *, size_t count);
/* The name in the certificate of the server. */
void client_peer_name(struct client *, char *out, size_t room);
/* Instead of an answer comes the end, with this alert of TLS. */
bool client_hears_alert(struct client *, const char *reason);

/* The value of a header, or SPAN_NONE. */
struct span answer_header(const struct answer *, const char *name);
bool answer_is(const struct answer *, int status, const char *body);
bool answer_is_pattern(const struct answer *, size_t size);
