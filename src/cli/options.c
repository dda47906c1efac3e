/*
 * --name VALUE and --name=VALUE. Which names there are is the table's
 * business; here, only --config is known.
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/inside.h"

bool option_take(char *const **args, const char *name, struct span *value_out)
{
	struct span value = span_of(**args);

	if (!span_is(span_cut(&value, '='), name))
		return false;
	if (!value.at && (*args)[1])
		value = span_of(*++*args);
	*value_out = value;
	return true;
}

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

int options_show(char *const *args, struct buf *out, struct err *e)
{
	auto_with(options_free) struct options options = { 0 };

	if (options_parse(args, &options, e) < 0)
		return -1;
	struct config_source source = source_of(&options);
	return config_show(&source, out, e);
}
