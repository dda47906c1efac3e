/*
 * How a key, and its value, are written in each place, and read there.
 */
#include <ctype.h>

#include "base/near.h"
#include "config/keys.h"

static const struct spelling {
	const char *prefix;
	char dot;	   /* between the parts of a name */
	const char *open;  /* before a position in a list */
	const char *close; /* and behind it */
	bool upper;
} spellings[] = {
	[PLACE_DEFAULT] = { "", '.', "[", "]", false },
	[PLACE_FILE] = { "", '.', "[", "]", false },
	[PLACE_ENVIRONMENT] = { ENVIRONMENT_PREFIX, '_', "_", "", true },
	[PLACE_OPTION] = { "--", '.', ".", "", false },
};

static void spell(const struct key *key, enum place place, const size_t *index,
		  struct buf *out)
{
	const struct spelling *how = &spellings[place];

	buf_addf(out, "%s", how->prefix);
	for (const char *at = key->name; *at; at++) {
		if (*at == '[' && index)
			buf_addf(out, "%s%zu%s", how->open, *index++,
				 how->close);
		else if (*at == '[')
			buf_addf(out, "%s#%s", how->open, how->close);
		else if (*at == '.')
			buf_addf(out, "%c", how->dot);
		else if (*at != ']')
			buf_addf(out, "%c", how->upper ? toupper(*at) : *at);
	}
}

void key_spell(const struct key *key, enum place place, const size_t *index,
	       struct buf *out)
{
	if (place == PLACE_OPTION && key->option)
		buf_addf(out, "%s", key->option);
	else
		spell(key, place, index, out);
}

/* Reads a position of at most three digits. */
static bool index_match(struct span *text, size_t *index_out)
{
	size_t digits = 0;

	while (digits < text->len && isdigit((unsigned char)text->at[digits]))
		digits++;
	if (digits == 0 || digits > 3)
		return false;
	*index_out = (size_t)span_decimal(span_make(text->at, digits));
	*text = span_from(*text, digits);
	return true;
}

static bool key_match(const struct key *key, struct span text, enum place place,
		      size_t *index_out)
{
	auto_buf struct buf wanted = { 0 };

	if (place == PLACE_OPTION && key->option && span_is(text, key->option))
		return true;
	spell(key, place, NULL, &wanted);
	for (const char *at = wanted.at; *at; at++) {
		if (*at == '#') {
			if (!index_match(&text, index_out++))
				return false;
			continue;
		}
		if (text.len == 0 || text.at[0] != *at)
			return false;
		text = span_from(text, 1);
	}
	return text.len == 0;
}

const struct key *key_find(struct span text, enum place place,
			   size_t index_out[KEY_DEPTH])
{
	for (size_t i = 0; i < key_count; i++)
		if (key_match(&keys[i], text, place, index_out))
			return &keys[i];
	return NULL;
}

const struct key *key_named(const char *name)
{
	const struct key *key = keys;

	while (strcmp(key->name, name) != 0)
		key++;
	return key;
}

const struct key *key_near(struct span text, enum place place)
{
	const struct key *nearest = NULL;
	size_t least = NEAR_NONE;

	for (size_t i = 0; i < key_count; i++) {
		auto_buf struct buf spelled = { 0 };

		key_spell(&keys[i], place, NULL, &spelled);
		if (near_improves(buf_span(&spelled), text, &least))
			nearest = &keys[i];
	}
	return nearest;
}

static bool choice_parse(struct span choices, struct span value, void *slot)
{
	for (unsigned i = 0; choices.at; i++) {
		struct span choice = span_cut(&choices, '|');

		if (!span_eq(value, choice))
			continue;
		*(unsigned *)slot = i;
		return true;
	}
	return false;
}

bool key_parse(const struct key *key, struct span value, void *slot)
{
	if (key->type == CHOICE)
		return choice_parse(span_of(key->choices), value, slot);
	return types[key->type].parse(value, slot);
}

static struct span choice_at(struct span choices, unsigned index)
{
	for (; index > 0; index--)
		span_cut(&choices, '|');
	return span_cut(&choices, '|');
}

bool key_print(const struct key *key, const void *slot, struct buf *out)
{
	if (key->type == CHOICE)
		buf_add(out, choice_at(span_of(key->choices),
				       *(const unsigned *)slot));
	else if (types[key->type].print)
		types[key->type].print(slot, out);
	else if (*(char *const *)slot)
		buf_addf(out, "%s", *(char *const *)slot);
	else
		return false;
	return !type_starts_at_one(key->type) || *(const int64_t *)slot > 0;
}

const char *key_form(const struct key *key)
{
	if (key->fills)
		return key->fills->form;
	return key->choices ? key->choices : types[key->type].form;
}
