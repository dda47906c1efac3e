#include "sweep_lab.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* Sweeps as it is asked to, until nobody asks any more. */
static void other_main(const char *path, int ask, int answer)
{
	struct store *store = NULL;
	struct store_sweep how;
	struct store_swept swept;
	struct err e;

	while (read(ask, &how, sizeof(how)) == sizeof(how)) {
		if ((!store && other_open(path, &store, &e) < 0) ||
		    store_sweep(store, &how, &swept, &e) < 0) {
			fprintf(stderr, "elsewhere: %s\n", e.message);
			_exit(1);
		}
		if (write(answer, &swept, sizeof(swept)) != sizeof(swept))
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

static struct store_swept sweep_elsewhere(struct store_sweep how)
{
	struct store_swept swept = { 0 };

	assert_int_equal(write(elsewhere.ask, &how, sizeof(how)), sizeof(how));
	assert_int_equal(read(elsewhere.answer, &swept, sizeof(swept)),
			 sizeof(swept));
	return swept;
}

/* ---------------------------------------------------------------- sweeping */

struct store_swept sweep_with(struct lab *lab, struct store_sweep how)
{
	struct store_swept swept;
	struct err e;

	how.grace_ms = GRACE_MS;
	if (elsewhere.process && !how.tell)
		return sweep_elsewhere(how);
	OK(store_sweep(lab->store, &how, &swept, &e), e);
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
