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

/* Values of digits, and one more, so that 0 is no digit. */
static const int8_t lower[256] = {
	['0'] = 1,  ['1'] = 2,	['2'] = 3,  ['3'] = 4,	['4'] = 5,  ['5'] = 6,
	['6'] = 7,  ['7'] = 8,	['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12,
	['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
};

static int lower_digit(char c)
{
	return lower[(unsigned char)c] - 1;
}

int hex_digit(char c)
{
	return lower_digit(c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c);
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
