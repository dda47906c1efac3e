/*
 * base/ip.h: IP addresses and networks of them, as values. Pure.
 *
 * An IPv4 address is held as IPv6 knows it (::ffff:10.0.0.1), so that both
 * spellings of one address are one value; it is printed as IPv4.
 */
#pragma once
#include <netinet/in.h>

#include "base/span.h"

struct ip {
	uint8_t bytes[16];
};

struct ip_network {
	struct ip address;
	unsigned bits; /* of `address` that count, 0 … 128 */
};

/* "10.0.0.1", "2001:db8::1": an address alone, without brackets or zone. */
bool ip_parse(struct span, struct ip *out);

/* An address, or "10.0.0.0/8", "fd00::/8". */
bool ip_network_parse(struct span, struct ip_network *out);

bool ip_network_holds(const struct ip_network *, const struct ip *);

/* Does it mean, to whoever uses it, that one's own host, or own network? */
bool ip_is_own(const struct ip *);

/*
 * The same of a host as a URL has it: "localhost", "a.localhost", "127.0.0.1",
 * "[::1]".
 */
bool ip_host_is_own(struct span host);

struct ip_text {
	char s[INET6_ADDRSTRLEN];
};
struct ip_text ip_text(const struct ip *);
