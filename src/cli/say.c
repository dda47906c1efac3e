/*
 * A line that begins with a carriage return is progress: "\r<done> <all>".
 */
#include "cli/say.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"

#define SAY_MS 100	    /* between two steps of a bar */
#define LINE_MS (10 * 1000) /* between two lines, where there is none */
#define BAR 30		    /* columns */

struct size_text size_text(int64_t bytes)
{
	static const char *const units[] = { "kB", "MB", "GB", "TB", "PB" };
	struct size_text text;
	double size = (double)bytes / 1000;
	size_t unit = 0;

	for (; size >= 999.95 && unit + 1 < array_size(units); unit++)
		size /= 1000;
	if (bytes < 1000)
		snprintf(text.s, sizeof(text.s), "%d B", (int)bytes);
	else
		snprintf(text.s, sizeof(text.s), "%.1f %s", size, units[unit]);
	return text;
}

struct time_text time_text(int64_t ms)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = {
		{ "d", 86400000 },
		{ "h", 3600000 },
		{ "min", 60000 },
		{ "s", 1000 },
	};
	struct time_text text = { "0 s" };
	size_t at = 0;

	while (at + 1 < array_size(units) && ms < units[at].ms)
		at++;
	if (ms <= 0)
		return text;
	int64_t rest = at + 1 < array_size(units) ?
			       ms % units[at].ms / units[at + 1].ms :
			       0;
	int len = snprintf(text.s, sizeof(text.s), "%lld %s",
			   (long long)(ms / units[at].ms), units[at].name);
	if (rest > 0)
		snprintf(text.s + len, sizeof(text.s) - (size_t)len, " %lld %s",
			 (long long)rest, units[at + 1].name);
	return text;
}

bool say_line(const struct saying *saying, const char *format, ...)
{
	auto_buf struct buf line = { 0 };
	va_list args;

	va_start(args, format);
	buf_vaddf(&line, format, args);
	va_end(args);
	return saying->line(saying->arg, line.at);
}

bool progress_say(struct progress *progress, int64_t done, int64_t all)
{
	const struct saying *saying = progress->saying;
	char line[64];

	if (clock_ms() < progress->said_ms + SAY_MS)
		return true;
	progress->said_ms = clock_ms();
	snprintf(line, sizeof(line), "\r%" PRId64 " %" PRId64, done, all);
	return saying->line(saying->arg, line);
}

/* ------------------------------------------------------------------ screen */

static void bar_clear(struct screen *screen)
{
	if (screen->has_bar)
		fputs("\r\033[K", stdout);
	screen->has_bar = false;
}

static void progress_print(struct screen *screen, int64_t done, int64_t all)
{
	static const char bar[] = "==============================";
	int percent = (int)((double)done / (double)all * 100);

	if (screen->is_terminal)
		printf("\r[%-*.*s] %3d %%  %s of %s\033[K", BAR,
		       BAR * percent / 100, bar, percent, size_text(done).s,
		       size_text(all).s);
	else if (clock_ms() >= screen->said_ms + LINE_MS)
		printf("%d %%: %s of %s\n", percent, size_text(done).s,
		       size_text(all).s);
	else
		return;
	screen->said_ms = clock_ms();
	screen->has_bar = screen->is_terminal;
	fflush(stdout);
}

static bool screen_line(void *arg, const char *text)
{
	struct screen *screen = arg;
	int64_t done, all;

	if (sscanf(text, "\r%" SCNd64 " %" SCNd64, &done, &all) == 2) {
		if (all > 0 && done <= all)
			progress_print(screen, done, all);
		return true;
	}
	bar_clear(screen);
	return puts(text) >= 0;
}

void screen_open(struct screen *screen)
{
	*screen = (struct screen){
		.saying = { screen_line, screen },
		.is_terminal = isatty(STDOUT_FILENO),
		.said_ms = clock_ms(),
	};
}

void screen_close(struct screen *screen)
{
	bar_clear(screen);
	fflush(stdout);
}
