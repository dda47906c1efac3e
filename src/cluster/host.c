#include "cluster/host.h"

#include "base/json.h"
#include "cluster/clean.h"

#define FORMAT 1

/* ---------------------------------------------------------------- printing */

static bool is_printable(char c)
{
	return c >= ' ' && c <= '~';
}

static void print_line(const char *text, struct buf *out)
{
	char line[HOST_LINE + 1];
	size_t len = 0;

	for (; text[len] && len < HOST_LINE; len++)
		line[len] = is_printable(text[len]) ? text[len] : '?';
	json_quote(out, span_make(line, len));
}

/* What is not there is left out. */
static void print_member(const char *name, const char *text, struct buf *out)
{
	if (!text)
		return;
	buf_addf(out, ",\"%s\":", name);
	print_line(text, out);
}

/* Half of one would be another one. */
static void print_url(const char *url, struct buf *out)
{
	if (!url)
		return;
	buf_add(out, SPAN(",\"registry\":"));
	json_quote(out, span_of(url));
}

static void print_engine(const struct host_engine *engine, struct buf *out)
{
	const char *version = engine->version;

	buf_add(out, SPAN("{\"name\":"));
	print_line(engine->name, out);
	print_member("version", clean_word(span_of(version)) ? version : NULL,
		     out);
	print_member("state", engine->state, out);
	buf_add(out, SPAN("}"));
}

static void print_engines(const struct host_record *record, struct buf *out)
{
	buf_add(out, SPAN(",\"engines\":["));
	for (size_t i = 0; i < record->engine_count && i < HOST_ENGINES; i++) {
		buf_add(out, i ? SPAN(",") : SPAN(""));
		print_engine(&record->engines[i], out);
	}
	buf_add(out, SPAN("]"));
}

static void print_errors(const struct host_record *record, struct buf *out)
{
	buf_add(out, SPAN(",\"errors\":["));
	for (size_t i = 0; i < record->error_count && i < HOST_ERRORS; i++) {
		buf_add(out, i ? SPAN(",") : SPAN(""));
		print_line(record->errors[i], out);
	}
	buf_add(out, SPAN("]"));
}

void host_record_print(const struct host_record *record, struct buf *out)
{
	buf_addf(out, "{\"format\":%d,\"since\":%lld", FORMAT,
		 (long long)record->since_s);
	print_member("name", record->name, out);
	print_member("version", record->version, out);
	print_url(record->registry, out);
	print_member("why", record->why, out);
	print_engines(record, out);
	print_errors(record, out);
	buf_add(out, SPAN("}"));
}

/* ----------------------------------------------------------------- reading */

struct reading {
	const struct json_value *root;
	struct arena *arena;
	struct host_record *out;
};

static int refuse(struct err *e, const char *member, const char *what)
{
	return err_set(e, ERR_REQUEST, "its %s is %s", member, what);
}

/* Null unless it is one. */
static const char *word_of(const struct json_value *object, const char *member,
			   struct arena *arena)
{
	struct span text = json_text(json_get(object, member));

	return text.at && clean_word(text) ? arena_text(arena, text) : NULL;
}

static const char *line_of(const struct json_value *value, struct arena *arena)
{
	struct span text = json_text(value);

	if (!text.at || text.len > HOST_LINE)
		return NULL;
	for (size_t i = 0; i < text.len; i++)
		if (!is_printable(text.at[i]))
			return NULL;
	return arena_text(arena, text);
}

static int read_head(const struct reading *reading, struct err *e)
{
	const struct json_value *root = reading->root;
	struct host_record *out = reading->out;
	int64_t format;

	if (!json_size(json_get(root, "format"), &format) || format < FORMAT)
		return refuse(e, "format", "missing");
	if (format > FORMAT)
		return refuse(e, "format", "newer than this program");
	if (!json_size(json_get(root, "since"), &out->since_s))
		return refuse(e, "since", "no time");
	out->name = word_of(root, "name", reading->arena);
	if (!out->name)
		return refuse(e, "name", "no short word");
	out->version = word_of(root, "version", reading->arena);
	if (!out->version)
		return refuse(e, "version", "no short word");
	out->why = line_of(json_get(root, "why"), reading->arena);
	return out->why ? 0 : refuse(e, "why", "no short line");
}

static int read_registry(const struct reading *reading, struct err *e)
{
	const struct json_value *value = json_get(reading->root, "registry");
	struct record_door door;

	if (!value)
		return 0;
	if (!clean_url(json_text(value), reading->arena, &door))
		return refuse(e, "registry", "no http(s)://host:port alone");
	reading->out->registry = door.url;
	return 0;
}

static int read_engine(const struct reading *reading,
		       const struct json_value *from, struct host_engine *out,
		       struct err *e)
{
	out->name = word_of(from, "name", reading->arena);
	out->state = word_of(from, "state", reading->arena);
	out->version = word_of(from, "version", reading->arena);
	if (!out->name || !out->state ||
	    (!out->version && json_get(from, "version")))
		return refuse(e, "list of engines", "not made of short words");
	return 0;
}

static int read_engines(const struct reading *reading, struct err *e)
{
	const struct json_value *list = json_get(reading->root, "engines");
	size_t count = json_count(list);

	if (!json_is_array(list) || count > HOST_ENGINES)
		return refuse(e, "list of engines", "missing or too long");
	struct host_engine *engines =
		arena_alloc(reading->arena, (count + 1) * sizeof(*engines));
	for (size_t i = 0; i < count; i++)
		if (read_engine(reading, json_at(list, i), &engines[i], e) < 0)
			return -1;
	reading->out->engines = engines;
	reading->out->engine_count = count;
	return 0;
}

static int read_errors(const struct reading *reading, struct err *e)
{
	const struct json_value *list = json_get(reading->root, "errors");
	size_t count = json_count(list);

	if (!json_is_array(list) || count > HOST_ERRORS)
		return refuse(e, "list of errors", "missing or too long");
	const char **errors =
		arena_alloc(reading->arena, (count + 1) * sizeof(*errors));
	for (size_t i = 0; i < count; i++) {
		errors[i] = line_of(json_at(list, i), reading->arena);
		if (!errors[i])
			return refuse(e, "list of errors",
				      "not made of short lines");
	}
	reading->out->errors = errors;
	reading->out->error_count = count;
	return 0;
}

int host_record_parse(struct span text, struct arena *arena,
		      struct host_record *out, struct err *e)
{
	static const struct json_limits limits = { HOST_BYTES, 500, 4 };
	auto_of(json) struct json *json = NULL;

	*out = (struct host_record){ 0 };
	if (json_parse(text, &limits, &json, e) < 0)
		return err_set(e, e->kind, "it is no JSON of the right size");
	const struct reading reading = { json_root(json), arena, out };
	if (read_head(&reading, e) < 0 || read_registry(&reading, e) < 0 ||
	    read_engines(&reading, e) < 0)
		return -1;
	return read_errors(&reading, e);
}
