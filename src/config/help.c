/*
 * The table for people: two columns, in 80 letters.
 */
#include "config/config.h"
#include "config/keys.h"

#define WIDTH 79
#define MARGIN 26 /* where help begins */

/* Words from column MARGIN on; what stands in the line so far is counted. */
static void print_words(struct buf *out, struct span text, size_t column)
{
	while (text.at) {
		struct span word = span_cut(&text, ' ');

		if (column > MARGIN && column + 1 + word.len > WIDTH) {
			buf_addf(out, "\n");
			column = 0;
		} else if (column > MARGIN) {
			buf_addf(out, " ");
			column++;
		}
		if (column < MARGIN) {
			buf_addf(out, "%*s", (int)(MARGIN - column), "");
			column = MARGIN;
		}
		buf_add(out, word);
		column += word.len;
	}
	buf_addf(out, "\n");
}

static void print_key(struct buf *out, const struct key *key)
{
	auto_buf struct buf help = { 0 };
	size_t start = out->len;

	buf_addf(out, "  ");
	key_spell(key, PLACE_OPTION, NULL, out);
	buf_addf(out, " %s", key_form(key));
	size_t column = out->len - start;
	if (column + 2 > MARGIN) {
		buf_addf(out, "\n");
		column = 0;
	}
	buf_addf(&help, "%s", key->help);
	if (key->initial)
		buf_addf(&help, " [%s]", key->initial);
	print_words(out, buf_span(&help), column);
}

void config_print_keys(struct buf *out)
{
	for (size_t i = 0; i < key_count; i++) {
		if (keys[i].section)
			buf_addf(out, "%s%s\n", i ? "\n" : "", keys[i].section);
		print_key(out, &keys[i]);
	}
}
