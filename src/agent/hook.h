/*
 * agent/hook.h: a command of the operator's, run after each change.
 */
#pragma once
#include "agent/agent.h"

struct hook;

/* Starts a thread. */
struct hook *hook_open(const char *path);
/*
 * What runs ends first: 30 s at most. What waits is dropped: the next agent
 * says it at its start.
 */
void hook_close(struct hook **) may_wait;

/*
 * Runs it for this registry (null: none) when what runs has ended; of several
 * that wait only the last one counts. The log has what fails. Never waits.
 */
void hook_say(struct hook *, const char *url);
