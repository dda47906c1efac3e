/*
 * Four places, in rising order, each a stream of (name, value): the name is
 * looked up in the table, the value goes through the one setter.
 */
#include "config/config.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/yaml.h"
#include "config/settings.h"

#define DOCKER_HUB "docker.io"
#define DOCKER_HUB_URL "https://registry-1.docker.io"
#define CONFIG_VARIABLE ENVIRONMENT_PREFIX "CONFIG"

void settings_free(struct settings *settings)
{
	free(settings->at);
	if (settings->config)
		config_close(&settings->config);
}

/* Where a name stands; `setting` knows the place, the file and the line. */
static int refuse_unknown(const struct setting *setting, struct span name,
			  struct err *e)
{
	static const char *const nouns[] = {
		[PLACE_FILE] = "key",
		[PLACE_ENVIRONMENT] = "variable",
		[PLACE_OPTION] = "option",
	};
	const struct key *near = key_near(name, setting->place);
	auto_buf struct buf text = { 0 };

	if (setting->place == PLACE_FILE)
		buf_addf(&text, "%s:%u: ", setting->file, setting->line);
	buf_addf(&text, "there is no %s \"%.*s\"; ", nouns[setting->place],
		 (int)(name.len < 80 ? name.len : 80), name.at);
	if (near) {
		buf_addf(&text, "did you mean \"");
		key_spell(near, setting->place, NULL, &text);
		buf_addf(&text, "\"?");
	} else {
		buf_addf(&text, "\"private-registry serve --help\" lists all");
	}
	return err_set(e, ERR_USAGE, "%s", text.at);
}

static int load_defaults(struct settings *settings, struct err *e)
{
	for (size_t i = 0; i < key_count; i++) {
		struct setting setting = { .key = &keys[i] };

		if (keys[i].initial && !keys[i].list &&
		    settings_set(settings, &setting, span_of(keys[i].initial),
				 e) < 0)
			return -1;
	}
	return 0;
}

static int load_item(const struct yaml_item *item, void *arg, struct err *e)
{
	struct settings *settings = arg;
	struct setting setting = {
		.place = PLACE_FILE,
		.file = item->file,
		.line = item->line,
	};

	setting.key = key_find(span_of(item->key), PLACE_FILE, setting.index);
	int failed = setting.key ?
			     settings_set(settings, &setting,
					  span_of(item->value), e) :
			     refuse_unknown(&setting, span_of(item->key), e);
	return failed ? settings_note(settings, e) : 0;
}

static const char *variable_value(char *const *env, const char *name)
{
	size_t len = strlen(name);

	for (; env && *env; env++)
		if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
			return *env + len + 1;
	return NULL;
}

static int load_file(struct settings *settings, const char *path, struct err *e)
{
	if (!path || yaml_walk(path, load_item, settings, e) == 0)
		return 0;
	if (e->kind != ERR_USAGE)
		err_wrap(e, "configuration");
	e->kind = ERR_USAGE;
	return -1;
}

/*
 * Not every PRIVATE_REGISTRY_… is ours: Kubernetes and Docker tell containers
 * of a service "private-registry" as PRIVATE_REGISTRY_PORT_5000_TCP=… and the
 * like.
 */
static bool is_setting(struct span name)
{
	return span_starts(name, ENVIRONMENT_PREFIX) &&
	       !span_is(name, CONFIG_VARIABLE) &&
	       !span_is(name, ENVIRONMENT_PREFIX "PORT") &&
	       !span_starts(name, ENVIRONMENT_PREFIX "PORT_") &&
	       !span_starts(name, ENVIRONMENT_PREFIX "SERVICE_");
}

static int load_environment(struct settings *settings, char *const *env,
			    struct err *e)
{
	for (; env && *env; env++) {
		struct setting setting = { .place = PLACE_ENVIRONMENT };
		struct span value = span_of(*env);
		struct span name = span_cut(&value, '=');

		if (!is_setting(name) || !value.at)
			continue;
		setting.key = key_find(name, PLACE_ENVIRONMENT, setting.index);
		if (!setting.key)
			return refuse_unknown(&setting, name, e);
		if (settings_set(settings, &setting, value, e) < 0)
			return -1;
	}
	return 0;
}

static int load_flag(struct settings *settings, const char *flag, struct err *e)
{
	struct setting setting = { .place = PLACE_OPTION };
	struct span value = span_of(flag);
	struct span name = span_cut(&value, '=');

	setting.key = key_find(name, PLACE_OPTION, setting.index);
	if (!setting.key)
		return refuse_unknown(&setting, name, e);
	if (!value.at)
		return setting_refuse(&setting, e, "needs a value; write %s %s",
				      flag, key_form(setting.key));
	return settings_set(settings, &setting, value, e);
}

static int load_flags(struct settings *settings, const char *const *flags,
		      size_t count, struct err *e)
{
	for (size_t i = 0; i < count; i++)
		if (load_flag(settings, flags[i], e) < 0)
			return -1;
	return 0;
}

/* An upstream without an address answers at its name. */
static int load_urls(struct settings *settings, struct err *e)
{
	struct setting setting = {
		.key = key_named("mirror.upstreams[].urls[]"),
	};

	for (size_t i = 0; i < settings->config->upstream_count; i++) {
		const struct config_upstream *up =
			&settings->config->upstreams[i];
		auto_buf struct buf url = { 0 };

		if (up->url_count > 0 || !up->name)
			continue;
		if (strcmp(up->name, DOCKER_HUB) == 0)
			buf_addf(&url, "%s", DOCKER_HUB_URL);
		else
			buf_addf(&url, "https://%s", up->name);
		setting.index[0] = i;
		if (settings_set(settings, &setting, buf_span(&url), e) < 0)
			return -1;
	}
	return 0;
}

/* Docker Hub is there whatever was written. */
static int load_hub(struct settings *settings, struct err *e)
{
	const struct config *config = settings->config;
	struct setting setting = {
		.key = key_named("mirror.upstreams[].name"),
		.index = { config->upstream_count },
	};

	for (size_t i = 0; i < config->upstream_count; i++) {
		const char *name = config->upstreams[i].name;

		if (name && strcmp(name, DOCKER_HUB) == 0)
			return 0;
	}
	return settings_set(settings, &setting, SPAN(DOCKER_HUB), e);
}

int settings_load(struct settings *settings, const struct config_source *source,
		  struct err *e)
{
	const char *path = source->path;

	settings->config = mem_alloc(sizeof(struct config));
	if (!path)
		path = variable_value(source->env, CONFIG_VARIABLE);
	if (load_defaults(settings, e) < 0 ||
	    load_file(settings, path, e) < 0 ||
	    load_environment(settings, source->env, e) < 0 ||
	    load_flags(settings, source->flags, source->flag_count, e) < 0 ||
	    load_hub(settings, e) < 0 || load_urls(settings, e) < 0)
		return -1;
	return settings_check(settings, e);
}

int config_load(const struct config_source *source, struct config **out,
		struct err *e)
{
	auto_with(settings_free) struct settings settings = { 0 };

	if (settings_load(&settings, source, e) < 0)
		return -1;
	*out = steal_ptr(&settings.config);
	return 0;
}

size_t config_check(const char *path, struct buf *problems)
{
	auto_with(settings_free) struct settings settings = {
		.problems = problems,
	};
	struct config_source source = { .path = path };
	struct err e;

	/* What ends it is one more: the file itself cannot be read on. */
	if (settings_load(&settings, &source, &e) < 0 &&
	    settings_note(&settings, &e) < 0)
		return 1;
	return settings.problem_count;
}

static int option_parse(enum type type, const char *name, struct span value,
			int64_t *out, struct err *e)
{
	const struct type_row *row = &types[type];

	if (value.at && row->parse(value, out))
		return 0;
	return err_set(e, ERR_USAGE, "%s is \"%.*s\", which is no %s; %s", name,
		       SPAN_ARG(value), row->noun, row->remedy);
}

int config_duration(const char *name, struct span value, int64_t *ms_out,
		    struct err *e)
{
	return option_parse(DURATION, name, value, ms_out, e);
}

int config_size(const char *name, struct span value, int64_t *bytes_out,
		struct err *e)
{
	return option_parse(SIZE_OR_NONE, name, value, bytes_out, e);
}

void config_close(struct config **config)
{
	holder_free(NULL, *config);
	free(*config);
	*config = NULL;
}
