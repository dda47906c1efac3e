/*
 * What is ours begins with the end of the line before it, so that a last line
 * that has none stays as it is.
 */
#include "agent/tables.h"

#define BEGIN KIND_MARK "what follows is managed"
#define END KIND_MARK "what follows is not"

/* ------------------------------------------------------------------- lines */

/* Moves behind a line; false: there is none. */
static bool line_next(struct span *rest, struct span *line)
{
	if (rest->len == 0)
		return false;
	ptrdiff_t end = span_find(*rest, '\n');
	*line = span_make(rest->at, end < 0 ? rest->len : (size_t)end);
	*rest = span_from(*rest, end < 0 ? rest->len : (size_t)end + 1);
	return true;
}

/* The first line that is this; SPAN_NONE. */
static struct span line_find(struct span text, const char *wanted)
{
	struct span line;

	while (line_next(&text, &line))
		if (span_is(line, wanted))
			return line;
	return SPAN_NONE;
}

/* From one place of the text to another. */
static struct span between(const char *from, const char *to)
{
	return span_make(from, (size_t)(to - from));
}

/* The text without that part of it. */
static void cut_out(struct span text, struct span part, struct buf *out)
{
	const char *end = part.at + part.len;

	buf_add(out, between(text.at, part.at));
	buf_add(out, between(end, text.at + text.len));
}

/* ------------------------------------------------------------------- tables */

/* Between the lines that say so; SPAN_NONE. */
static struct span tables_inside(struct span text)
{
	struct span begin = line_find(text, BEGIN);

	if (!begin.at)
		return SPAN_NONE;
	const char *from = begin.at + begin.len;
	struct span rest = between(from, text.at + text.len);
	struct span end = line_find(rest, END);
	return end.at ? between(from + 1, end.at) : SPAN_NONE;
}

struct span tables_ours(struct span text)
{
	struct span inside = tables_inside(text);

	if (!inside.at)
		return SPAN_NONE;
	const char *from = inside.at - strlen(BEGIN "\n");
	const char *to = inside.at + inside.len + strlen(END);
	from -= from > text.at;
	to += to < text.at + text.len;
	return between(from, to);
}

static bool tables_is_marked(struct span text)
{
	return line_find(text, BEGIN).at != NULL;
}

static bool tables_has(struct span text, struct span element)
{
	return span_eq(tables_inside(text), element);
}

static int tables_put(struct span text, struct span element, struct buf *out,
		      struct err *e)
{
	if (tables_is_marked(text))
		return err_set(e, ERR_CONFLICT, "half of what is ours is gone");
	buf_add(out, text);
	if (text.len > 0)
		buf_add(out, SPAN("\n"));
	buf_addf(out, BEGIN "\n%.*s" END "\n", SPAN_ARG(element));
	return 0;
}

static void tables_take(struct span text, struct span element, struct buf *out)
{
	struct span ours = tables_ours(text);

	(void)element;
	if (ours.at)
		cut_out(text, ours, out);
	else
		buf_add(out, text);
}

const struct kind kind_tables = {
	.name = "tables",
	.is_marked = tables_is_marked,
	.has = tables_has,
	.put = tables_put,
	.take = tables_take,
};

static bool holds(struct span line, const char *name)
{
	for (; line.len; line = span_from(line, 1))
		if (span_starts(line, name))
			return true;
	return false;
}

bool tables_name(struct span toml, const char *name)
{
	struct span line;

	while (line_next(&toml, &line))
		if (!span_starts(span_trim(line), "#") && holds(line, name))
			return true;
	return false;
}

/* -------------------------------------------------------------- config_path */

#define LINE KIND_MARK "the next line is managed"
#define INSTEAD LINE ", in place of: "
#define TABLE KIND_MARK "the next two lines are managed"
#define KEY "config_path"

/* The line of ours that says so; SPAN_NONE. */
static struct span mark_find(struct span text)
{
	struct span line;

	while (line_next(&text, &line))
		if (span_is(line, LINE) || span_is(line, TABLE) ||
		    span_starts(line, INSTEAD))
			return line;
	return SPAN_NONE;
}

/* The line that holds it, below the mark. */
static struct span below(struct span text, struct span mark)
{
	struct span line = mark;
	struct span rest = between(mark.at, text.at + text.len);

	line_next(&rest, &line);
	if (span_is(mark, TABLE))
		line_next(&rest, &line);
	if (!line_next(&rest, &line))
		line = span_make(text.at + text.len, 0);
	return line;
}

struct span config_path_ours(struct span text)
{
	struct span mark = mark_find(text);

	if (!mark.at)
		return SPAN_NONE;
	struct span last = below(text, mark);
	const char *from = mark.at, *to = last.at + last.len;
	if (!span_starts(mark, INSTEAD))
		from -= from > text.at;
	if (span_is(mark, TABLE))
		to += to < text.at + text.len;
	return between(from, to);
}

static bool config_path_is_marked(struct span text)
{
	return mark_find(text).at != NULL;
}

static bool config_path_has(struct span text, struct span element)
{
	struct span mark = mark_find(text);

	return mark.at && span_eq(span_trim(below(text, mark)), element);
}

static void config_path_take(struct span text, struct span element,
			     struct buf *out)
{
	struct span ours = config_path_ours(text);
	struct span mark = mark_find(text);

	(void)element;
	if (!ours.at) {
		buf_add(out, text);
		return;
	}
	buf_add(out, between(text.at, ours.at));
	if (span_starts(mark, INSTEAD))
		buf_add(out, span_from(mark, strlen(INSTEAD)));
	buf_add(out, between(ours.at + ours.len, text.at + text.len));
}

/* Does it begin so? Blanks do not count, and quotes are quotes. */
static bool begins(struct span line, const char *form)
{
	for (; *form; form++) {
		line = span_trim(line);
		char c = line.len ? line.at[0] : '\0';
		if (*form != (c == '\'' ? '"' : c))
			return false;
		line = span_from(line, 1);
	}
	return true;
}

/* The tables of each version, without the bracket that ends them. */
struct form {
	const char *cri, *registry, *mirrors, *configs;
};
#define FORM(cri)                                              \
	{                                                      \
		cri, cri ".registry", cri ".registry.mirrors", \
			cri ".registry.configs"                \
	}
static const struct form forms[] = {
	FORM("[plugins.\"io.containerd.grpc.v1.cri\""),
	FORM("[plugins.\"io.containerd.cri.v1.images\""),
};

/* What a file says: where ours may go. */
struct scan {
	const struct form *form; /* null: of no version that is known */
	struct span header;	 /* of the table; SPAN_NONE: there is none */
	struct span line;	 /* the key, with nothing in it; likewise */
	const char *why;	 /* it may go nowhere; null */
};

enum table { ROOT, CRI, REGISTRY, OLD, OTHER };

static bool is_table(struct span line, const char *name)
{
	size_t len = strlen(name);
	char form[80];

	memcpy(form, name, len);
	form[len] = ']';
	form[len + 1] = '\0';
	return begins(line, form);
}

static bool is_below(struct span line, const char *name)
{
	return begins(line, name) && !is_table(line, name);
}

static enum table table_enter(struct scan *scan, struct span line)
{
	const struct form *form = scan->form;

	if (!form)
		return OTHER;
	if (is_below(line, form->mirrors) || is_below(line, form->configs))
		scan->why = "it has mirrors or configs";
	if (is_table(line, form->mirrors) || is_table(line, form->configs))
		return OLD;
	if (is_table(line, form->cri))
		return CRI;
	if (!is_table(line, form->registry))
		return OTHER;
	scan->header = line;
	return REGISTRY;
}

static bool is_empty_text(struct span line)
{
	return begins(line, KEY "=\"\"");
}

static void key_look(struct scan *scan, enum table table, struct span line)
{
	if (table == ROOT && begins(line, "version=2"))
		scan->form = &forms[0];
	else if (table == ROOT && begins(line, "version=3"))
		scan->form = &forms[1];
	else if (table == ROOT && begins(line, "plugins"))
		scan->why = "its plugins are written in one line";
	else if (table == CRI && begins(line, "registry"))
		scan->why = "its registry is written in one line";
	else if (table == OLD)
		scan->why = "it has mirrors or configs";
	else if (table == REGISTRY && begins(line, KEY) && is_empty_text(line))
		scan->line = line;
	else if (table == REGISTRY && begins(line, KEY))
		scan->why = "it has a " KEY " of its own";
}

static struct scan scan(struct span text)
{
	struct scan scan = { 0 };
	enum table table = ROOT;
	struct span line;

	if (tables_name(text, "\"\"\"") || tables_name(text, "'''"))
		scan.why = "it has texts of several lines";
	while (line_next(&text, &line)) {
		struct span words = span_trim(line);

		if (span_starts(words, "#") || words.len == 0)
			continue;
		if (span_starts(words, "["))
			table = table_enter(&scan, line);
		else
			key_look(&scan, table, line);
	}
	if (!scan.form)
		scan.why = "it says neither version = 2 nor version = 3";
	return scan;
}

static void table_add(const struct form *form, struct span element,
		      struct buf *out)
{
	buf_addf(out, TABLE "\n%s]\n%.*s\n", form->registry, SPAN_ARG(element));
}

static int config_path_put(struct span text, struct span element,
			   struct buf *out, struct err *e)
{
	if (!text.at) {
		buf_addf(out, "version = 2\n\n");
		table_add(&forms[0], element, out);
		return 0;
	}
	struct scan found = scan(text);
	if (config_path_is_marked(text))
		found.why = "what is ours stands there twice";
	if (found.why)
		return err_set(e, ERR_CONFLICT, "%s", found.why);
	struct span place = found.line.at ? found.line : found.header;
	const char *end = text.at + text.len;
	if (!place.at) {
		buf_add(out, text);
		buf_add(out, SPAN("\n"));
		table_add(found.form, element, out);
		return 0;
	}
	buf_add(out, between(text.at, place.at));
	if (found.line.at)
		buf_add(out, SPAN(INSTEAD));
	buf_add(out, place);
	buf_add(out, found.line.at ? SPAN("\n") : SPAN("\n" LINE "\n"));
	buf_add(out, element);
	buf_add(out, between(place.at + place.len, end));
	return 0;
}

const struct kind kind_config_path = {
	.name = "config_path",
	.is_marked = config_path_is_marked,
	.has = config_path_has,
	.put = config_path_put,
	.take = config_path_take,
};
