/*
 * A key knows by offsets where its value lies: in struct config, or in an
 * element of a list, which lies in struct config or in an element of another
 * list. So one setter serves them all.
 */
#include "config/settings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

#define VALUE_SHOWN 60 /* bytes of a wrong value */

/* ------------------------------------------------------------------ lists */

/* Arrays have elements of any type: read as bytes, they alias nothing. */
static char *list_array(const struct list *list, const void *holder)
{
	char *array;

	memcpy(&array, (const char *)holder + list->at, sizeof(array));
	return array;
}

static size_t list_length(const struct list *list, const void *holder)
{
	return *(const size_t *)((const char *)holder + list->count_at);
}

static void list_store(const struct list *list, void *holder, char *array,
		       size_t count)
{
	memcpy((char *)holder + list->at, &array, sizeof(array));
	*(size_t *)((char *)holder + list->count_at) = count;
}

static void *list_element(const struct list *list, const void *holder,
			  size_t index)
{
	return list_array(list, holder) + index * list->size;
}

/* The table's own defaults do parse. */
static void element_init(const struct list *list, char *element)
{
	memset(element, 0, list->size);
	for (size_t i = 0; i < key_count; i++)
		if (keys[i].list == list && keys[i].initial)
			key_parse(&keys[i], span_of(keys[i].initial),
				  element + keys[i].at);
}

static void list_grow(const struct list *list, void *holder, size_t count)
{
	size_t old = list_length(list, holder);

	if (count <= old)
		return;
	char *array = mem_grow(list_array(list, holder), count * list->size);
	for (size_t i = old; i < count; i++)
		element_init(list, array + i * list->size);
	list_store(list, holder, array, count);
}

void list_clear(const struct list *list, void *holder)
{
	for (size_t i = 0; i < list_length(list, holder); i++)
		holder_free(list, list_element(list, holder, i));
	free(list_array(list, holder));
	list_store(list, holder, NULL, 0);
}

/* Is it the first key of a list in what that list, or null, holds? */
static bool key_opens(const struct key *key, const struct list *holding)
{
	return key->list && key->list->parent == holding &&
	       strcmp(key->list->first, key->name) == 0;
}

/* Texts by their own rows; a list by the row of its first key. */
void holder_free(const struct list *holding, void *holder)
{
	for (size_t i = 0; i < key_count; i++) {
		const struct key *key = &keys[i];

		if (key->list == holding && type_is_text(key->type))
			free(*(char **)((char *)holder + key->at));
		else if (key_opens(key, holding))
			list_clear(key->list, holder);
	}
}

static size_t depth_of(const struct list *list)
{
	return list ? 1 + depth_of(list->parent) : 0;
}

void holder_walk(struct walk *walk, const struct list *holding,
		 const void *holder)
{
	size_t *position = &walk->index[depth_of(holding)];

	for (size_t i = 0; i < key_count; i++) {
		const struct key *key = &keys[i];

		if (key->list == holding && !key->fills)
			walk->visit(walk, key, (const char *)holder + key->at);
		if (!key_opens(key, holding))
			continue;
		size_t count = list_length(key->list, holder);
		for (*position = 0; *position < count; ++*position)
			holder_walk(walk, key->list,
				    list_element(key->list, holder, *position));
		*position = 0;
	}
}

/* The struct that holds the elements' values; `index` is used up. */
static char *holder_at(struct config *config, const struct list *list,
		       const size_t **index)
{
	if (!list)
		return (char *)config;
	char *outer = holder_at(config, list->parent, index);
	size_t position = *(*index)++;
	list_grow(list, outer, position + 1);
	return list_element(list, outer, position);
}

void *settings_slot(const struct settings *settings, const struct key *key,
		    const size_t *index)
{
	return holder_at(settings->config, key->list, &index) + key->at;
}

/* --------------------------------------------------------------- settings */

static void setting_spell(const struct setting *setting, struct buf *out)
{
	key_spell(setting->within ? setting->within : setting->key,
		  setting->place, setting->index, out);
}

void setting_locate(const struct setting *setting, struct buf *out)
{
	if (setting->place == PLACE_FILE)
		buf_addf(out, "%s:%u", setting->file, setting->line);
	else if (setting->place == PLACE_DEFAULT)
		buf_addf(out, "default");
	else
		setting_spell(setting, out);
}

/* registry.yaml:7: "drain", PRIVATE_REGISTRY_DRAIN, --drain. */
static void setting_print(const struct setting *setting, struct buf *out)
{
	bool in_file = setting->place == PLACE_FILE;

	if (in_file) {
		setting_locate(setting, out);
		buf_addf(out, ": \"");
	}
	setting_spell(setting, out);
	if (in_file)
		buf_addf(out, "\"");
}

int setting_refuse(const struct setting *setting, struct err *e,
		   const char *format, ...)
{
	auto_buf struct buf text = { 0 };
	va_list args;

	setting_print(setting, &text);
	buf_addf(&text, " ");
	va_start(args, format);
	buf_vaddf(&text, format, args);
	va_end(args);
	return err_set(e, ERR_USAGE, "%s", text.at);
}

static bool is_for(const struct setting *setting, const struct key *key,
		   const size_t *index)
{
	return setting->key == key &&
	       memcmp(setting->index, index, sizeof(setting->index)) == 0;
}

static struct setting *find(const struct settings *settings,
			    const struct key *key, const size_t *index)
{
	for (size_t i = 0; i < settings->count; i++)
		if (is_for(&settings->at[i], key, index))
			return &settings->at[i];
	return NULL;
}

const struct setting *settings_find(const struct settings *settings,
				    const struct key *key, const size_t *index)
{
	return find(settings, key, index);
}

/* In the order in which they were written; the last word on a value only. */
static void remember(struct settings *settings, const struct setting *setting)
{
	struct setting *before = find(settings, setting->key, setting->index);

	if (before) {
		struct setting *end = settings->at + settings->count--;

		memmove(before, before + 1,
			(size_t)(end - before - 1) * sizeof(*before));
	}
	settings->at = mem_grow(settings->at,
				(settings->count + 1) * sizeof(*settings->at));
	settings->at[settings->count++] = *setting;
}

const struct list *key_list(const struct key *key)
{
	const struct list *list = key->fills ? key->fills : key->list;

	while (list && list->parent)
		list = list->parent;
	return list;
}

/* What a lower place wrote to this list goes, all of it. */
static void list_claim(struct settings *settings, const struct list *list,
		       enum place place)
{
	size_t kept = 0;

	for (size_t i = 0; i < settings->count; i++) {
		const struct setting *setting = &settings->at[i];

		if (key_list(setting->key) != list || setting->place >= place)
			settings->at[kept++] = *setting;
	}
	if (kept < settings->count)
		list_clear(list, settings->config);
	settings->count = kept;
}

/* In a file, a relative path starts at the file. */
static struct span value_located(const struct setting *setting,
				 struct span value, struct buf *path)
{
	if (setting->place != PLACE_FILE || !type_is_path(setting->key->type) ||
	    value.len == 0 || value.at[0] == '/')
		return value;
	struct span file = span_of(setting->file);
	file.len = (size_t)(span_find_last(file, '/') + 1);
	buf_add(path, file);
	buf_add(path, value);
	return buf_span(path);
}

static int refuse_value(const struct setting *setting, struct span value,
			struct err *e)
{
	const struct key *key = setting->key;

	auto_buf struct buf shown = { 0 };

	if (key->type == PROXY) {
		proxy_show(value, &shown);
		value = buf_span(&shown);
	}
	if (value.len > VALUE_SHOWN)
		value.len = VALUE_SHOWN;
	if (key->choices)
		return setting_refuse(setting, e,
				      "is \"%.*s\"; write one of %s",
				      SPAN_ARG(value), key->choices);
	return setting_refuse(setting, e, "is \"%.*s\", which is no %s; %s",
			      SPAN_ARG(value), types[key->type].noun,
			      types[key->type].remedy);
}

static int value_set(struct settings *settings, const struct setting *setting,
		     struct span value, struct err *e)
{
	void *slot = settings_slot(settings, setting->key, setting->index);
	auto_buf struct buf path = { 0 };

	if (!key_parse(setting->key, value_located(setting, value, &path),
		       slot)) {
		struct setting wrong = *setting;

		wrong.wrong = true;
		remember(settings, &wrong);
		return refuse_value(setting, value, e);
	}
	remember(settings, setting);
	return 0;
}

/* Where in the list is it, or is there room for it? */
static size_t position_for(const struct list *list, const struct config *config,
			   struct span first)
{
	size_t at = key_named(list->first)->at;
	size_t count = list_length(list, config);
	size_t room = count;

	for (size_t i = count; i-- > 0;) {
		const char *text =
			*(char **)((char *)list_element(list, config, i) + at);

		if (!text)
			room = i;
		else if (span_is(first, text))
			return i;
	}
	return room;
}

/* "ghcr.io=https://cache.example": the first key, and perhaps the second. */
static int element_set(struct settings *settings, const struct setting *whole,
		       struct span first, struct err *e)
{
	const struct list *list = whole->key->fills;
	struct setting setting = *whole;
	struct span second = list->second ? first : SPAN_NONE;

	if (list->second)
		first = span_trim(span_cut(&second, '='));
	setting.within = whole->key;
	setting.key = key_named(list->first);
	setting.index[0] = position_for(list, settings->config, first);
	if (value_set(settings, &setting, first, e) < 0)
		return -1;
	if (!second.at)
		return 0;

	setting.key = key_named(list->second);
	if (setting.key->list != list)
		setting.index[1] = list_length(
			setting.key->list,
			list_element(list, settings->config, setting.index[0]));
	return value_set(settings, &setting, span_trim(second), e);
}

int settings_note(struct settings *settings, const struct err *e)
{
	if (!settings->problems)
		return -1;
	buf_addf(settings->problems, "%s\n", e->message);
	settings->problem_count++;
	return 0;
}

int settings_set(struct settings *settings, const struct setting *setting,
		 struct span value, struct err *e)
{
	const struct list *list = key_list(setting->key);

	if (list)
		list_claim(settings, list, setting->place);
	if (!setting->key->fills)
		return value_set(settings, setting, value, e);
	while (value.at)
		if (element_set(settings, setting,
				span_trim(span_cut(&value, ',')), e) < 0)
			return -1;
	return 0;
}
