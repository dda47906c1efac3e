/*
 * Who may be told a password: what one owner registered, by the public suffix
 * list. Of the lists that this machine has the newest is taken.
 */
#include <libpsl.h>
#include <pthread.h>

#include "base/span.h"
#include "upstream/challenge.h"

static const psl_ctx_t *suffixes;

static void load_suffixes(void)
{
	suffixes = psl_latest(NULL);
}

/* Of "a.b" only "b" tells; a name that ends in a dot ends in nothing. */
static bool is_name(const char *host)
{
	const char *dot = strrchr(host, '.');
	const char *last = dot ? dot + 1 : host;

	return *host != '[' && *last && !(*last >= '0' && *last <= '9');
}

/* "docker.io" of "auth.docker.io"; null of an address, of "localhost". */
static const char *registrable(const char *host)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load_suffixes);
	return is_name(host) && suffixes ?
		       psl_registrable_domain(suffixes, host) :
		       NULL;
}

bool challenge_trusts(const struct client_url *address,
		      const struct client_url *realm)
{
	if (strcmp(address->scheme, "https") == 0 &&
	    strcmp(realm->scheme, "https") != 0)
		return false;
	if (strcmp(address->host, realm->host) == 0)
		return true;

	const char *ours = registrable(address->host);
	const char *theirs = registrable(realm->host);
	return ours && theirs && strcmp(ours, theirs) == 0;
}
