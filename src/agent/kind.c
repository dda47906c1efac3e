#include "agent/kind.h"

#include "agent/tables.h"

#define BOM "\xef\xbb\xbf"

bool kind_element_has(struct span element, struct span word)
{
	while (element.len > 0)
		if (span_eq(span_cut(&element, ' '), word))
			return true;
	return false;
}

/* ------------------------------------------------------------ a whole file */

static bool file_is_marked(struct span text)
{
	return span_starts(text, KIND_MARK);
}

static bool file_has(struct span text, struct span element)
{
	return span_eq(text, element);
}

static int file_put(struct span text, struct span element, struct buf *out,
		    struct err *e)
{
	if (!text.at) {
		buf_add(out, element);
		return 0;
	}
	if (file_is_marked(text))
		return err_set(e, ERR_CONFLICT,
			       "it is ours by its first line, but was edited, "
			       "or nothing is known of it; remove it");
	return err_set(e, ERR_CONFLICT, "it is there, and not ours");
}

static void file_take(struct span text, struct span element, struct buf *out)
{
	(void)element;
	buf_add(out, text);
}

const struct kind kind_file = {
	.name = "file",
	.whole = true,
	.is_marked = file_is_marked,
	.has = file_has,
	.put = file_put,
	.take = file_take,
};

/* -------------------------------------------- a line of /etc/environment */

#define ENVIRONMENT_MARK KIND_MARK "the next line is managed"

/* A line with its end, which may be missing; false: there is none. */
static bool line_next(struct span *rest, struct span *line, struct span *words)
{
	if (rest->len == 0)
		return false;
	ptrdiff_t end = span_find(*rest, '\n');
	size_t len = end < 0 ? rest->len : (size_t)end + 1;
	*line = span_make(rest->at, len);
	*rest = span_from(*rest, len);
	*words = span_make(line->at, end < 0 ? len : len - 1);
	if (span_ends(*words, "\r"))
		words->len--;
	return true;
}

/* An editor may have put a mark of its own in front of the first line. */
static struct span bom_cut(struct span *text)
{
	size_t len = span_starts(*text, BOM) ? strlen(BOM) : 0;
	struct span bom = span_make(text->at, len);

	*text = span_from(*text, len);
	return bom;
}

static bool is_environment_mark(struct span words)
{
	return span_is(words, ENVIRONMENT_MARK);
}

/* As pam_env reads it. */
static bool sets_variable(struct span words, const char *name)
{
	words = span_trim(words);
	if (span_starts(words, "export "))
		words = span_trim(span_from(words, strlen("export ")));
	return span_starts(words, name) &&
	       span_starts(span_from(words, strlen(name)), "=");
}

#define VARIABLE "DOCKER_REPO"

static bool environment_is_marked(struct span text)
{
	struct span line, words;

	bom_cut(&text);
	while (line_next(&text, &line, &words))
		if (is_environment_mark(words))
			return true;
	return false;
}

static bool environment_has(struct span text, struct span element)
{
	struct span line, words;
	size_t found = 0, others = 0;
	bool marked = false;

	bom_cut(&text);
	while (line_next(&text, &line, &words)) {
		if (marked && span_eq(words, element))
			found++;
		else if (sets_variable(words, VARIABLE))
			others++;
		marked = is_environment_mark(words);
	}
	return found == 1 && others == 0;
}

static int environment_put(struct span text, struct span element,
			   struct buf *out, struct err *e)
{
	struct span bom = bom_cut(&text);
	struct span rest = text, line, words;

	while (line_next(&rest, &line, &words))
		if (sets_variable(words, VARIABLE))
			return err_set(e, ERR_CONFLICT,
				       "it has a " VARIABLE " of its own");
	if (bom.len)
		buf_add(out, bom);
	buf_addf(out, ENVIRONMENT_MARK "\n%.*s\n", SPAN_ARG(element));
	if (text.len)
		buf_add(out, text);
	return 0;
}

/* What stands below the mark and is not ours, an operator has put there. */
static void environment_take(struct span text, struct span element,
			     struct buf *out)
{
	struct span line, words;
	bool marked = false;

	buf_add(out, bom_cut(&text));
	while (line_next(&text, &line, &words)) {
		bool ours = marked && kind_element_has(element, words);

		marked = is_environment_mark(words);
		if (!ours && !marked)
			buf_add(out, line);
	}
}

const struct kind kind_environment = {
	.name = "environment",
	.is_marked = environment_is_marked,
	.has = environment_has,
	.put = environment_put,
	.take = environment_take,
	.remembers = true,
};

/* -------------------------------------------------------------------- all */

const struct kind *kind_find(const char *name)
{
	static const struct kind *const all[] = {
		&kind_file,   &kind_environment, &kind_daemon,
		&kind_tables, &kind_config_path,
	};

	for (size_t i = 0; i < array_size(all); i++)
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	return NULL;
}
