/*
 * base/hex.h: bytes as lower-case hexadecimal digits, and random names.
 */
#pragma once
#include <stdbool.h>

#include "base/span.h"

/* Writes 2 × `size` digits and a NUL. */
void hex_print(const uint8_t *bytes, size_t size, char *out);

/* What a digit of either case stands for; -1 if it is none. */
int hex_digit(char);

/* Exactly 2 × `size` lower-case digits, or false. */
bool hex_parse(struct span, uint8_t *out, size_t size);

/* Fills with random bytes from the kernel. */
void random_bytes(void *out, size_t size);
