/*
 * cluster/options.h: where etcd is. Part of cluster/cluster.h.
 */
#pragma once
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

/* Whoever opens something with it keeps it as long as that is open. */
struct cluster_options {
	const char *const *urls;   /* "http://127.0.0.1:2379" */
	size_t url_count;	   /* at least 1 */
	const char *prefix;	   /* of all keys, "/private-registry/" */
	const char *ca;		   /* PEM; null: the system's */
	const char *certificate;   /* PEM, of ours; null: none */
	const char *key;	   /* the certificate's */
	const char *username;	   /* null: none */
	const char *password_file; /* its first line; read at each login */
};
