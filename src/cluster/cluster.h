/*
 * cluster/cluster.h: the hosts of one network, and etcd between them: who is
 * there, and for how long.
 */
#pragma once
#include "cluster/hosts.h"
#include "cluster/options.h"
#include "cluster/presence.h"
#include "cluster/record.h"
#include "cluster/route.h"
#include "cluster/srv.h"
#include "cluster/watch.h"
