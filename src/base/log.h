/*
 * base/log.h: one event, one line, logfmt, on standard error:
 *
 *	time=2026-01-31T23:59:59.123Z level=info event=started port=5000
 *
 * Lines are handed to one writer thread, so no caller waits for a slow
 * terminal or a full pipe. When the queue (1 MiB) is full, lines are dropped,
 * and before the next that fits stands one that says how many.
 */
#pragma once
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Before log_open lines are written at once, by the caller. */
void log_open(enum log_level least);
void log_limit(enum log_level least); /* another one, from any thread */
/* Writes out what is queued and stops the writer. */
void log_close(void);

/*
 * A line is built field by field and sent once:
 *
 *	struct log_line line;
 *	log_begin(&line, LOG_INFO, "pull");
 *	log_text(&line, "repository", name);
 *	log_number(&line, "bytes", size);
 *	log_send(&line);
 *
 * Values are quoted and escaped where logfmt wants it; bytes that are not
 * printable ASCII appear as \xNN, so that no control character reaches the
 * terminal. A line holds 1,500 bytes: a field that does not fit is left out.
 */
struct log_line {
	size_t len;
	enum log_level level;
	char text[1500];
};

void log_begin(struct log_line *, enum log_level, const char *event);
void log_span(struct log_line *, const char *key, struct span);
void log_text(struct log_line *, const char *key, const char *value);
void log_number(struct log_line *, const char *key, int64_t value);
void log_err(struct log_line *, const struct err *); /* error=… kind=… */
void log_send(struct log_line *);

/* An event with one sentence. */
void log_say(enum log_level, const char *event, const char *format, ...)
	printf_like(3, 4);
