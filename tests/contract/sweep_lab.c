#include "sweep_lab.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#define PATIENCE_MS 60000

void tell(const struct store_dead *dead, void *arg)
{
	struct teller *teller = arg;
	void (*meanwhile)(struct lab *) = teller->meanwhile;

	teller->told[dead->kind]++;
	teller->meanwhile = NULL;
	if (meanwhile)
		meanwhile(teller->lab);
}

/* ------------------------------------------------------ another process */

static struct {
	pid_t process; /* 0: there is none */
	int ask;
	int answer;
} elsewhere;

/*
 * Only one process may have a data directory, so this one has another, and in
 * it the same incoming/. No asserts here.
 */
static int other_open(const char *path, struct store **out, struct err *e)
{
	struct meta *meta;
	struct blob_store *blobs;
	char other[96], name[112];

	snprintf(other, sizeof(other), "%s/other", path);
	snprintf(name, sizeof(name), "%s/incoming", other);
	if (mkdir(other, 0700) < 0 || symlink("../incoming", name) < 0)
		return err_sys(e, "%s", name);
	snprintf(name, sizeof(name), "%s/registry.db", path);
	if (meta_open(name, &meta, e) < 0)
		return -1;
	if (blob_fs_open(path, &blobs, e) < 0) {
		meta_close(&meta);
		return -1;
	}
	return store_open_with(other, meta, blobs, out, e);
}

struct answer {
	int failed;
	struct err why;
	struct store_swept swept;
};

/* Who writes all the time leaves others little room to do so. */
static void other_sweep(struct store *store, const struct store_sweep *how,
			struct answer *out)
{
	int64_t deadline = clock_ms() + PATIENCE_MS;

	do
		out->failed = store_sweep(store, how, &out->swept, &out->why);
	while (out->failed && out->why.kind == ERR_BUSY &&
	       clock_ms() < deadline);
}

/* Sweeps as it is asked to, until nobody asks any more. */
static void other_main(const char *path, int ask, int answer)
{
	struct store *store = NULL;
	struct store_sweep how;

	while (read(ask, &how, sizeof(how)) == sizeof(how)) {
		struct answer out = { 0 };

		if (!store)
			out.failed = other_open(path, &store, &out.why);
		if (!out.failed)
			other_sweep(store, &how, &out);
		if (write(answer, &out, sizeof(out)) != sizeof(out))
			_exit(1);
	}
	if (store)
		store_close(&store);
	_exit(0);
}

int elsewhere_setup(void **state)
{
	int ask[2], answer[2];

	if (lab_setup(state) < 0 || pipe(ask) < 0 || pipe(answer) < 0)
		return -1;
	struct lab *lab = *state;
	elsewhere.process = fork();
	if (elsewhere.process == 0) {
		close(ask[1]);
		other_main(lab->path, ask[0], answer[1]);
	}
	close(ask[0]);
	close(answer[1]);
	elsewhere.ask = ask[1];
	elsewhere.answer = answer[0];
	return 0;
}

int elsewhere_teardown(void **state)
{
	int status = -1;

	close(elsewhere.ask);
	waitpid(elsewhere.process, &status, 0);
	close(elsewhere.answer);
	elsewhere.process = 0;
	return lab_teardown(state) < 0 || status != 0 ? -1 : 0;
}

static int sweep_elsewhere(const struct store_sweep *how,
			   struct store_swept *out, struct err *e)
{
	struct answer answer;

	if (write(elsewhere.ask, how, sizeof(*how)) != sizeof(*how) ||
	    read(elsewhere.answer, &answer, sizeof(answer)) != sizeof(answer))
		return err_set(e, ERR_CLOSED, "nobody is elsewhere");
	*out = answer.swept;
	*e = answer.why;
	return answer.failed;
}

/* ---------------------------------------------------------------- sweeping */

int sweep_try(struct lab *lab, struct store_sweep how, struct store_swept *out,
	      struct err *e)
{
	how.grace_ms = GRACE_MS;
	if (elsewhere.process && !how.tell)
		return sweep_elsewhere(&how, out, e);
	return store_sweep(lab->store, &how, out, e);
}

struct store_swept sweep_with(struct lab *lab, struct store_sweep how)
{
	struct store_swept swept;
	struct err e;

	OK(sweep_try(lab, how, &swept, &e), e);
	return swept;
}

struct store_swept sweep(struct lab *lab)
{
	return sweep_with(lab, (struct store_sweep){ .released_ms = GRACE_MS });
}

struct store_swept sweep_now(struct lab *lab)
{
	return sweep_with(lab, (struct store_sweep){ .released_ms = 0 });
}

void age(struct lab *lab, int epochs)
{
	while (epochs--)
		lab_age(lab);
}

void drop_image(struct lab *lab, struct repository at, const char *config,
		const char *layer)
{
	struct digest digest = image_of(config, layer);
	struct reference reference = reference_to_digest(&digest);
	struct err e;

	OK(store_drop_manifest(lab->store, &at, &reference, NULL, &e), e);
}

void push_and_drop(struct lab *lab)
{
	lab_push(lab, local("app"), "layer");
	lab_image(lab, local("app"), "v1", "layer", NULL);
	drop_image(lab, local("app"), "layer", NULL);
}

struct incoming *upload_begin(struct lab *lab, struct repository at)
{
	struct incoming *incoming;
	struct err e;

	OK(incoming_open_upload(lab->store, &at, &incoming, &e), e);
	OK(incoming_write(incoming, SPAN("lay"), &e), e);
	return incoming;
}

/* Of the upload that was left. */
static char left_key[40];

void upload_leave(struct lab *lab)
{
	struct incoming *incoming = upload_begin(lab, local("app"));

	strcpy(left_key, incoming_key(incoming));
	incoming_leave(&incoming);
}

int upload_return(struct lab *lab, struct incoming **out, struct err *e)
{
	struct repository app = local("app");

	return incoming_resume_upload(lab->store, &app, span_of(left_key), out,
				      e);
}
