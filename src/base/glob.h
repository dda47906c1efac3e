/*
 * base/glob.h: patterns of names. `*` stands for any letters but a slash,
 * `**` for any letters; all else stands for itself.
 */
#pragma once
#include "base/span.h"

bool glob_match(struct span pattern, struct span text);
