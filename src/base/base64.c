#include "base/base64.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			      "abcdefghijklmnopqrstuvwxyz0123456789+/";

/* Up to three bytes make four letters. */
static void group_print(const unsigned char *at, size_t count, struct buf *out)
{
	uint32_t bits = (uint32_t)at[0] << 16;
	char text[4];

	if (count > 1)
		bits |= (uint32_t)at[1] << 8;
	if (count > 2)
		bits |= at[2];
	for (size_t i = 0; i < 4; i++)
		text[i] = letters[bits >> (18 - 6 * i) & 63];
	memset(text + 1 + count, '=', 3 - count);
	buf_add(out, span_make(text, sizeof(text)));
}

void base64_print(struct span bytes, struct buf *out)
{
	const unsigned char *at = (const unsigned char *)bytes.at;

	for (size_t i = 0; i < bytes.len; i += 3) {
		size_t left = bytes.len - i;

		group_print(at + i, left < 3 ? left : 3, out);
	}
}

/* Four letters, of which the last two may be padding; -1: it is none. */
static int group_parse(const char *at, char bytes[3])
{
	int padding = at[3] != '=' ? 0 : at[2] != '=' ? 1 : 2;
	uint32_t bits = 0;

	for (int i = 0; i < 4; i++) {
		char c = i < 4 - padding ? at[i] : 'A';
		const char *letter = c ? strchr(letters, c) : NULL;

		if (!letter)
			return -1;
		bits = bits << 6 | (uint32_t)(letter - letters);
	}
	for (int i = 0; i < 3; i++)
		bytes[i] = (char)(bits >> (16 - 8 * i));
	/* What the padding leaves of the last letter stands for nothing. */
	if (bits & ((1u << 8 * padding) - 1))
		return -1;
	return 3 - padding;
}

bool base64_parse(struct span text, struct buf *out)
{
	auto_buf struct buf parsed = { 0 };

	if (!text.at || text.len % 4 != 0)
		return false;
	for (size_t i = 0; i < text.len; i += 4) {
		char bytes[3];
		int count = group_parse(text.at + i, bytes);

		if (count < 0 || (count < 3 && i + 4 < text.len))
			return false;
		buf_add(&parsed, span_make(bytes, (size_t)count));
	}
	buf_add(out, buf_span(&parsed));
	return true;
}
