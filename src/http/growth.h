/*
 * http/growth.h: connections of one reactor that wait for files to grow.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct connection;
struct growing;
struct reactor;

/*
 * The connection has sent the file up to `length`. False if it has grown or
 * ended meanwhile: then there is no need to wait.
 */
bool growth_wait(struct connection *, struct growing *, int64_t length);

/* The bell rang: runs those whose file has grown or ended. */
void growth_look(struct reactor *);

/* The connections that wait, appended to `out`. */
struct link;
void growth_take_all(struct reactor *, struct link *out);
