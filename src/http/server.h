/*
 * http/server.h: the parts of one server.
 */
#pragma once
#include <pthread.h>
#include <stdatomic.h>

#include "http/http.h"
#include "http/lane.h"
#include "http/listener.h"
#include "http/reactor.h"

struct door {
	struct http_door given;
	struct identity *identity; /* null: plain */
	struct listener listener;  /* fd is -1: there is none */
};

struct http {
	struct http_options options; /* with the defaults filled in */
	int64_t timeouts_ms[TIMEOUT_COUNT];
	struct door *doors; /* as many as in the options */
	size_t open_doors;
	struct reactor *reactors;
	unsigned reactor_count;
	struct lane **lanes;
	unsigned lane_count;
	struct pool *closers;  /* of files, where that takes long */
	struct thread renewer; /* looks for new certificates */
	bool renews;	       /* there is one */

	/* Orders. What was said once stays; reactor_wake after each. */
	atomic_bool draining;
	atomic_bool cutting;
	atomic_bool ending;
	int stop; /* readable once `cutting`: wakes workers out of wire_wait */

	unsigned most; /* connections at once; more wait in the backlog */
	_Atomic int64_t held; /* see held_most */

	/* Guards the choice of a reactor; `emptied`: one connection less. */
	pthread_mutex_t lock;
	pthread_cond_t emptied;
};
