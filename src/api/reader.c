/*
 * Somebody is known by his address, as far as trusted proxies tell it, and by
 * the certificate of his connection. Behind a proxy the certificate is the
 * proxy's; who is hidden there, or told in two ways, is nobody.
 */
#include "api/reader.h"

static bool is_in(const struct origin *origin, const struct ip_network *network)
{
	struct ip ip;

	if (network->bits == 0)
		return true;
	return !origin->is_vague && origin_address(origin, &ip) &&
	       ip_network_holds(network, &ip);
}

bool reader_is(const void *arg, const struct mirror_reader *reader)
{
	const struct call *call = arg;
	const struct origin *origin = &call->origin;

	if (!reader->certificate)
		return is_in(origin, &reader->network);
	return !origin->is_vague && !origin->proxy.at &&
	       request_client_is(call->request, reader->certificate);
}
