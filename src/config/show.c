/*
 * A configuration as YAML: the table is walked, list by list, and of each key
 * only what the one before it has not yet said is written.
 */
#include "config/config.h"
#include "config/settings.h"

#define MARGIN 39 /* where comments begin */

struct show {
	const struct settings *settings;
	struct buf *out;
	struct buf before; /* the key that was shown last, with its positions */
};

/* "mirror", "upstreams", "[0]", "name"; SPAN_NONE at the end. */
static struct span part_cut(struct span *path)
{
	size_t len = 0;

	if (path->len == 0)
		return SPAN_NONE;
	do
		len++;
	while (len < path->len && !strchr(".[", path->at[len]));
	struct span part = span_make(path->at, len);
	*path = span_from(*path, len);
	if (span_starts(*path, "."))
		*path = span_from(*path, 1);
	return part;
}

/* Takes what both begin with off; returns how many parts that is. */
static size_t skip_common(struct span before, struct span *path)
{
	size_t depth = 0;

	for (;; depth++) {
		struct span rest = *path;
		struct span part = part_cut(&rest);

		if (!span_eq(part, part_cut(&before)))
			return depth;
		*path = rest;
	}
}

static void show_path(struct show *show, struct span path)
{
	size_t depth = skip_common(buf_span(&show->before), &path);
	bool begun = false; /* the line, by the dash of a list */

	while (path.len > 0) {
		struct span part = part_cut(&path);

		if (!begun)
			buf_addf(show->out, "%*s", (int)(2 * depth), "");
		begun = part.at[0] == '[';
		if (begun)
			buf_addf(show->out, "- ");
		else
			buf_addf(show->out, "%.*s:%s", SPAN_ARG(part),
				 path.len > 0 ? "\n" : " ");
		depth++;
	}
}

static bool is_plain(struct span value)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789./_-";

	for (size_t i = 0; i < value.len; i++)
		if (!strchr(letters, value.at[i]))
			return false;
	return value.len > 0 && value.at[0] != '-';
}

/* Within double quotes, YAML knows \xNN for any byte that is not fit to be. */
static void show_text(struct buf *out, struct span value)
{
	if (is_plain(value)) {
		buf_add(out, value);
		return;
	}
	buf_addf(out, "\"");
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.at[i];

		if (c == '"' || c == '\\')
			buf_addf(out, "\\%c", c);
		else if (c < ' ' || c == 0x7f)
			buf_addf(out, "\\x%02x", c);
		else
			buf_addf(out, "%c", c);
	}
	buf_addf(out, "\"");
}

static void show_origin(struct show *show, size_t line, const struct key *key,
			const size_t *index)
{
	const struct setting *setting =
		settings_find(show->settings, key, index);
	size_t column = show->out->len - line;

	buf_addf(show->out, "%*s # ",
		 column < MARGIN ? (int)(MARGIN - column) : 0, "");
	if (setting)
		setting_locate(setting, show->out);
	else
		buf_addf(show->out, "default");
	buf_addf(show->out, "\n");
}

/* By default, and of no use without another key, which is not there. */
static bool is_idle(const struct show *show, const struct key *key,
		    const size_t *index)
{
	if (!key->needs[0] || settings_find(show->settings, key, index))
		return false;
	return !*(char **)settings_slot(show->settings,
					key_named(key->needs[0]), index);
}

/* What is secret in a value is not shown. */
static bool print_shown(const struct key *key, const void *slot,
			struct buf *out)
{
	auto_buf struct buf whole = { 0 };

	if (key->type != PROXY)
		return key_print(key, slot, out);
	if (!key_print(key, slot, &whole))
		return false;
	proxy_show(buf_span(&whole), out);
	return true;
}

static void show_value(struct walk *walk, const struct key *key,
		       const void *slot)
{
	struct show *show = walk->arg;
	auto_buf struct buf value = { 0 };
	auto_buf struct buf path = { 0 };

	if (is_idle(show, key, walk->index) || !print_shown(key, slot, &value))
		return;
	key_spell(key, PLACE_FILE, walk->index, &path);
	show_path(show, buf_span(&path));
	const char *newline = memrchr(show->out->at, '\n', show->out->len);
	size_t line = (size_t)(newline + 1 - show->out->at);
	show_text(show->out, buf_span(&value));
	show_origin(show, line, key, walk->index);
	buf_clear(&show->before);
	buf_add(&show->before, buf_span(&path));
}

int config_show(const struct config_source *source, struct buf *out,
		struct err *e)
{
	auto_with(settings_free) struct settings settings = { 0 };
	struct show show = { .settings = &settings, .out = out };
	struct walk walk = { .visit = show_value, .arg = &show };

	if (settings_load(&settings, source, e) < 0)
		return -1;
	buf_addf(out, "# What holds, and where each value was written.\n");
	holder_walk(&walk, NULL, settings.config);
	buf_free(&show.before);
	return 0;
}
