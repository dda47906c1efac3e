/*
 * Digits by table, one half byte at a time.
 */
#include "base/hex.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void hex_print(const uint8_t *bytes, size_t size, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < size; i++) {
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
	*out = '\0';
}

int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int lower_digit(char c)
{
	return c >= 'A' && c <= 'F' ? -1 : hex_digit(c);
}

bool hex_parse(struct span span, uint8_t *out, size_t size)
{
	if (span.len != 2 * size)
		return false;
	for (size_t i = 0; i < size; i++) {
		int high = lower_digit(span.at[2 * i]);
		int low = lower_digit(span.at[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

void random_bytes(void *out, size_t size)
{
	char *at = out;

	while (size) {
		ssize_t got = getrandom(at, size, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			abort();
		at += got;
		size -= (size_t)got;
	}
}
