/*
 * upstream/token.h: bearer tokens, kept for their repository until they end.
 * distribution's "Token Authentication Specification".
 */
#pragma once
#include "upstream/challenge.h"
#include "upstream/inside.h"

/* The tokens of one upstream. Safe from any thread. */
struct tokens *tokens_open(void);
void tokens_close(struct tokens **);

/* To pull that repository from that address; null if none is at hand. */
const char *tokens_find(struct tokens *, const struct address *,
			const struct name *, struct arena *);

/*
 * Asks the realm of the challenge for such a token and keeps it instead of
 * the one that was there. With the upstream's credentials if the realm may
 * know them, else anonymously. ERR_DENIED, and as upstream_exchange.
 */
int tokens_fetch(struct upstream *, const struct address *, const struct name *,
		 const struct challenge *, struct err *) may_wait must_check;
