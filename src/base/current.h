/*
 * base/current.h: a value that many read while one replaces it.
 *
 * A reader holds the version that was current when it asked, for as long as it
 * likes, and sees no other in the meantime. Holding takes no lock and never
 * waits. A version that nobody holds any more ends at the next replacement.
 */
#pragma once

struct current;
struct version;

/* Takes `value`; `end` releases one, on the thread that replaces. */
struct current *current_open(void *value, void (*end)(void *));
/* Ends every version. Nobody may hold one. */
void current_close(struct current **);

/* Takes `value`. For one thread at a time. */
void current_replace(struct current *, void *value);

/* Any thread, never waits. To be released. */
struct version *current_hold(struct current *);
void version_release(struct version **);

const void *version_value(const struct version *);
