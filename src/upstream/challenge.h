/*
 * upstream/challenge.h: what a 401 asks for, and who may be told a password.
 * RFC 9110, section 11.6.1; distribution's token specification.
 */
#pragma once
#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "client/client.h"

struct challenge {
	enum { CHALLENGE_BASIC, CHALLENGE_BEARER } kind;
	char realm[1024];  /* CHALLENGE_BEARER: whom to ask; not yet a URL */
	char service[256]; /* "" if there is none */
};

/*
 * The value of WWW-Authenticate: of several challenges the first Bearer, else
 * Basic. ERR_UPSTREAM if it is malformed or has neither.
 */
int challenge_parse(struct span header, struct challenge *out, struct err *)
	must_check;

/*
 * May the credentials that are meant for `address` be told to `realm`? On the
 * same host or the same registrable domain (of the public suffix list; an IP
 * address only itself), and never without TLS if the address has it.
 */
bool challenge_trusts(const struct client_url *address,
		      const struct client_url *realm);
