/*
 * api/origin.h: who asks, and how he knows us: by the connection alone, or as
 * proxies in between tell it, in Forwarded (RFC 7239) or in X-Forwarded-For,
 * -Proto and -Host. Only trusted proxies are believed.
 */
#pragma once
#include "api/api.h"

struct origin {
	struct span client; /* "10.0.0.1:4711"; "10.0.0.1" if told by a proxy */
	struct span proxy;  /* who asks for the client; SPAN_NONE: nobody */
	struct span scheme; /* "http" or "https", which the client uses */
	struct span host;   /* our name with its port, as the client knows it */
	bool is_vague;	    /* a trusted proxy asks for somebody else, and does
			       not say for whom, or not credibly */
};

/*
 * Goes from proxy to proxy, the nearest first, while each is trusted; what the
 * first untrusted one, the client, may have written itself is not looked at.
 * What is malformed, or hidden ("unknown"), ends the way: then whoever was
 * told last is the client. If both kinds of headers are there and differ about
 * the client, neither is believed. The texts live as long as the request.
 * Never waits.
 */
void origin_find(const struct api_settings *, const struct request *,
		 struct origin *out);

/* The client's address, without its port. */
bool origin_address(const struct origin *, struct ip *out);
