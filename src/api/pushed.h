/*
 * api/pushed.h: docker asks by HEAD for each blob that it has just pushed.
 *
 * A HEAD that is answered with 200 promises the blob to one more client, and
 * what several rely on is never collected in a hurry. This one is none more.
 */
#pragma once
#include "api/call.h"

/* The client was told 201. */
void pushed_note(const struct call *, const struct digest *);
/* Is this the question after that? Once. */
bool pushed_just_now(const struct call *, const struct digest *);
