/*
 * Jansson parses, after a scan that only counts. A `struct json_value` is a
 * json_t under another name: the struct itself is nowhere defined, so nobody
 * else can look into it.
 *
 * A document takes some forty times its bytes, so large ones take turns: from
 * the parse to the close, each has one of a few places.
 */
#include "base/json.h"

#include <ctype.h>
#include <jansson.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/thread.h"

enum {
	LARGE_BYTES = 64 * 1024, /* a document of more than either is large */
	LARGE_TOKENS = 4096,
	LARGE_AT_ONCE = 2
};

struct json {
	json_t *root;
	bool large;
};

/* Jansson has macros of these names. */
#undef json_is_object
#undef json_is_array

struct json_count_state {
	size_t tokens;
	size_t depth;
	size_t deepest;
};

/* Behind the closing quote; `at` is behind the opening one. */
static size_t string_end(struct span text, size_t at)
{
	while (at < text.len && text.at[at] != '"')
		at += text.at[at] == '\\' ? 2 : 1;
	return at + 1;
}

static bool is_structure(char c)
{
	return c != '\0' && strchr("{}[]:,\" \t\r\n", c);
}

/* Behind a number, true, false or null (or what stands in their place). */
static size_t word_end(struct span text, size_t at)
{
	while (at < text.len && !is_structure(text.at[at]))
		at++;
	return at;
}

static void nesting_count(struct json_count_state *state, char c)
{
	if (c == '{' || c == '[') {
		state->tokens++;
		if (++state->depth > state->deepest)
			state->deepest = state->depth;
	} else if ((c == '}' || c == ']') && state->depth > 0) {
		state->depth--;
	}
}

static void text_count(struct span text, struct json_count_state *state)
{
	for (size_t at = 0; at < text.len;) {
		char c = text.at[at];

		if (c == '"') {
			state->tokens++;
			at = string_end(text, at + 1);
		} else if (is_structure(c)) {
			nesting_count(state, c);
			at++;
		} else {
			state->tokens++;
			at = word_end(text, at + 1);
		}
	}
}

/* 1: it is large; 0: it is not; -1: it is above a limit. */
static int limits_check(struct span text, const struct json_limits *limits,
			struct err *e)
{
	struct json_count_state state = { 0 };

	if (text.len > limits->bytes)
		return err_set(e, ERR_TOO_LARGE, "JSON: more than %zu bytes",
			       limits->bytes);
	text_count(text, &state);
	if (state.tokens > limits->tokens)
		return err_set(e, ERR_REQUEST,
			       "JSON: more than %zu values and keys",
			       limits->tokens);
	if (state.deepest > limits->depth)
		return err_set(e, ERR_REQUEST, "JSON: nested deeper than %zu",
			       limits->depth);
	return text.len > LARGE_BYTES || state.tokens > LARGE_TOKENS;
}

static pthread_mutex_t large_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t large_left = PTHREAD_COND_INITIALIZER;
static int large_here; /* guarded by large_lock */

static void large_enter(void)
{
	hold_mutex(&large_lock);
	while (large_here == LARGE_AT_ONCE)
		pthread_cond_wait(&large_left, &large_lock);
	large_here++;
}

static void large_leave(void)
{
	mem_give_back();
	hold_mutex(&large_lock);
	large_here--;
	pthread_cond_signal(&large_left);
}

int json_parse(struct span text, const struct json_limits *limits,
	       struct json **out, struct err *e)
{
	auto_of(json) struct json *json = NULL;
	json_error_t why;
	int large = limits_check(text, limits, e);

	thread_may_wait("json_parse");
	if (large < 0)
		return -1;
	json = mem_alloc(sizeof(*json));
	json->large = large;
	if (large)
		large_enter();
	json->root = json_loadb(text.at ? text.at : "", text.len,
				JSON_REJECT_DUPLICATES, &why);
	if (!json->root)
		return err_set(e, ERR_REQUEST, "JSON, line %d: %s", why.line,
			       why.text);
	*out = steal_ptr(&json);
	return 0;
}

void json_close(struct json **pointer)
{
	struct json *json = steal_ptr(pointer);

	json_decref(json->root);
	if (json->large)
		large_leave();
	free(json);
}

static const json_t *inside(const struct json_value *value)
{
	return (const json_t *)value;
}

static const struct json_value *outside(const json_t *value)
{
	if (json_is_null(value))
		return NULL;
	return (const struct json_value *)value;
}

const struct json_value *json_root(const struct json *json)
{
	return (const struct json_value *)json->root;
}

bool json_is_object(const struct json_value *value)
{
	return value && json_typeof(inside(value)) == JSON_OBJECT;
}

bool json_is_array(const struct json_value *value)
{
	return value && json_typeof(inside(value)) == JSON_ARRAY;
}

const struct json_value *json_get(const struct json_value *value,
				  const char *key)
{
	return outside(json_object_get(inside(value), key));
}

/*
 * What Go's decoder takes for one letter: the cases of ASCII, and two letters
 * that are no ASCII. Adds the bytes that were read to both lengths.
 */
static bool letter_alike(const char **a, const char **b)
{
	static const struct {
		const char *odd;
		char letter;
	} odd[] = { { "\u017f", 's' }, { "\u212a", 'k' } };

	for (size_t i = 0; i < array_size(odd); i++) {
		size_t len = strlen(odd[i].odd);

		if (strncmp(*a, odd[i].odd, len) == 0 &&
		    tolower((unsigned char)**b) == odd[i].letter) {
			*a += len;
			(*b)++;
			return true;
		}
	}
	return tolower((unsigned char)*(*a)++) ==
	       tolower((unsigned char)*(*b)++);
}

static bool key_alike(const char *key, const char *wanted)
{
	while (*key && *wanted)
		if (!letter_alike(&key, &wanted))
			return false;
	return *key == *wanted;
}

const char *json_key_alike(const struct json_value *object, const char *wanted)
{
	json_t *from = (json_t *)(uintptr_t)inside(object);
	const char *key;
	json_t *value;

	json_object_foreach(from, key, value)
	{
		if (strcmp(key, wanted) != 0 && key_alike(key, wanted))
			return key;
	}
	return NULL;
}

size_t json_count(const struct json_value *value)
{
	return json_array_size(inside(value));
}

const struct json_value *json_at(const struct json_value *value, size_t index)
{
	return outside(json_array_get(inside(value), index));
}

struct span json_text(const struct json_value *value)
{
	if (!json_is_string(inside(value)))
		return SPAN_NONE;
	return span_make(json_string_value(inside(value)),
			 json_string_length(inside(value)));
}

bool json_size(const struct json_value *value, int64_t *out)
{
	if (!json_is_integer(inside(value)))
		return false;
	*out = json_integer_value(inside(value));
	return *out >= 0;
}

/* Length of the UTF-8 sequence that `c` opens; 0 if it opens none. */
static size_t utf8_claim(unsigned char c)
{
	if (c >= 0xc2 && c <= 0xdf)
		return 2;
	if (c >= 0xe0 && c <= 0xef)
		return 3;
	if (c >= 0xf0 && c <= 0xf4)
		return 4;
	return 0;
}

/* RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF. */
static bool utf8_second_fits(unsigned char first, unsigned char second)
{
	switch (first) {
	case 0xe0:
		return second >= 0xa0;
	case 0xed:
		return second <= 0x9f;
	case 0xf0:
		return second >= 0x90;
	case 0xf4:
		return second <= 0x8f;
	default:
		return true;
	}
}

/* Length of the sequence at the start of `text`, 0 if it is not UTF-8. */
static size_t utf8_length(struct span text)
{
	const unsigned char *at = (const unsigned char *)text.at;
	size_t len = utf8_claim(at[0]);

	if (len == 0 || len > text.len || !utf8_second_fits(at[0], at[1]))
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

/* Adds the first character of `text`; returns how many bytes it was. */
static size_t quoted_add(struct buf *out, struct span text)
{
	unsigned char c = (unsigned char)text.at[0];

	if (c == '"' || c == '\\') {
		buf_addf(out, "\\%c", c);
	} else if (c < ' ' || c == 0x7f) {
		buf_addf(out, "\\u%04x", c);
	} else if (c < 0x80) {
		buf_add(out, span_make(text.at, 1));
	} else {
		size_t len = utf8_length(text);

		buf_add(out, len ? span_make(text.at, len) : SPAN("\ufffd"));
		return len ? len : 1;
	}
	return 1;
}

void json_quote(struct buf *out, struct span text)
{
	buf_add(out, SPAN("\""));
	while (text.len)
		text = span_from(text, quoted_add(out, text));
	buf_add(out, SPAN("\""));
}

void json_quote_texts(struct buf *out, const struct json_value *object)
{
	/* Jansson walks only through objects that it may change. */
	json_t *from = (json_t *)(uintptr_t)inside(object);
	const char *before = "{";
	const char *key;
	json_t *value;

	json_object_foreach(from, key, value)
	{
		if (!json_is_string(value))
			continue;
		buf_addf(out, "%s", before);
		json_quote(out, span_of(key));
		buf_add(out, SPAN(":"));
		json_quote(out, json_text(outside(value)));
		before = ",";
	}
	if (*before == ',')
		buf_add(out, SPAN("}"));
}
