/*
 * daemon.json, into which nothing but settings may be written: no mark can
 * stand there, so what is ours is found by its value.
 *
 * The text is parsed once to know that it is JSON; after that a scan that
 * trusts it finds places, so that every other byte stays.
 */
#include "agent/kind.h"
#include "base/json.h"

#define BLANKS " \t\r\n"

/* ------------------------------------------------------------------ places */

static bool is_one_of(char c, const char *set)
{
	return c && strchr(set, c);
}

static size_t blanks_end(struct span text, size_t at)
{
	while (at < text.len && is_one_of(text.at[at], BLANKS))
		at++;
	return at;
}

/* Behind the closing quote; `at` is the opening one's. */
static size_t string_end(struct span text, size_t at)
{
	for (at++; at < text.len && text.at[at] != '"'; at++)
		at += text.at[at] == '\\';
	return at + 1;
}

static size_t nest_end(struct span text, size_t at)
{
	for (size_t depth = 0; at < text.len;) {
		if (text.at[at] == '"') {
			at = string_end(text, at);
			continue;
		}
		depth += is_one_of(text.at[at], "{[");
		depth -= is_one_of(text.at[at], "}]");
		at++;
		if (depth == 0)
			break;
	}
	return at;
}

static size_t value_end(struct span text, size_t at)
{
	if (text.at[at] == '"')
		return string_end(text, at);
	if (is_one_of(text.at[at], "{["))
		return nest_end(text, at);
	while (at < text.len && !is_one_of(text.at[at], ",}]" BLANKS))
		at++;
	return at;
}

/* An element of an array, or a member of an object. */
struct item {
	size_t start, end;
	size_t value; /* where it begins; of an element, start */
};

/* The item at or behind *at, which moves behind it; false: there is none. */
static bool item_next(struct span text, size_t *at, struct item *out)
{
	size_t here = blanks_end(text, *at);

	if (here < text.len && text.at[here] == ',')
		here = blanks_end(text, here + 1);
	if (here >= text.len || is_one_of(text.at[here], "}]"))
		return false;
	out->start = out->value = here;
	out->end = value_end(text, here);
	size_t colon = blanks_end(text, out->end);
	if (colon < text.len && text.at[colon] == ':') {
		out->value = blanks_end(text, colon + 1);
		out->end = value_end(text, out->value);
	}
	*at = out->end;
	return true;
}

/* With the comma that goes with it. */
static void cut(struct span text, const struct item *before,
		const struct item *item, const struct item *after,
		struct buf *out)
{
	size_t from = !after && before ? before->end : item->start;
	size_t to = after ? after->start : item->end;

	buf_add(out, span_make(text.at, from));
	buf_add(out, span_from(text, to));
}

/* The item of the list that opens at `open` and begins like `begin`. */
struct found {
	struct item before, item, after;
	bool has_before, is_there, has_after;
};

static struct found find(struct span text, size_t open, const char *begin)
{
	struct found found = { 0 };
	struct item item;

	for (size_t at = open + 1; item_next(text, &at, &item);) {
		struct span rest =
			span_make(text.at + item.start, item.end - item.start);

		if (found.is_there) {
			found.after = item;
			found.has_after = true;
			return found;
		}
		found.is_there = span_starts(rest, begin);
		if (found.is_there) {
			found.item = item;
		} else {
			found.before = item;
			found.has_before = true;
		}
	}
	return found;
}

static void found_cut(struct span text, const struct found *found,
		      struct buf *out)
{
	cut(text, found->has_before ? &found->before : NULL, &found->item,
	    found->has_after ? &found->after : NULL, out);
}

/* ------------------------------------------------------------- the element */

/* "key=value", of which an element has some, with a blank between. */
static bool pair_next(struct span *element, struct span *key,
		      struct span *value)
{
	if (!element->at || element->len == 0)
		return false;
	*value = span_cut(element, ' ');
	*key = span_cut(value, '=');
	return true;
}

static int text_parse(struct span text, struct json **out, struct err *e)
{
	static const struct json_limits limits = { 1024 * 1024, 20000, 32 };

	if (json_parse(text, &limits, out, e) < 0)
		return -1;
	if (json_is_object(json_root(*out)))
		return 0;
	json_close(out);
	return err_set(e, ERR_REQUEST, "it is no JSON object");
}

static bool array_has(const struct json_value *array, struct span value)
{
	for (size_t i = 0; i < json_count(array); i++)
		if (span_eq(json_text(json_at(array, i)), value))
			return true;
	return false;
}

static void member_print(struct span key, struct span value, struct buf *out)
{
	json_quote(out, key);
	buf_addf(out, ": [");
	if (value.len)
		json_quote(out, value);
	buf_addf(out, "]");
}

/* The members, with what separates them. */
static void members_print(struct span element, struct span between,
			  struct buf *out)
{
	struct span key, value;

	for (size_t i = 0; pair_next(&element, &key, &value); i++) {
		if (i > 0)
			buf_addf(out, ",%.*s", SPAN_ARG(between));
		member_print(key, value, out);
	}
}

/* -------------------------------------------------------------- the kind */

static bool daemon_is_marked(struct span text)
{
	(void)text;
	return false;
}

static bool daemon_has(struct span text, struct span element)
{
	auto_of(json) struct json *json = NULL;
	struct span key, value;
	char name[64];
	struct err ignored;

	if (text_parse(text, &json, &ignored) < 0)
		return false;
	while (pair_next(&element, &key, &value))
		if (!span_copy(key, name, sizeof(name)) ||
		    !array_has(json_get(json_root(json), name), value))
			return false;
	return true;
}

/* None of the keys may be there, in whatever case. */
static int keys_check(struct span text, struct span element, struct err *e)
{
	auto_of(json) struct json *json = NULL;
	struct span key, value;
	char name[64];

	if (text_parse(text, &json, e) < 0) {
		e->kind = ERR_CONFLICT;
		return -1;
	}
	while (pair_next(&element, &key, &value)) {
		const struct json_value *root = json_root(json);

		if (!span_copy(key, name, sizeof(name)))
			return err_set(e, ERR_INTERNAL, "a key is too long");
		if (json_get(root, name) || json_key_alike(root, name))
			return err_set(e, ERR_CONFLICT, "it has %s of its own",
				       name);
	}
	return 0;
}

static int daemon_put(struct span text, struct span element, struct buf *out,
		      struct err *e)
{
	auto_of(json) struct json *json = NULL;

	if (!text.at)
		text = SPAN("{}\n");
	if (keys_check(text, element, e) < 0)
		return -1;
	size_t open = blanks_end(text, 0) + 1;
	size_t first = blanks_end(text, open);
	struct span blanks = span_make(text.at + open, first - open);
	bool is_empty = text.at[first] == '}';

	buf_add(out, span_make(text.at, open));
	if (!is_empty)
		buf_add(out, blanks);
	members_print(element, is_empty ? SPAN(" ") : blanks, out);
	if (!is_empty)
		buf_addf(out, ",");
	buf_add(out, span_from(text, open));
	/* A key that is there, but null, is there. */
	if (text_parse(buf_span(out), &json, e) < 0) {
		e->kind = ERR_CONFLICT;
		return -1;
	}
	return 0;
}

/* The list that we left empty; one with something in it is not that. */
static void empty_take(struct span text, const struct found *member,
		       struct buf *out)
{
	if (text.at[blanks_end(text, member->item.value + 1)] == ']')
		found_cut(text, member, out);
	else
		buf_add(out, text);
}

static bool daemon_is_readable(struct span text)
{
	auto_of(json) struct json *json = NULL;
	struct err ignored;

	return text_parse(text, &json, &ignored) == 0;
}

/* One pair out of the text. */
static void pair_take(struct span text, struct span key, struct span value,
		      struct buf *out)
{
	auto_buf struct buf name = { 0 };
	auto_buf struct buf wanted = { 0 };

	json_quote(&name, key);
	json_quote(&wanted, value);
	struct found member = find(text, blanks_end(text, 0), name.at);
	if (!member.is_there || text.at[member.item.value] != '[') {
		buf_add(out, text);
		return;
	}
	if (value.len == 0) {
		empty_take(text, &member, out);
		return;
	}
	struct found ours = find(text, member.item.value, wanted.at);
	if (!ours.is_there)
		buf_add(out, text);
	else if (!ours.has_before && !ours.has_after)
		found_cut(text, &member, out);
	else
		found_cut(text, &ours, out);
}

static void daemon_take(struct span text, struct span element, struct buf *out)
{
	auto_buf struct buf now = { 0 };
	struct span key, value;

	buf_add(&now, text);
	bool readable = daemon_is_readable(text);
	while (readable && pair_next(&element, &key, &value)) {
		auto_buf struct buf next = { 0 };

		pair_take(buf_span(&now), key, value, &next);
		buf_clear(&now);
		buf_add(&now, buf_span(&next));
	}
	buf_add(out, buf_span(&now));
}

const struct kind kind_daemon = {
	.name = "daemon",
	.is_marked = daemon_is_marked,
	.has = daemon_has,
	.put = daemon_put,
	.take = daemon_take,
	.is_readable = daemon_is_readable,
	.remembers = true,
};
