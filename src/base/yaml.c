/*
 * libyaml gives events; this walks them with the path so far in one buffer,
 * which is cut back when a map or a list ends.
 */
#include "base/yaml.h"

#include <yaml.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/thread.h"

#define FILE_LIMIT (1024 * 1024) /* bytes */
#define DEPTH_LIMIT 16

struct walk {
	yaml_parser_t parser;
	yaml_event_t event; /* the current one */
	const char *file;
	yaml_visit visit;
	void *arg;
	struct buf path;
	unsigned depth;
};

/* The keys of one map. */
struct keys {
	char **at;
	size_t count;
};

static int node_walk(struct walk *walk, struct err *e);

static unsigned line_of(const struct walk *walk)
{
	return (unsigned)walk->event.start_mark.line + 1;
}

static int refuse(const struct walk *walk, struct err *e, const char *what)
{
	return err_set(e, ERR_USAGE, "%s:%u: %s", walk->file, line_of(walk),
		       what);
}

static int event_next(struct walk *walk, struct err *e)
{
	yaml_event_delete(&walk->event);
	if (yaml_parser_parse(&walk->parser, &walk->event))
		return 0;
	return err_set(e, ERR_USAGE, "%s:%zu: %s", walk->file,
		       walk->parser.problem_mark.line + 1,
		       walk->parser.problem);
}

static void path_cut(struct walk *walk, size_t len)
{
	walk->path.len = len;
	walk->path.at[len] = '\0';
}

static void keys_free(struct keys *keys)
{
	for (size_t i = 0; i < keys->count; i++)
		free(keys->at[i]);
	free(keys->at);
}

static bool keys_has(const struct keys *keys, const char *key)
{
	for (size_t i = 0; i < keys->count; i++)
		if (strcmp(keys->at[i], key) == 0)
			return true;
	return false;
}

static void keys_add(struct keys *keys, const char *key)
{
	keys->at = mem_grow(keys->at, (keys->count + 1) * sizeof(*keys->at));
	keys->at[keys->count++] = mem_text(key);
}

/* What gives the current node a name or a type, and is not taken. */
static bool is_decorated(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return event->data.scalar.anchor || event->data.scalar.tag;
	case YAML_MAPPING_START_EVENT:
		return event->data.mapping_start.anchor ||
		       event->data.mapping_start.tag;
	case YAML_SEQUENCE_START_EVENT:
		return event->data.sequence_start.anchor ||
		       event->data.sequence_start.tag;
	default:
		return event->type == YAML_ALIAS_EVENT;
	}
}

static int node_check(const struct walk *walk, struct err *e)
{
	if (is_decorated(&walk->event))
		return refuse(walk, e,
			      "anchors, aliases and tags are not taken");
	if (walk->depth == DEPTH_LIMIT)
		return refuse(walk, e, "nested too deeply");
	return 0;
}

static bool holds_nul(const yaml_event_t *scalar)
{
	return strlen((const char *)scalar->data.scalar.value) !=
	       scalar->data.scalar.length;
}

static bool key_is_plain(const char *key)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_-";

	return key[0] && key[strspn(key, letters)] == '\0';
}

static int key_walk(struct walk *walk, struct keys *keys, struct err *e)
{
	const char *key = (const char *)walk->event.data.scalar.value;

	if (node_check(walk, e) < 0)
		return -1;
	if (walk->event.type != YAML_SCALAR_EVENT || holds_nul(&walk->event) ||
	    !key_is_plain(key))
		return refuse(walk, e, "a key holds letters, digits, _ and -");
	if (keys_has(keys, key))
		return err_set(e, ERR_USAGE, "%s:%u: \"%s\" stands here twice",
			       walk->file, line_of(walk), key);
	keys_add(keys, key);
	buf_addf(&walk->path, "%s%s", walk->path.len ? "." : "", key);
	return event_next(walk, e);
}

static int map_walk(struct walk *walk, struct err *e)
{
	auto_with(keys_free) struct keys keys = { 0 };
	size_t before = walk->path.len;

	if (event_next(walk, e) < 0)
		return -1;
	while (walk->event.type != YAML_MAPPING_END_EVENT) {
		if (key_walk(walk, &keys, e) < 0 || node_walk(walk, e) < 0)
			return -1;
		path_cut(walk, before);
	}
	return event_next(walk, e);
}

static int list_walk(struct walk *walk, struct err *e)
{
	size_t before = walk->path.len;

	if (event_next(walk, e) < 0)
		return -1;
	for (size_t i = 0; walk->event.type != YAML_SEQUENCE_END_EVENT; i++) {
		buf_addf(&walk->path, "[%zu]", i);
		if (node_walk(walk, e) < 0)
			return -1;
		path_cut(walk, before);
	}
	return event_next(walk, e);
}

static int scalar_walk(struct walk *walk, struct err *e)
{
	struct yaml_item item = {
		.key = walk->path.at,
		.value = (const char *)walk->event.data.scalar.value,
		.file = walk->file,
		.line = line_of(walk),
	};

	if (holds_nul(&walk->event))
		return refuse(walk, e, "a value may not hold a NUL");
	if (walk->visit(&item, walk->arg, e) < 0)
		return -1;
	return event_next(walk, e);
}

/* The node that the current event opens; ends at the event behind it. */
static int node_walk(struct walk *walk, struct err *e)
{
	if (node_check(walk, e) < 0)
		return -1;
	if (walk->event.type == YAML_SCALAR_EVENT)
		return scalar_walk(walk, e);

	bool is_map = walk->event.type == YAML_MAPPING_START_EVENT;
	walk->depth++;
	int result = is_map ? map_walk(walk, e) : list_walk(walk, e);
	walk->depth--;
	return result;
}

static bool is_empty(const struct walk *walk)
{
	return walk->event.type == YAML_SCALAR_EVENT &&
	       walk->event.data.scalar.length == 0;
}

static int document_walk(struct walk *walk, struct err *e)
{
	if (event_next(walk, e) < 0)
		return -1;
	if (is_empty(walk))
		return event_next(walk, e);
	if (walk->event.type != YAML_MAPPING_START_EVENT)
		return refuse(walk, e, "the file is not a map");
	return node_walk(walk, e);
}

static int stream_walk(struct walk *walk, struct err *e)
{
	/* the start of the stream, then of the document */
	if (event_next(walk, e) < 0 || event_next(walk, e) < 0)
		return -1;
	if (walk->event.type == YAML_STREAM_END_EVENT)
		return 0;
	if (document_walk(walk, e) < 0 || event_next(walk, e) < 0)
		return -1;
	if (walk->event.type != YAML_STREAM_END_EVENT)
		return refuse(walk, e, "more than one document");
	return 0;
}

int yaml_walk(const char *path, yaml_visit visit, void *arg, struct err *e)
{
	struct walk walk = { .file = path, .visit = visit, .arg = arg };
	auto_buf struct buf text = { 0 };

	if (io_read_file(path, FILE_LIMIT, &text, e) < 0)
		return -1;
	if (!yaml_parser_initialize(&walk.parser))
		return err_set(e, ERR_INTERNAL, "YAML parser");
	yaml_parser_set_input_string(&walk.parser,
				     (const unsigned char *)text.at, text.len);
	int result = stream_walk(&walk, e);

	yaml_event_delete(&walk.event);
	yaml_parser_delete(&walk.parser);
	buf_free(&walk.path);
	return result;
}
