/*
 * cli/fresh.h: images that the registry keeps fresh by itself, as the list
 * mirror.prefetch says.
 *
 * Each is asked for as a client would ask, soon after the start and then as
 * often as its `every` says; time is counted while the registry runs. One
 * after another: nobody waits for them. What fails is logged, and asked for
 * the next time.
 */
#pragma once
#include "base/current.h"
#include "config/config.h"
#include "mirror/mirror.h"

struct fresh;

/* Both outlive it; `settings` of struct api_settings. */
struct fresh *fresh_open(struct mirror *, struct current *settings);
/* There may be another list now. */
void fresh_wake(struct fresh *);
/* Once the mirror was stopped, what is under way ends at once. */
void fresh_close(struct fresh **) may_wait;
