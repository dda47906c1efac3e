/*
 * cli/enrol.h: this registry in etcd, so that hosts find it.
 *
 * It is there while it serves and the data directory can be written; with a
 * full disk too, for pulls. What it says follows the configuration that is in
 * force and the addresses of this host.
 */
#pragma once
#include "cluster/cluster.h"
#include "config/config.h"

struct house;

/* What it points to is the configuration's. */
void describe_etcd(const struct config *, struct cluster_options *out);

/* What others shall trust: the certificates of a file, and nothing else. */
int certificates_read(const char *path, struct buf *out, struct err *)
	may_wait must_check;

/* Fine if the configuration names no etcd. The doors are open. */
int enrol(struct house *, struct err *) may_wait must_check;
/* Hosts shall look for another one, while this one still answers. */
void enrol_end(struct house *) may_wait;
