#include "agent/version.h"

#include <sys/stat.h>

#include "agent/program.h"

#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
enum { ASK_MS = 5000 };

struct span version_find(struct span said)
{
	while (said.at) {
		struct span word = span_cut(&said, ' ');

		if (span_starts(word, "v"))
			word = span_from(word, 1);
		word = span_cut(&word, '\n');
		if (span_ends(word, ","))
			word.len--;
		if (word.len > 0 &&
		    span_made_of(span_make(word.at, 1), DIGITS) &&
		    span_made_of(word, DIGITS LETTERS "._+~-"))
			return word;
	}
	return SPAN_NONE;
}

/* Of its signs, the first that can be run; null: none. */
static const char *program_of(const struct host *host,
			      const struct engine *engine, struct stat *st)
{
	for (const char *const *sign = engine->signs; *sign; sign++)
		if (host_stat(host, *sign, st) && S_ISREG(st->st_mode) &&
		    (st->st_mode & S_IXUSR))
			return *sign;
	return NULL;
}

static int ask(const struct host *host, const char *path,
	       struct version_memory *memory, struct err *e)
{
	static const char *const variables[] = {
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/root",
		NULL,
	};
	const char *const words[] = { path, "--version", NULL };
	const struct program program = { words, variables, host, ASK_MS };
	auto_buf struct buf said = { 0 };

	memory->text[0] = '\0';
	if (program_run(&program, &said, e) < 0)
		return -1;
	struct span version = version_find(buf_span(&said));
	if (version.at &&
	    !span_copy(version, memory->text, sizeof(memory->text)))
		memory->text[0] = '\0';
	return 0;
}

static bool is_known(const struct version_memory *memory, const struct stat *st)
{
	return memory->number == st->st_ino &&
	       memory->changed.tv_sec == st->st_mtim.tv_sec &&
	       memory->changed.tv_nsec == st->st_mtim.tv_nsec;
}

/* One that had no time is asked again. */
const char *engine_version(const struct host *host, const struct engine *engine,
			   struct version_memory *memory)
{
	struct stat st;
	struct err why;
	const char *path = program_of(host, engine, &st);

	if (!path)
		return NULL;
	if (!is_known(memory, &st) &&
	    (ask(host, path, memory, &why) == 0 || why.kind != ERR_TIMEOUT)) {
		memory->number = st.st_ino;
		memory->changed = st.st_mtim;
	}
	return memory->text[0] ? memory->text : NULL;
}
