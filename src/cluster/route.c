/*
 * The kernel is asked what it would do: a datagram socket that is connected
 * sends nothing, but has the address that it would send from. That follows
 * metrics, rules and preferred sources, which a look at the table of routes
 * would have to repeat.
 */
#include "cluster/route.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/in6.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "base/attr.h"
#include "base/cleanup.h"

union endpoint {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* A root name server's: no network of one's own has it. Returns its length. */
static socklen_t far_away(sa_family_t family, union endpoint *out)
{
	*out = (union endpoint){ .any.sa_family = family };
	if (family == AF_INET) {
		out->v4.sin_port = htons(9);
		inet_pton(AF_INET, "198.41.0.4", &out->v4.sin_addr);
		return sizeof(out->v4);
	}
	out->v6.sin6_port = htons(9);
	inet_pton(AF_INET6, "2001:503:ba3e::2:30", &out->v6.sin6_addr);
	return sizeof(out->v6);
}

static bool read_address(const struct sockaddr *from, struct ip *out)
{
	const union endpoint *endpoint = (const void *)from;
	bool v4 = from->sa_family == AF_INET;
	const void *address = v4 ? (const void *)&endpoint->v4.sin_addr :
				   (const void *)&endpoint->v6.sin6_addr;
	char text[INET6_ADDRSTRLEN];

	return (v4 || from->sa_family == AF_INET6) &&
	       inet_ntop(from->sa_family, address, text, sizeof(text)) &&
	       ip_parse(span_of(text), out);
}

bool route_address(sa_family_t family, struct ip *out)
{
	/* Of several, one that lasts; it is fine if IPv4 knows none of it. */
	static const int lasting = IPV6_PREFER_SRC_PUBLIC;
	union endpoint there, here;
	socklen_t len = far_away(family, &there);
	auto_fd int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	setsockopt(fd, IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, &lasting,
		   sizeof(lasting));
	return connect(fd, &there.any, len) == 0 &&
	       getsockname(fd, &here.any, &(socklen_t){ sizeof(here) }) == 0 &&
	       read_address(&here.any, out) && !ip_is_own(out);
}

static bool is_pair(const char *interface)
{
	struct ethtool_drvinfo driver = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq request = { .ifr_data = (void *)&driver };
	auto_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	return fd >= 0 && ioctl(fd, SIOCETHTOOL, &request) == 0 &&
	       strcmp(driver.driver, "veth") == 0;
}

bool route_is_inside(const struct ip *address)
{
	struct ifaddrs *all = NULL;
	bool inside = false;
	struct ip ip;

	if (getifaddrs(&all) < 0)
		return false;
	for (struct ifaddrs *each = all; each; each = each->ifa_next)
		if (each->ifa_addr && read_address(each->ifa_addr, &ip) &&
		    memcmp(&ip, address, sizeof(ip)) == 0)
			inside = is_pair(each->ifa_name);
	freeifaddrs(all);
	return inside;
}
