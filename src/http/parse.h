/*
 * http/parse.h: the head of a request (RFC 9112), read strictly: what two
 * servers could read in two ways is refused. Pure, no memory of its own.
 */
#pragma once
#include <sys/types.h>

#include "http/http.h"

/* What is wrong with a request, and what we answer. */
struct refusal {
	int status;
	const char *sentence;
};

struct head {
	enum method method;
	struct span authority; /* of an absolute target; else SPAN_NONE */
	struct span path;
	struct span query;	/* SPAN_NONE without '?' */
	struct header *headers; /* the caller's room for `header_room` */
	size_t header_room;
	size_t header_count;
	int64_t body_size; /* -1: chunked */
	bool old;	   /* HTTP/1.0 */
	bool keep;	   /* the connection may be used again */
	bool expects;	   /* 100 Continue, before it sends its body */
};

/*
 * The length of the head at the beginning of `bytes`, with its blank line; 0
 * while that has not come, -1 when this will never be a head. `*line` starts
 * at 0 and remembers, from call to call, where the last line starts.
 */
ssize_t head_length(struct span bytes, size_t *line);

/* Reads a head of just that length. Null, or what is wrong with it. */
const struct refusal *head_parse(struct span bytes, struct head *);
