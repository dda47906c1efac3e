/*
 * Sixteen bytes, compared as bytes; the resolver's own functions read and
 * write the text.
 */
#include "base/ip.h"

#include <arpa/inet.h>

#include "base/attr.h"

enum { MAPPED = 12, BITS = 128 }; /* where IPv4 begins in ::ffff:a.b.c.d */

static const uint8_t mapped[MAPPED] = { [10] = 0xff, [11] = 0xff };

static bool is_ipv4(const struct ip *address)
{
	return memcmp(address->bytes, mapped, MAPPED) == 0;
}

bool ip_parse(struct span text, struct ip *out)
{
	char name[INET6_ADDRSTRLEN];

	if (!span_copy(text, name, sizeof(name)) || strlen(name) != text.len)
		return false;
	if (inet_pton(AF_INET6, name, out->bytes) == 1)
		return true;
	memcpy(out->bytes, mapped, MAPPED);
	return inet_pton(AF_INET, name, out->bytes + MAPPED) == 1;
}

bool ip_network_parse(struct span text, struct ip_network *out)
{
	struct span bits = text;
	struct span name = span_cut(&bits, '/');

	if (!ip_parse(name, &out->address))
		return false;
	bool ipv4 = span_find(name, ':') < 0;
	int64_t most = ipv4 ? BITS - 8 * MAPPED : BITS;
	int64_t count = bits.at ? span_decimal(bits) : most;
	if (count < 0 || count > most)
		return false;
	out->bits = (unsigned)(count + BITS - most);
	return true;
}

bool ip_network_holds(const struct ip_network *network,
		      const struct ip *address)
{
	const uint8_t *a = network->address.bytes, *b = address->bytes;
	unsigned whole = network->bits / 8, rest = network->bits % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

bool ip_is_own(const struct ip *address)
{
	static const char *const rows[] = { "127.0.0.0/8", "0.0.0.0", "::1",
					    "::", "fe80::/10" };
	struct ip_network network;

	for (size_t i = 0; i < array_size(rows); i++)
		if (ip_network_parse(span_of(rows[i]), &network) &&
		    ip_network_holds(&network, address))
			return true;
	return false;
}

bool ip_host_is_own(struct span host)
{
	struct ip address;

	if (span_starts(host, "[") && span_ends(host, "]"))
		host = span_make(host.at + 1, host.len - 2);
	return span_is(host, "localhost") || span_ends(host, ".localhost") ||
	       (ip_parse(host, &address) && ip_is_own(&address));
}

struct ip_text ip_text(const struct ip *address)
{
	struct ip_text text;
	bool ipv4 = is_ipv4(address);

	inet_ntop(ipv4 ? AF_INET : AF_INET6,
		  address->bytes + (ipv4 ? MAPPED : 0), text.s, sizeof(text.s));
	return text;
}
