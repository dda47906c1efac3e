/*
 * --name VALUE and --name=VALUE. Which names there are is the business of
 * tables; here, only --config is known.
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/inside.h"
#include "cli/user.h"

/* -------------------------------------------------- options of one verb */

static const struct own_option *own_find(const struct own_option *own,
					 const char *arg)
{
	struct span rest = span_of(arg);
	struct span name = span_cut(&rest, '=');

	while (own->name && !span_is(name, own->name))
		own++;
	return own->name ? own : NULL;
}

static int own_read(const struct own_option *own, char *const **args,
		    struct err *e)
{
	struct span value = span_of(**args);

	span_cut(&value, '=');
	if (!own->read && !own->text) {
		*own->out = 1;
		return value.at ? err_set(e, ERR_USAGE, "%s takes no value",
					  own->name) :
				  0;
	}
	if (!value.at && (*args)[1])
		value = span_of(*++*args);
	if (!own->text)
		return own->read(own->name, value, own->out, e);
	*own->text = value.at;
	return value.at ? 0 :
			  err_set(e, ERR_USAGE, "%s needs a value", own->name);
}

int own_options_take(char *const *args, const struct own_option *own,
		     char ***rest_out, struct err *e)
{
	size_t count = 0;

	while (args[count])
		count++;
	*rest_out = mem_array(count + 1, sizeof(**rest_out));
	for (char **rest = *rest_out; *args; args++) {
		const struct own_option *option = own_find(own, *args);

		if (!option)
			*rest++ = *args;
		else if (own_read(option, &args, e) < 0)
			return -1;
	}
	return 0;
}

/* ------------------------------------------- options of the configuration */

struct options {
	char *file;
	char **flags; /* "--name=VALUE", or "--name" when nothing followed */
	size_t count;
};

static void options_free(struct options *options)
{
	for (size_t i = 0; i < options->count; i++)
		free(options->flags[i]);
	free(options->flags);
	free(options->file);
}

static bool is_option(const char *arg)
{
	return strncmp(arg, "--", 2) == 0;
}

/* One option, and its value if that is a word of its own. */
static char *const *flag_take(char *const *args, struct buf *flag)
{
	buf_addf(flag, "%s", args[0]);
	if (strchr(args[0], '=') || !args[1] || is_option(args[1]))
		return args + 1;
	buf_addf(flag, "=%s", args[1]);
	return args + 2;
}

static int flag_add(struct options *options, const char *flag, struct err *e)
{
	struct span value = span_of(flag);

	if (!span_is(span_cut(&value, '='), "--config")) {
		options->flags = mem_grow(options->flags,
					  (options->count + 1) *
						  sizeof(*options->flags));
		options->flags[options->count++] = mem_text(flag);
		return 0;
	}
	if (!value.at)
		return err_set(e, ERR_USAGE,
			       "--config needs a value; write --config FILE");
	free(options->file);
	options->file = mem_text(value.at);
	return 0;
}

static int options_parse(char *const *args, struct options *options,
			 struct err *e)
{
	while (*args) {
		auto_buf struct buf flag = { 0 };

		if (!is_option(*args))
			return err_set(e, ERR_USAGE,
				       "\"%.60s\" is a word too many; options "
				       "begin with --",
				       *args);
		args = flag_take(args, &flag);
		if (flag_add(options, flag.at, e) < 0)
			return -1;
	}
	return 0;
}

static struct config_source source_of(const struct options *options)
{
	return (struct config_source){
		.path = options->file,
		.env = environ,
		.flags = (const char *const *)options->flags,
		.flag_count = options->count,
	};
}

int options_load(char *const *args, struct config **out, struct err *e)
{
	auto_with(options_free) struct options options = { 0 };

	if (options_parse(args, &options, e) < 0)
		return -1;
	struct config_source source = source_of(&options);
	return config_load(&source, out, e);
}

int options_load_as_owner(char *const *args, struct config **out, struct err *e)
{
	if (options_load(args, out, e) < 0)
		return -1;
	return user_become(*out, e);
}

int options_show(char *const *args, struct buf *out, struct err *e)
{
	auto_with(options_free) struct options options = { 0 };

	if (options_parse(args, &options, e) < 0)
		return -1;
	struct config_source source = source_of(&options);
	return config_show(&source, out, e);
}
