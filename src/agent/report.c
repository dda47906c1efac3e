#include "agent/report.h"

#include <stdarg.h>

#include "base/clock.h"

void agent_report_free(struct agent_report *report)
{
	buf_free(&report->text);
	buf_free(&report->news);
	buf_free(&report->errors);
	buf_free(&report->diff);
}

/* What a word says of the engine in front of it. */
static const struct {
	const char *what;
	enum agent_state state;
} words[] = {
	{ "has", AGENT_POINTED },     { "wrote", AGENT_POINTED },
	{ "pending", AGENT_PENDING }, { "conflict", AGENT_CONFLICT },
	{ "failed", AGENT_FAILED },
};

static void state_note(struct agent_report *report, const char *who,
		       enum agent_state state)
{
	size_t i = 0;

	while (i < report->engine_count &&
	       strcmp(report->engines[i].name, who) != 0)
		i++;
	if (i == AGENT_ENGINES ||
	    !span_copy(span_of(who), report->engines[i].name, AGENT_NAME + 1))
		return;
	if (i == report->engine_count)
		report->engine_count++;
	if (report->engines[i].state < state)
		report->engines[i].state = state;
}

static void word_note(struct agent_report *report, const char *who,
		      const char *what, const struct buf *line)
{
	for (size_t i = 0; i < array_size(words); i++) {
		if (strcmp(words[i].what, what) != 0)
			continue;
		state_note(report, who, words[i].state);
		if (words[i].state >= AGENT_CONFLICT)
			buf_add(&report->errors, buf_span(line));
	}
}

void report_line(struct agent_report *report, const char *who, const char *what,
		 const char *format, ...)
{
	auto_buf struct buf line = { 0 };
	va_list args;

	buf_addf(&line, "%s: %s ", who, what);
	va_start(args, format);
	buf_vaddf(&line, format, args);
	va_end(args);
	buf_addf(&line, "\n");
	word_note(report, who, what, &line);
	buf_add(&report->text, buf_span(&line));
	buf_add(&report->news, buf_span(&line));
}

void report_trouble(struct agent_report *report, const char *who,
		    const struct err *e)
{
	bool conflict = e->kind == ERR_CONFLICT;

	report->conflicts += conflict;
	report->failures += !conflict;
	report_line(report, who, conflict ? "conflict" : "failed", "%s",
		    e->message);
}

void report_keeps(struct agent_report *report, const char *who,
		  const char *path, int64_t since_s)
{
	state_note(report, who, AGENT_POINTED);
	buf_addf(&report->text, "%s: has %s since %s\n", who, path,
		 clock_text_of(since_s).s);
}

/* The first line with its newline. */
static struct span first_line(struct span text)
{
	ptrdiff_t end = span_find(text, '\n');

	return span_make(text.at, end < 0 ? text.len : (size_t)end + 1);
}

static struct span last_line(struct span text)
{
	struct span body = span_make(text.at, text.len - 1);
	ptrdiff_t end = span_find_last(body, '\n');

	return span_from(text, end < 0 ? 0 : (size_t)end + 1);
}

static size_t lines_in(struct span text)
{
	size_t count = 0;

	while (text.len > 0) {
		text = span_from(text, first_line(text).len);
		count++;
	}
	return count;
}

static void lines_print(struct buf *out, char mark, struct span text)
{
	while (text.len > 0) {
		struct span line = first_line(text);

		buf_addf(out, "%c%.*s", mark, SPAN_ARG(line));
		if (!span_ends(line, "\n"))
			buf_addf(out, "\n\\ No newline at end of file\n");
		text = span_from(text, line.len);
	}
}

/* Where a hunk of so many lines begins: before the first, if it has none. */
static size_t hunk_start(size_t skipped, size_t lines)
{
	return lines ? skipped + 1 : skipped;
}

void report_diff(struct agent_report *report, const char *path,
		 struct span before, struct span after)
{
	struct span old = before.at ? before : SPAN("");
	struct span new = after.at ? after : SPAN("");
	size_t skipped = 0;

	while (old.len && new.len &&
	       span_eq(first_line(old), first_line(new))) {
		size_t len = first_line(old).len;

		old = span_from(old, len);
		new = span_from(new, len);
		skipped++;
	}
	while (old.len && new.len && span_eq(last_line(old), last_line(new))) {
		size_t len = last_line(old).len;

		old.len -= len;
		new.len -= len;
	}
	size_t gone = lines_in(old), come = lines_in(new);
	buf_addf(&report->diff, "--- %s\n+++ %s\n@@ -%zu,%zu +%zu,%zu @@\n",
		 before.at ? path : "/dev/null", after.at ? path : "/dev/null",
		 hunk_start(skipped, gone), gone, hunk_start(skipped, come),
		 come);
	lines_print(&report->diff, '-', old);
	lines_print(&report->diff, '+', new);
}
