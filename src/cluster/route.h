/*
 * cluster/route.h: under which addresses others reach this host. Part of
 * cluster/cluster.h.
 */
#pragma once
#include <sys/socket.h>

#include "base/ip.h"

/*
 * Of the interface that the default route leads to, for AF_INET or AF_INET6.
 * False if there is no route, or none but to this host itself.
 */
bool route_address(sa_family_t, struct ip *out);

/*
 * Does an address of this host belong to a network inside of a host, as a
 * container has one (a pair of virtual interfaces)? Others may not reach it.
 */
bool route_is_inside(const struct ip *);
