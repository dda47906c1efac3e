/*
 * cli/keep.h: keep rules, from the configuration to the store.
 */
#pragma once
#include "cli/control.h"
#include "config/config.h"
#include "store/store.h"

/* As the store wants them; the caller frees them. */
struct keep_rule *keep_rules_of(const struct config *);

/* A control_answer of the process that serves; `arg` is its store. */
int keep_answer(const char *request, const struct saying *, void *arg,
		struct err *) may_wait must_check;
