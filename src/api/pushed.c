/*
 * A few marks of blobs that docker has pushed just now. A mark is taken off by
 * the question that it is for; one that is lost makes a collection wait.
 */
#include "api/pushed.h"

#include <stdatomic.h>

#define MARKS 1024 /* pushes of docker at once, and some more */

static _Atomic uint64_t marks[MARKS];

/* FNV-1a, 64 bits */
static uint64_t mix(uint64_t hash, struct span part)
{
	for (size_t i = 0; i < part.len; i++)
		hash = (hash ^ (unsigned char)part.at[i]) *
		       UINT64_C(0x100000001b3);
	return hash;
}

/* Each of its requests comes on a connection, and a port, of its own. */
static struct span address_of(const struct call *call)
{
	struct span client = call->origin.client;
	ptrdiff_t colon = span_find_last(client, ':');

	if (call->origin.proxy.at || colon < 0)
		return client;
	return span_make(client.at, (size_t)colon);
}

/* 0: it is not docker's. */
static uint64_t mark_of(const struct call *call, const struct digest *digest)
{
	struct span agent = request_header(call->request, "User-Agent");
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	if (!span_starts(agent, "docker/"))
		return 0;
	hash = mix(hash, address_of(call));
	hash = mix(hash, agent);
	hash = mix(hash, span_of(repository_text(&call->target.repository).s));
	return mix(hash, span_of(digest_text(digest).s)) | 1;
}

void pushed_note(const struct call *call, const struct digest *digest)
{
	uint64_t mark = mark_of(call, digest);

	if (mark)
		marks[mark / 2 % MARKS] = mark;
}

bool pushed_just_now(const struct call *call, const struct digest *digest)
{
	uint64_t mark = mark_of(call, digest);

	return mark && atomic_compare_exchange_strong(&marks[mark / 2 % MARKS],
						      &mark, 0);
}
