/*
 * etcd_lab.h: etcd's gateway under test, and the two endpoints that it asks.
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cluster/etcd.h"
#include "fake_server.h"

/* All that is wanted to know of etcd itself. */
#define HEADER "\"header\":{\"cluster_id\":\"7\"}"
#define DONE "{" HEADER "}"
#define YES "HTTP/1.1 200 OK\r\nContent-Length: 29\r\n\r\n" DONE
#define LATER                                  \
	"HTTP/1.1 503 Service Unavailable\r\n" \
	"Content-Length: 11\r\n\r\n{\"code\":14}"

struct lab {
	struct fake_server *servers[2];
	const char *urls[2];
	char password_file[32]; /* "secret" */
	struct cluster_options options;
	struct etcd *etcd;
	struct arena *arena;
	int news;
	int failed;
	struct err e;
};

int lab_open(void **state);
int lab_close(void **state);

/* From the first endpoint, in JSON. */
void answers(struct lab *, const char *status, const char *json);
/* The same as old versions do it. */
void answers_in_chunks(struct lab *, const char *status, const char *json);

/* Whether the `index`th request to that endpoint has this in it. */
bool asked(struct lab *, size_t server, size_t index, const char *what);

void log_in_as_alice(struct lab *);
