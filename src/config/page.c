/*
 * The table for docs/configuration.md, in Markdown.
 */
#include "config/config.h"
#include "config/keys.h"

/* In a table of Markdown, a bar ends a cell unless it is escaped. */
static void print_cell(struct buf *out, const char *text)
{
	for (; *text; text++)
		buf_addf(out, *text == '|' ? "\\%c" : "%c", *text);
}

static void print_key(struct buf *out, const struct key *key)
{
	buf_addf(out, "| `%s` | ", key->name);
	if (key->option)
		buf_addf(out, "`%s` ", key->option);
	print_cell(out, key_form(key));
	if (key->initial)
		buf_addf(out, " | `%s` | ", key->initial);
	else
		buf_addf(out, " | | ");
	print_cell(out, key->help);
	if (key->fixed)
		buf_addf(out, "; *at the start only*");
	if (key->fixed_set)
		buf_addf(out, "; whether there is one: *at the start only*");
	buf_addf(out, " |\n");
}

void config_print_page(struct buf *out)
{
	buf_addf(out, "## All keys\n"
		      "\n"
		      "`[]` is a position in a list. A change is taken over "
		      "when the process gets a\n"
		      "SIGHUP, but for what is read *at the start only*.\n");
	for (size_t i = 0; i < key_count; i++) {
		if (keys[i].section)
			buf_addf(out,
				 "\n"
				 "### %s\n"
				 "\n"
				 "| key | value | default | what it is |\n"
				 "|---|---|---|---|\n",
				 keys[i].section);
		print_key(out, &keys[i]);
	}
}
