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

/* To pull that repository from that address, as that account. */
struct token_key {
	const struct address *address;
	struct account *account;
	const struct name *name;
};

/* Null if none is at hand. */
const char *tokens_find(struct tokens *, const struct token_key *,
			struct arena *);

/*
 * Asks the realm of the challenge for such a token and keeps it instead of
 * the one that was there. With the account's password if the realm may know
 * it, else anonymously; it may take until `until_ms` (clock_ms). ERR_DENIED,
 * and as upstream_exchange.
 */
int tokens_fetch(struct upstream *, const struct token_key *,
		 const struct challenge *, int64_t until_ms, struct err *)
	may_wait must_check;
