/*
 * What must be true of several values together. Each check looks at one
 * setting and finds what it belongs to, so that it can name its line.
 */
#include <errno.h>
#include <unistd.h>

#include "config/settings.h"

static const char *text_at(const struct settings *settings,
			   const struct key *key, const size_t *index)
{
	return *(char **)settings_slot(settings, key, index);
}

/* Both are texts of the same list. */
static int check_beside(const struct settings *settings,
			const struct setting *setting, const char *other,
			const size_t *index, struct err *e)
{
	const struct key *key = key_named(other);
	auto_buf struct buf name = { 0 };

	const struct setting *beside = settings_find(settings, key, index);
	if (text_at(settings, key, index) || (beside && beside->wrong))
		return 0;
	key_spell(key, setting->place, index, &name);
	return setting_refuse(setting, e, "is set, but %s is not; write both",
			      name.at);
}

/* Lists have no holes: each element up to this one is there. */
static int check_element(const struct settings *settings,
			 const struct setting *setting, struct err *e)
{
	size_t index[KEY_DEPTH] = { setting->index[0], setting->index[1] };
	const struct list *list = setting->key->list;

	for (; list; list = list->parent) {
		size_t depth = list->parent ? 1 : 0;

		for (size_t i = setting->index[depth] + 1; i-- > 0;) {
			index[depth] = i;
			if (check_beside(settings, setting, list->first, index,
					 e) < 0)
				return -1;
		}
		index[depth] = setting->index[depth];
	}
	return 0;
}

static int check_needs(const struct settings *settings,
		       const struct setting *setting, struct err *e)
{
	const char *const *needs = setting->key->needs;

	for (size_t i = 0; i < array_size(setting->key->needs); i++)
		if (needs[i] && check_beside(settings, setting, needs[i],
					     setting->index, e) < 0)
			return -1;
	return 0;
}

static bool is_same(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

bool upstream_is_there(const struct config *config, enum type type,
		       const char *name)
{
	for (size_t i = 0; i < config->upstream_count; i++)
		if (is_same(config->upstreams[i].name, name))
			return true;
	return type == UPSTREAM_OR_NONE && name[0] == '\0';
}

static int check_upstream(const struct settings *settings,
			  const struct setting *setting, struct err *e)
{
	enum type type = setting->key->type;
	auto_buf struct buf upstreams = { 0 };

	if (!type_refers(type))
		return 0;
	const char *name = text_at(settings, setting->key, setting->index);
	if (upstream_is_there(settings->config, type, name))
		return 0;
	key_spell(key_named("mirror.upstreams"), setting->place, NULL,
		  &upstreams);
	return setting_refuse(setting, e,
			      "is \"%s\", which is no upstream here; "
			      "add it to %s",
			      name, upstreams.at);
}

/* Upstreams are found by name. */
static int check_once(const struct settings *settings,
		      const struct setting *setting, struct err *e)
{
	size_t index[KEY_DEPTH] = { 0 };

	if (setting->key->type != HOST)
		return 0;
	const char *name = text_at(settings, setting->key, setting->index);
	for (; index[0] < setting->index[0]; index[0]++) {
		auto_buf struct buf other = { 0 };

		if (!is_same(text_at(settings, setting->key, index), name))
			continue;
		key_spell(setting->key, setting->place, index, &other);
		return setting_refuse(setting, e,
				      "is \"%s\", and so is %s; put them "
				      "together",
				      name, other.at);
	}
	return 0;
}

static int check_file(const struct settings *settings,
		      const struct setting *setting, struct err *e)
{
	if (setting->key->type != FILE_PATH)
		return 0;
	const char *path = text_at(settings, setting->key, setting->index);
	if (access(path, R_OK) == 0)
		return 0;
	return setting_refuse(setting, e, "is \"%s\", which cannot be read: %s",
			      path, strerror(errno));
}

static int check(const struct settings *settings, const struct setting *setting,
		 struct err *e)
{
	static int (*const checks[])(const struct settings *,
				     const struct setting *, struct err *) = {
		check_element, check_needs, check_upstream,
		check_once,    check_file,
	};

	for (size_t i = 0; i < array_size(checks); i++)
		if (checks[i](settings, setting, e) < 0)
			return -1;
	return 0;
}

int settings_check(struct settings *settings, struct err *e)
{
	for (size_t i = 0; i < settings->count; i++) {
		const struct setting *setting = &settings->at[i];

		if (!setting->wrong && check(settings, setting, e) < 0 &&
		    settings_note(settings, e) < 0)
			return -1;
	}
	return 0;
}
