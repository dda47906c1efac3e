/*
 * upstream_lab.h: an upstream under test, the registry that it talks to, and a
 * server on another address that should not learn too much.
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "fake_server.h"
#include "upstream/upstream.h"

#define BLOB "0123456789"
#define OK "HTTP/1.1 200 OK\r\n"
#define WHOLE OK "Content-Length: 10\r\n\r\n"
#define PART(range) \
	"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes " range "\r\n"
#define EMPTY(status) "HTTP/1.1 " status "\r\nContent-Length: 0\r\n"
#define TOKEN(text) OK "Content-Length: %zu\r\n\r\n%s", strlen(text), text

/* What a transfer brought, and how. */
struct basket {
	struct buf bytes;
	int64_t size;
	int starts, restarts;
	int64_t room; /* write fails when there are more bytes; 0: never */
};

struct lab {
	struct fake_server *server;    /* the registry, on 127.0.0.1 */
	struct fake_server *elsewhere; /* on 127.0.0.2 */
	struct upstream *upstream;
	char *password_file; /* "secret" */
	const char *proxy;   /* for lab_connect; null: none */
	int64_t pace_ms;     /* likewise; then nothing else is for long a
				break, or no progress; 0: 30 s */
	struct basket basket;
	int64_t size; /* of the blob, as said to it; 0: -1 */
	int64_t end;  /* of what is wanted of the blob; 0: all of it */
	struct err e;
};

/* A test with a lab of its own. */
#define promise(name) cmocka_unit_test_setup_teardown(name, lab_open, lab_close)
int lab_open(void **state);
int lab_close(void **state);
/* For main: the process as the program has it. */
void lab_prepare(void);

/*
 * The upstream has one address, the server, or with `first` that one before
 * it; with credentials they are user and secret. Patience is short.
 */
void lab_connect(struct lab *, const char *first, bool credentials);

/* The verbs, for the repository "app". */
extern const struct upstream_question lab_app;
struct digest lab_digest(void);
/* `have` of the blob's bytes are there already. */
int lab_fetch(struct lab *, int64_t have);
int lab_head(struct lab *, struct digest *out); /* of the tag 1.0 */
int lab_manifest(struct lab *, const char *reference, struct arena *,
		 struct upstream_manifest *out);

/* The whole blob comes, with one start. */
void assert_fetched(struct lab *);
void assert_fails(struct lab *, int result, enum err_kind);

/* Was `text` in the head of the `index`th request, which there must be? */
void assert_asked(struct fake_server *, size_t index, const char *text);
void assert_not_asked(struct fake_server *, size_t index, const char *text);
