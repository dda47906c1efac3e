#include "agent/hook.h"

#include "agent/program.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

enum { MOST_MS = 30000 };

struct hook {
	char *path;
	struct thread thread;
	pthread_mutex_t lock;
	pthread_cond_t woken;
	/* Guarded by lock: */
	char *url; /* "": none; null: nothing is to be done */
	bool closing;
};

static void add_address(struct buf *out, const char *url)
{
	const char *scheme_end = strstr(url, "://");

	buf_addf(out, "REGISTRY=%s", scheme_end ? scheme_end + 3 : "");
}

/* As far as it may be told; the log shows what is not printable. */
static struct span last_line(struct span said)
{
	enum { MOST = 100 };

	if (span_ends(said, "\n"))
		said.len--;
	said = span_from(said, (size_t)(span_find_last(said, '\n') + 1));
	return span_make(said.at, said.len < MOST ? said.len : MOST);
}

int agent_hook(const char *path, const char *url, struct err *e)
{
	auto_buf struct buf address = { 0 }, whole = { 0 }, said = { 0 };
	const char *const words[] = { path, NULL };

	add_address(&address, url ? url : "");
	buf_addf(&whole, "REGISTRY_URL=%s", url ? url : "");
	const char *const variables[] = {
		address.at,
		whole.at,
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:"
		"/bin",
		NULL,
	};
	const struct program program = {
		.words = words,
		.variables = variables,
		.most_ms = MOST_MS,
	};

	if (program_run(&program, &said, e) == 0)
		return 0;
	struct span last = last_line(buf_span(&said));
	if (last.len > 0)
		err_wrap(e, "%.*s", SPAN_ARG(last));
	return -1;
}

/* The next one to be run for, or null: it is time to end. */
static char *next(struct hook *hook)
{
	hold_mutex(&hook->lock);
	while (!hook->url && !hook->closing)
		pthread_cond_wait(&hook->woken, &hook->lock);
	return steal_ptr(&hook->url);
}

static void run(void *arg)
{
	struct hook *hook = arg;
	char *url;
	struct err e;

	while ((url = next(hook))) {
		if (agent_hook(hook->path, *url ? url : NULL, &e) < 0)
			log_say(LOG_WARN, "hook", "%s", e.message);
		free(url);
	}
}

struct hook *hook_open(const char *path)
{
	struct hook *hook = mem_alloc(sizeof(*hook));

	hook->path = mem_text(path);
	pthread_mutex_init(&hook->lock, NULL);
	cond_open(&hook->woken);
	thread_start(&hook->thread, "hook", run, hook);
	return hook;
}

static void end(struct hook *hook)
{
	hold_mutex(&hook->lock);
	hook->closing = true;
	free(hook->url);
	hook->url = NULL;
	pthread_cond_broadcast(&hook->woken);
}

void hook_close(struct hook **pointer)
{
	struct hook *hook = steal_ptr(pointer);

	end(hook);
	thread_join(&hook->thread);
	pthread_cond_destroy(&hook->woken);
	pthread_mutex_destroy(&hook->lock);
	free(hook->path);
	free(hook);
}

void hook_say(struct hook *hook, const char *url)
{
	hold_mutex(&hook->lock);
	free(hook->url);
	hook->url = mem_text(url ? url : "");
	pthread_cond_broadcast(&hook->woken);
}
