/*
 * base/base64.h: RFC 4648, section 4: with padding, without line breaks. Pure.
 */
#pragma once
#include <stdbool.h>

#include "base/buf.h"

/* Adds them. */
void base64_print(struct span bytes, struct buf *out);

/* Adds the bytes; false, and adds nothing, if it is anything but base64. */
bool base64_parse(struct span text, struct buf *out);
