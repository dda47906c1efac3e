/*
 * cluster/clean.h: which words of etcd's may come near a file or a terminal.
 * Pure.
 */
#pragma once
#include "cluster/record.h"

/* As struct record says of id, version and zone. */
bool clean_word(struct span);
/* "http://10.0.0.5:5000" and nothing behind; what is set is in the arena. */
bool clean_url(struct span, struct arena *, struct record_door *out);
