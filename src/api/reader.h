/*
 * api/reader.h: whether who asks is one of a mirror's readers.
 */
#pragma once
#include "api/call.h"

/* `call` is the struct call. */
bool reader_is(const void *call, const struct mirror_reader *);
