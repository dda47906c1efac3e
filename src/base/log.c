/*
 * Two halves of a queue: callers append to one, the writer thread has the
 * other on its way to standard error, and they are exchanged when it is done.
 * The lock is held for a copy or an exchange of pointers, never for a write.
 *
 * Waking a thread costs more than a line. So the writer rests after each
 * write: a lone line leaves at once, and those of a burst leave together.
 */
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/thread.h"

#define QUEUE_SIZE (1024 * 1024)
#define REST_MS 10
#define REST_SIZE (QUEUE_SIZE / 4) /* more than this ends a rest */

static const char *const level_texts[] = {
	[LOG_DEBUG] = "debug",
	[LOG_INFO] = "info",
	[LOG_WARN] = "warn",
	[LOG_ERROR] = "error",
};

static struct {
	atomic_int least;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool open;
	char *filling; /* QUEUE_SIZE bytes each */
	char *writing;
	size_t filled;
	int64_t dropped; /* lines, since one last fitted */
	struct thread writer;
} log_queue = {
	.least = LOG_INFO,
	.lock = PTHREAD_MUTEX_INITIALIZER,
};

/* Standard error may be a pipe that another program made non-blocking. */
static void write_out(const char *at, size_t len)
{
	while (len) {
		ssize_t done = write(STDERR_FILENO, at, len);

		if (done < 0 && errno == EAGAIN) {
			struct pollfd ready = { STDERR_FILENO, POLLOUT, 0 };
			poll(&ready, 1, -1);
			continue;
		}
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return;
		at += done;
		len -= (size_t)done;
	}
}

/* Waits for lines and takes them; 0 when the log is closed and empty. */
static size_t queue_take(void)
{
	hold_mutex(&log_queue.lock);
	while (log_queue.open && log_queue.filled == 0)
		pthread_cond_wait(&log_queue.changed, &log_queue.lock);

	size_t len = log_queue.filled;
	char *taken = log_queue.filling;
	log_queue.filling = log_queue.writing;
	log_queue.writing = taken;
	log_queue.filled = 0;
	return len;
}

static void queue_rest(void)
{
	int64_t deadline = clock_ms() + REST_MS;

	hold_mutex(&log_queue.lock);
	while (log_queue.open && log_queue.filled < REST_SIZE)
		if (!cond_wait_until(&log_queue.changed, &log_queue.lock,
				     deadline))
			return;
}

static void writer_run(void *arg)
{
	size_t len;

	(void)arg;
	while ((len = queue_take()) > 0) {
		write_out(log_queue.writing, len);
		queue_rest();
	}
}

static bool line_wanted(const struct log_line *line)
{
	return (int)line->level >= log_queue.least;
}

/* Adds all or nothing, and leaves room for the newline. */
static bool line_add(struct log_line *line, const char *at, size_t len)
{
	if (len >= sizeof(line->text) - line->len)
		return false;
	memcpy(line->text + line->len, at, len);
	line->len += len;
	return true;
}

/* What needs no quotes: visible, but for quotes, '=' and backslash. */
static const bool bare[256] = {
	['!'] = true,
	['#' ... '<'] = true,
	['>' ... '['] = true,
	[']' ... '~'] = true,
};

static bool span_is_bare(struct span value)
{
	for (size_t i = 0; i < value.len; i++)
		if (!bare[(unsigned char)value.at[i]])
			return false;
	return value.len > 0;
}

static bool char_add(struct log_line *line, char c)
{
	char escaped[5] = { '\\', c, '\0' };

	if (c == '"' || c == '\\')
		return line_add(line, escaped, 2);
	if (c >= ' ' && c < 0x7f)
		return line_add(line, &c, 1);
	snprintf(escaped, sizeof(escaped), "\\x%02x", (unsigned char)c);
	return line_add(line, escaped, 4);
}

static bool value_add(struct log_line *line, struct span value)
{
	if (span_is_bare(value))
		return line_add(line, value.at, value.len);
	if (!line_add(line, "\"", 1))
		return false;
	for (size_t i = 0; i < value.len; i++)
		if (!char_add(line, value.at[i]))
			return false;
	return line_add(line, "\"", 1);
}

void log_span(struct log_line *line, const char *key, struct span value)
{
	size_t before = line->len;

	if (!line_wanted(line))
		return;
	bool fits = (before == 0 || line_add(line, " ", 1)) &&
		    line_add(line, key, strlen(key)) &&
		    line_add(line, "=", 1) && value_add(line, value);
	if (!fits)
		line->len = before;
}

void log_begin(struct log_line *line, enum log_level level, const char *event)
{
	line->len = 0;
	line->level = level;
	if (!line_wanted(line))
		return;
	log_text(line, "time", clock_wall_text().s);
	log_text(line, "level", level_texts[level]);
	log_text(line, "event", event);
}

void log_text(struct log_line *line, const char *key, const char *value)
{
	log_span(line, key, span_of(value));
}

void log_number(struct log_line *line, const char *key, int64_t value)
{
	char digits[SPAN_NUMBER_ROOM];

	log_span(line, key, span_number(value, digits));
}

void log_err(struct log_line *line, const struct err *e)
{
	log_text(line, "error", e->message);
	log_text(line, "kind", err_kind_text(e->kind));
}

/* The lock is held and there is room: queue_line leaves it. */
static void queue_add(struct span text)
{
	memcpy(log_queue.filling + log_queue.filled, text.at, text.len);
	log_queue.filled += text.len;
}

static void queue_say_dropped(void)
{
	char text[160];

	if (log_queue.dropped == 0)
		return;
	snprintf(text, sizeof(text),
		 "time=%s level=warn event=log-dropped lines=%" PRId64 "\n",
		 clock_wall_text().s, log_queue.dropped);
	queue_add(span_of(text));
	log_queue.dropped = 0;
}

void log_open(enum log_level least)
{
	log_queue.least = least;
	log_queue.filling = mem_alloc(QUEUE_SIZE);
	log_queue.writing = mem_alloc(QUEUE_SIZE);
	cond_open(&log_queue.changed);
	pthread_mutex_lock(&log_queue.lock);
	log_queue.open = true;
	pthread_mutex_unlock(&log_queue.lock);
	thread_start(&log_queue.writer, "log", writer_run, NULL);
}

void log_limit(enum log_level least)
{
	log_queue.least = least;
}

void log_close(void)
{
	pthread_mutex_lock(&log_queue.lock);
	queue_say_dropped();
	log_queue.open = false;
	pthread_cond_signal(&log_queue.changed);
	pthread_mutex_unlock(&log_queue.lock);
	thread_join(&log_queue.writer);
	pthread_cond_destroy(&log_queue.changed);
	free(steal_ptr(&log_queue.filling));
	free(steal_ptr(&log_queue.writing));
}

/* False if the log is not open: the caller writes by itself. */
static bool queue_line(struct span text)
{
	hold_mutex(&log_queue.lock);
	if (!log_queue.open)
		return false;
	if (QUEUE_SIZE - log_queue.filled < 2 * sizeof(struct log_line)) {
		log_queue.dropped++;
		metric_add(METRIC_LOG_DROPPED, 1);
		return true;
	}
	bool first = log_queue.filled == 0;
	queue_say_dropped();
	queue_add(text);
	if (first || log_queue.filled >= REST_SIZE)
		pthread_cond_signal(&log_queue.changed);
	return true;
}

void log_send(struct log_line *line)
{
	if (!line_wanted(line))
		return;
	line->text[line->len++] = '\n';
	if (!queue_line(span_make(line->text, line->len)))
		write_out(line->text, line->len);
}

void log_say(enum log_level level, const char *event, const char *format, ...)
{
	char text[1024];
	struct log_line line;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_begin(&line, level, event);
	log_text(&line, "message", text);
	log_send(&line);
}
